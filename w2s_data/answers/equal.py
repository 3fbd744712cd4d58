"""Are two answers the same? Equal, different, or undecided with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from w2s_data.answers.canonical import canonical
from w2s_data.answers.policy import DEFAULT, Policy, published


@dataclass(frozen=True)
class Verdict:
    """`kind` is "equal", "different" or "undecided"; `reason` says on what ground."""

    kind: str
    reason: str

    def __bool__(self) -> bool:
        return self.kind == "equal"


def equal(a: str, b: str, policy: Policy | str = DEFAULT, *, compat: str | None = None) -> Verdict:
    """Whether two answers are the same under a policy.

    An empty answer differs from every answer, itself included, except in compat mode.
    """
    x, y = canonical(a, policy, compat=compat), canonical(b, policy, compat=compat)
    if published(compat):
        return Verdict("equal" if x == y else "different", "published string")
    if not x or not y:
        return Verdict("different", "empty")
    if x == y:
        return Verdict("equal", "same key")
    try:
        Fraction(x), Fraction(y)
    except (ValueError, ZeroDivisionError):
        return Verdict("undecided", "different keys")
    return Verdict("different", "exact numbers")


def equal_many(
    pairs: Iterable[tuple[str, str]],
    policy: Policy | str = DEFAULT,
    *,
    compat: str | None = None,
    processes: int | None = None,
) -> list[Verdict]:
    """`equal` for each pair, in order, over `processes` processes."""
    return [equal(a, b, policy, compat=compat) for a, b in pairs]
