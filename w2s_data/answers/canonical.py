"""A key for an answer, by cheap rules that are right by construction."""

from __future__ import annotations

import re
from functools import lru_cache

from w2s_data.answers import compat as paper1
from w2s_data.answers.form import VERBATIM
from w2s_data.answers.forms import CACHED_CHARACTERS, form
from w2s_data.answers.policy import DEFAULT, Policy, policy_named, published

_PLAIN = re.compile(r"-?\d+(?:/\d+)?")


def canonical(answer: str, policy: Policy | str = DEFAULT, *, compat: str | None = None) -> str:
    """The key of an answer: equal keys mean equal answers; the empty key belongs to no answer.

    canonical(canonical(a)) == canonical(a). Raises W2SError for an unknown policy or compat name.
    """
    if published(compat):
        return paper1.published_string(answer)
    policy = policy_named(policy)
    key_of = _cached_key if len(answer) <= CACHED_CHARACTERS else _stable_key
    return key_of(answer, policy.case == "fold", policy.lists == "ordered")


def _stable_key(answer: str, fold: bool, ordered: bool) -> str:
    """The form's key, marked as verbatim text where the parser would not read it back."""
    key = form(answer, fold, ordered).key
    if not key or _PLAIN.fullmatch(key) or form(key, fold, ordered).key == key:
        return key
    return VERBATIM + key


_cached_key = lru_cache(maxsize=32768)(_stable_key)
