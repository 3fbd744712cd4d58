"""A key for an answer, by cheap rules that are right by construction."""

from __future__ import annotations

import re
from fractions import Fraction

from w2s_data.answers import compat as paper1
from w2s_data.answers.policy import DEFAULT, Policy, policy_named, published

_NUMBER = re.compile(r"([-+]?)(?:(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?|(\.\d+))(?:/(\d+))?")


def canonical(answer: str, policy: Policy | str = DEFAULT, *, compat: str | None = None) -> str:
    """The key of an answer: equal keys mean equal answers; the empty key belongs to no answer.

    canonical(canonical(a)) == canonical(a). Raises W2SError for an unknown policy or compat name.
    """
    if published(compat):
        return paper1.published_string(answer)
    policy_named(policy)
    text = answer.strip().rstrip(".").strip().strip("$").strip()
    text = re.sub(r"\\text\{(.*?)\}", r"\1", text)
    text = re.sub(r"\\[dt]?frac\{(\d+)\}\{(\d+)\}", r"\1/\2", text)
    text = re.sub(r"\\[$%!, ]", lambda m: "%" if m.group() == "\\%" else "", text)
    number = _NUMBER.fullmatch(text.replace(" ", ""))
    if number and len(text) < 1000 and set(number.group(5) or "1") != {"0"}:
        value = Fraction(
            number.group(1)
            + (number.group(2) or "").replace(",", "")
            + (number.group(3) or number.group(4) or "")
        )
        return str(value / int(number.group(5) or 1))
    return " ".join(text.lower().split())
