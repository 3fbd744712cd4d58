r"""How wrong a solution is, step by step: its wrong steps, and by which measure they were found.

A step is an equation: in mathematics between dollars, `\(`, `\[` or in plain arithmetic
(`3 * 12 = 36`). Three measures, in this order (arXiv 2410.20533, section 6, leaves the measure to
a judge):

`arithmetic`  every step can be checked, both sides of its equations compared by the answer engine,
              and some are false: exactly those are wrong.
`reference`   otherwise, where the reference solution has equations, too: the first step whose
              result is not the reference's, and all steps after it.
`judge`       a model names the first wrong step (`methods.complexity`).

The second and third count what follows a wrong step as wrong, the first does not; so shares of
wrong steps compare within one measure only.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Literal, NamedTuple

from w2s_data.answers import equal

MEASURES = ("arithmetic", "reference", "judge", "unmeasured")
LONGEST = 400  # characters of an equation: a longer one is not read
_MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_PLAIN = re.compile(
    r"[\d(](?:[\d ()*/+×÷%$-]|[.,](?=\d)){0,200}(?:= ?[-$]{0,2}\d(?:\d|[.,](?=\d)){0,30}%? ?)+"
)
_SIMPLE = re.compile(r"\s*(\d{1,15})\s*([-+*/]|\\times|\\cdot|\\div|\\bmod)\s*(\d{1,15})\s*")
_LETTER = re.compile(r"(?<![\\A-Za-z])[A-Za-z]")
_DECIMAL = re.compile(r"\d\.\d")


_OPERATE: dict[str, Callable[[int, int], int | Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    r"\times": operator.mul,
    r"\cdot": operator.mul,
    "/": Fraction,
    r"\div": Fraction,
    r"\bmod": operator.mod,
}


class Severity(NamedTuple):
    """The wrong steps of a solution, of how many, and the measure that found them."""

    measure: str
    wrong: int
    steps: int

    @property
    def share(self) -> float:
        """The step-wise error rate, from 0 to 1."""
        return self.wrong / self.steps if self.steps else 0.0


def severity(solution: str, reference: str) -> Severity:
    """How wrong a wrong solution is, without a judge; `unmeasured` where nothing can be said."""
    found = list(steps(solution))
    verdicts = [checked(step) for step in found]
    if "wrong" in verdicts and "open" not in verdicts:
        return Severity("arithmetic", verdicts.count("wrong"), len(found))
    known = [step[-1] for step in steps(reference)]
    if not found or not known:
        return Severity("unmeasured", 0, len(found))
    results = [step[-1] for step in found]
    first = next((i for i, pair in enumerate(zip(results, known)) if not _same(*pair)), None)
    if first is None:  # the steps agree as far as both go: what the solution makes of them is wrong
        first = min(len(results), len(known))
    return Severity("reference", max(len(found) - first, 1), max(len(found), first + 1))


def steps(solution: str) -> Iterator[list[str]]:
    """The equations of a solution in order, each as its sides."""
    position = 0
    for match in _MATH.finditer(solution):
        yield from _plain(solution[position : match.start()])
        position = match.end()
        for line in next(filter(None, match.groups()), "").split(r"\\"):
            yield from _sides(line)
    yield from _plain(solution[position:])


def checked(step: list[str]) -> Literal["right", "wrong", "open"]:
    """Whether the sides of an equation are equal, where the answer engine can say so.

    An equation in letters is right when it is an identity; whether it follows is open otherwise.
    So is a rounded decimal, and what the engine cannot read.
    """
    verdicts = [_pair(a, b) for a, b in pairwise(step)]
    if "wrong" in verdicts:
        return "wrong"
    return "right" if "right" in verdicts else "open"


def _plain(text: str) -> Iterator[list[str]]:
    for match in _PLAIN.finditer(text):
        yield from _sides(match.group().replace("$", ""))


def _sides(equation: str) -> Iterator[list[str]]:
    sides = [side.strip(" \t\n&,.;:") for side in equation.split("=")]
    if len(equation) <= LONGEST and len(sides) > 1 and all(sides):
        yield sides


def _pair(a: str, b: str) -> str:
    verdict = equal(_valued(a), _valued(b))
    if verdict.kind == "equal":
        return "right"
    unread = verdict.reason in ("text", "empty") or verdict.kind == "undecided"
    free = any(pattern.search(a + " " + b) for pattern in (_LETTER, _DECIMAL))
    return "open" if unread or free else "wrong"


def _same(a: str, b: str) -> bool:
    return equal(a, b).kind == "equal"


def _valued(side: str) -> str:
    r"""The side, or the value of a plain `12 + 5`: most sides are such, and the answer engine does
    not read `17 \bmod 5`."""
    match = _SIMPLE.fullmatch(side)
    if not match:
        return side
    x, sign, y = int(match[1]), match[2], int(match[3])
    if sign in ("/", r"\div", r"\bmod") and not y:
        return side
    return str(_OPERATE[sign](x, y))
