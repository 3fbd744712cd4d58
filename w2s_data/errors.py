"""The one error a user sees: a sentence that says what is wrong, where, and the way out."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class W2SError(Exception):
    """A user's mistake or a failing resource. The command line prints it and exits with 2."""


def unknown(kind: str, name: object, known: Iterable[str]) -> W2SError:
    """The error for a name that is not in `known`, which it lists nearest first.

    >>> print(unknown("task", "mth", ["gsm8k", "math"]))
    unknown task 'mth': did you mean 'math'? Known: math, gsm8k
    """
    ordered = nearest(str(name), known)
    if not ordered:
        return W2SError(f"unknown {kind} {name!r}: none is known here")
    hint = f"did you mean {ordered[0]!r}? " if _similarity(str(name), ordered[0]) >= 0.5 else ""
    return W2SError(f"unknown {kind} {name!r}: {hint}Known: {', '.join(ordered)}")


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """All of `known`, the most similar to `name` first (ties in alphabetical order)."""
    return sorted(known, key=lambda other: (-_similarity(name, other), other))


def out_of_range(parameter: str, rule: str, value: object) -> W2SError:
    """The error for a value outside its range: `confidence must be in [0, 1], was: 1.5`."""
    return W2SError(f"{parameter} must be {rule}, was: {value!r}")


def missing_extra(package: str, extra: str) -> W2SError:
    """The error for an optional package that is not installed, with the command that does it."""
    return W2SError(f"this needs the package {package!r}: pip install 'w2s_data[{extra}]'")


def _similarity(a: str, b: str) -> float:
    return difflib.SequenceMatcher(None, a.lower(), b.lower()).ratio()
