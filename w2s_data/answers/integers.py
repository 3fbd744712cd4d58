"""Whole numbers of any length: spelling, reading, factors and roots."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

_SMALL_PRIMES = [n for n in range(2, 1000) if all(n % d for d in range(2, int(n**0.5) + 1))]


class TooBig(Exception):
    """An expression beyond the bounds of size that exact arithmetic keeps to."""


def decimal_text(value: int) -> str:
    """str(value) for any length: Python's own conversion refuses more than 4,300 digits."""
    if value.bit_length() < 14000:
        return str(value)
    parts, rest, unit = [], abs(value), 10**4000
    while rest:
        rest, low = divmod(rest, unit)
        parts.append(str(low).zfill(4000))
    return ("-" if value < 0 else "") + "".join(reversed(parts)).lstrip("0")


def integer(digits: str) -> int:
    """int(digits) for any length up to 20,000 digits; TooBig beyond."""
    if len(digits) < 4000:
        return int(digits)
    if len(digits) > 20000:
        raise TooBig("a number of more than 20,000 digits")
    value = 0
    for start in range(0, len(digits), 4000):
        part = digits[start : start + 4000]
        value = value * 10 ** len(part) + int(part)
    return value


def prime_powers(value: Fraction) -> dict[int, int] | None:
    """The prime factorisation of a positive number, None if trial division does not finish it."""
    found = _factorised(value.numerator)
    below = _factorised(value.denominator)
    if found is None or below is None:
        return None
    return {p: found.get(p, 0) - below.get(p, 0) for p in {**found, **below}}


@lru_cache(maxsize=4096)
def _factorised(n: int) -> dict[int, int] | None:
    if n.bit_length() > 4096:
        return None
    found: dict[int, int] = {}
    for prime in _SMALL_PRIMES:
        while n % prime == 0:
            n //= prime
            found[prime] = found.get(prime, 0) + 1
        if prime * prime > n:
            break
    if n > 1:
        if n > 1_000_000:
            return None
        found[n] = found.get(n, 0) + 1
    return found


def square_root(value: Fraction) -> Fraction | None:
    """The exact square root of a fraction, None where it has none."""
    if value < 0 or max(value.numerator, value.denominator).bit_length() > 4096:
        return None
    top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
    exact = top * top == value.numerator and bottom * bottom == value.denominator
    return Fraction(top, bottom) if exact else None


def taken_out(n: int, prime: int) -> tuple[int, int]:
    """(n without its factors `prime`, how many there were), in few divisions for any count."""
    squares, count, factor, each = [], 0, prime, 1
    while n % factor == 0 and n:
        n, count = n // factor, count + each
        squares.append((factor, each))
        factor, each = factor * factor, 2 * each
    for factor, each in reversed(squares):
        if n % factor == 0 and n:
            n, count = n // factor, count + each
    return n, count
