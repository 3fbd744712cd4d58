"""Real constants to many digits, by the standard library's decimal arithmetic.

Two runs at different precision must agree, so lost digits show. Like floating values these can
show that two constants differ; they do not make them equal.
"""

from __future__ import annotations

import decimal
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from w2s_data.answers.nodes import Node

_MAX_PLACES = 1200
_LARGEST = 10**6


class _NoDigits(Exception):
    pass


def value(node: Node, places: int) -> Fraction | None:
    """A real constant to `places` significant digits; None where this arithmetic has none."""
    if places > _MAX_PLACES:
        return None
    try:
        rough, fine = (_at_precision(node, places + extra) for extra in (25, 60))
    except (_NoDigits, decimal.DecimalException, OverflowError, RecursionError):
        return None
    if abs(rough - fine) > abs(fine).scaleb(-places):
        return None
    return Fraction(fine)


def differ(a: Node, b: Node, places: int = 60) -> bool:
    """Whether 60 digits show two real constants to differ."""
    x, y = value(a, places), value(b, places)
    if x is None or y is None:
        return False
    return abs(x - y) * 10 ** (places - 10) > abs(x) + abs(y)


def _at_precision(node: Node, digits: int) -> Decimal:
    with decimal.localcontext() as context:
        context.prec = digits
        context.Emax, context.Emin = _LARGEST, -_LARGEST
        return _value(node, digits)


def _value(node: Node, digits: int) -> Decimal:
    if node.head == "n":
        return _ratio(node.args[0])
    if node.head == "+":
        terms = (_ratio(c) * _value(t, digits) for t, c in node.args[1])
        return sum(terms, _ratio(node.args[0]))
    if node.head == "*":
        total = _ratio(node.args[0])
        for base, exponent in node.args[1]:
            total *= _power(base, exponent, digits)
        return total
    if node.head == "^":
        return _power(node.args[0], node.args[1], digits)
    if node.key == "pi":
        return +_pi(digits)
    if node.key == "e":
        return Decimal(1).exp()
    if node.head == "f" and node.args[0] == "ln":
        inner = _value(node.args[1], digits)
        if inner > 0:
            return inner.ln()
    raise _NoDigits


def _ratio(number: Fraction) -> Decimal:
    if max(abs(number.numerator), number.denominator).bit_length() > 40_000:
        raise _NoDigits
    return Decimal(number.numerator) / Decimal(number.denominator)


def _power(base: Node, exponent: Node, digits: int) -> Decimal:
    x = _value(exponent, digits)
    if abs(x) > _LARGEST:
        raise _NoDigits
    b = _value(base, digits)
    if exponent.key == "1/2":
        return b.sqrt()
    if b <= 0 and x != int(x):
        raise _NoDigits
    return b**x


@lru_cache(maxsize=8)
def _pi(digits: int) -> Decimal:
    """Machin's formula in integers: pi = 16 atan(1/5) - 4 atan(1/239)."""
    one = 10 ** (digits + 15)
    found = 16 * _arctangent_of_inverse(5, one) - 4 * _arctangent_of_inverse(239, one)
    with decimal.localcontext() as context:
        context.prec = digits + 15
        return Decimal(found).scaleb(-digits - 15)


def _arctangent_of_inverse(n: int, one: int) -> int:
    term, total, k = one // n, one // n, 1
    while term:
        term //= -n * n
        k += 2
        total += term // k
    return total
