"""Are two answers the same? Equal, different, or undecided with the reason."""

from __future__ import annotations

import re
from functools import lru_cache

from w2s_data.answers import compat as paper1
from w2s_data.answers import prove
from w2s_data.answers.compare import compare
from w2s_data.answers.forms import CACHED_CHARACTERS, form
from w2s_data.answers.policy import DEFAULT, Policy, policy_named, published
from w2s_data.answers.values import Verdict, different, same

_HAS_DIGIT = re.compile(r"\d")
_MAX_DIGITS = 600
_SAME_TEXT = same("same text")
_SAME_KEY = same("same key")
_OTHER_NUMBER = different("exact numbers")


def equal(a: str, b: str, policy: Policy | str = DEFAULT, *, compat: str | None = None) -> Verdict:
    """Whether two answers are the same under a policy.

    An empty answer differs from every answer, itself included, except in compat mode. It takes
    about two seconds at most, the start of the first worker process included: on a busy machine
    that may leave no time for the first proof (reason "... no worker yet"; ask again).
    """
    if compat is not None and published(compat):
        same = paper1.published_string(a) == paper1.published_string(b)
        return Verdict("equal" if same else "different", "published string")
    policy = policy_named(policy)
    if a.isdecimal() and b.isdecimal() and len(a) + len(b) < _MAX_DIGITS:
        return _SAME_KEY if int(a) == int(b) else _OTHER_NUMBER
    if a == b and _HAS_DIGIT.search(a):
        return _SAME_TEXT
    a, b = min(a, b), max(a, b)
    if len(a) + len(b) > 2 * CACHED_CHARACTERS:
        return _decided(a, b, policy)
    try:
        return _cached(a, b, policy)
    except _ForNow as found:
        return found.verdict


def settled(a: str, b: str, policy: Policy | str, *, compat: str | None = None) -> Verdict:
    """`equal` for batches: it waits for the first worker rather than leave a pair undecided."""
    found = equal(a, b, policy, compat=compat)
    if not found.reason.endswith(prove.NOT_STARTED):
        return found
    prove.warm()
    return equal(a, b, policy, compat=compat)


def _decided(a: str, b: str, policy: Policy) -> Verdict:
    reading = policy.case == "fold", policy.lists == "ordered"
    with prove.within(prove.SECONDS):
        return compare(form(a, *reading), form(b, *reading), policy)


class _ForNow(Exception):
    """A verdict that is not to be kept: it may be another as soon as a worker has started."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict


@lru_cache(maxsize=65536)
def _cached(a: str, b: str, policy: Policy) -> Verdict:
    found = _decided(a, b, policy)
    if found.reason.endswith(prove.NOT_STARTED):
        raise _ForNow(found)
    return found
