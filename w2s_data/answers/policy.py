"""Policies: what counts as the same answer where mathematics leaves it to convention."""

from __future__ import annotations

from dataclasses import dataclass, fields

from w2s_data.errors import W2SError, unknown

PUBLISHED = "w2s-reasoning"

CHOICES: dict[str, dict[str, str]] = {
    "percent": {
        "points": "`10%` is 10, as gold answers write it; against 0.1 it is undecided.",
        "fraction": "`10%` is the number 0.1; against 10 it is undecided.",
        "strict": "`10%` is the number 0.1 and different from 10.",
    },
    "units": {
        "optional": "A unit may be left out; two different units are undecided, never equal.",
        "strict": "A unit is part of the answer: `5 m` is not 5.",
    },
    "rounding": {
        "stated": "A decimal of 20 or more digits that rounds an irrational value states it.",
        "exact": "A decimal is the rational number it spells and nothing else.",
    },
    "lists": {
        "unordered": "`1, 2` is `2, 1` and the set {1, 2}; (1, 2) keeps its order.",
        "ordered": "`1, 2` is not `2, 1`; braces still make a set.",
    },
    "assignment": {
        "value": "`x = 5` is 5; `y = 2x` stays an equation.",
        "strict": "`x = 5` is an equation and never the number 5.",
    },
    "case": {
        "fold": "Words and option letters are compared without regard to case.",
        "keep": "`B` is not `b`.",
    },
}


@dataclass(frozen=True)
class Policy:
    """One choice per convention; see `describe` for what each one means.

    Raises W2SError for an unknown choice.
    """

    percent: str = "points"
    units: str = "optional"
    rounding: str = "stated"
    lists: str = "unordered"
    assignment: str = "value"
    case: str = "fold"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value not in CHOICES[field.name]:
                raise unknown(f"{field.name} policy", str(value), CHOICES[field.name])


DEFAULT = Policy()

POLICIES: dict[str, Policy] = {
    "default": DEFAULT,
    "strict": Policy("strict", "strict", "exact", "ordered", "strict", "keep"),
    "fraction": Policy(percent="fraction"),
}


def policy_named(policy: Policy | str) -> Policy:
    """The policy itself or the one of that name; W2SError lists the known names."""
    if isinstance(policy, Policy):
        return policy
    if policy not in POLICIES:
        raise unknown("answer policy", policy, POLICIES)
    return POLICIES[policy]


def describe(policy: Policy | str = DEFAULT) -> dict[str, str]:
    """One sentence for each convention, as the policy decides it."""
    chosen = policy_named(policy)
    return {name: CHOICES[name][getattr(chosen, name)] for name in CHOICES}


def published(compat: str | None) -> bool:
    """True for the published strings of paper 1, False for none; W2SError for another name."""
    if compat is None:
        return False
    if compat != PUBLISHED:
        error: W2SError = unknown("answer compatibility", compat, [PUBLISHED])
        raise error
    return True
