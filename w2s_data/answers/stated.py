"""Decimals of 20 or more digits that state an irrational value."""

from __future__ import annotations

from fractions import Fraction

from w2s_data.answers import precise, prove
from w2s_data.answers.nodes import Node

LEAST = 20


def digits(value: Fraction) -> int:
    """The number of decimal places of a fraction that ends and has 20 or more digits, else 0."""
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    places = max(twos, fives)
    if rest != 1 or not places or places > 1000:
        return 0
    return places if abs(value) * 10**places >= 10 ** (LEAST - 1) else 0


def states(decimal: Node, exact: Node) -> bool:
    """Whether a decimal of 20 or more digits has the value's first digits, to within 1e-19."""
    places = digits(decimal.args[0])
    if not places:
        return False
    close = precise.value(exact, LEAST + 5)
    if close is None:
        close = prove.decimal_of(exact, places + 10)
    if close is None:
        return False
    return abs(close - decimal.args[0]) * 10 ** (LEAST - 1) < abs(close)
