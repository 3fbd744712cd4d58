"""A key for an answer, by cheap rules that are right by construction."""

from __future__ import annotations

from w2s_data.answers import compat as paper1
from w2s_data.answers.forms import form
from w2s_data.answers.policy import DEFAULT, Policy, policy_named, published


def canonical(answer: str, policy: Policy | str = DEFAULT, *, compat: str | None = None) -> str:
    """The key of an answer: equal keys mean equal answers; the empty key belongs to no answer.

    canonical(canonical(a)) == canonical(a). Raises W2SError for an unknown policy or compat name.
    """
    if published(compat):
        return paper1.published_string(answer)
    return form(answer, policy_named(policy).case == "fold").key
