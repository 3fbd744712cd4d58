"""Floating values with error bounds: they can show that two nodes differ, never that they agree."""

from __future__ import annotations

import cmath
import hashlib
import math
from collections.abc import Callable, Mapping

from w2s_data.answers.nodes import Node

_EPS = 2.0**-51
Value = tuple[complex, float]
Function = Callable[[complex, float], Value]


class NoValue(Exception):
    """No trustworthy floating value: overflow, a pole, an unknown function, lost precision."""


def variables(node: Node) -> frozenset[str]:
    """The names of the variables in a node."""
    if node.head == "v":
        return frozenset((node.key,))
    if node.head == "+":
        return frozenset().union(*(variables(t) for t, _ in node.args[1]))
    if node.head == "*":
        return frozenset().union(*(variables(b) | variables(e) for b, e in node.args[1]))
    if node.head == "^":
        return variables(node.args[0]) | variables(node.args[1])
    if node.head == "f":
        return frozenset().union(*(variables(a) for a in node.args[1:]))
    return frozenset()


def point(names: frozenset[str], trial: int) -> dict[str, float]:
    """A fixed pseudo-random positive point: below 1 on even trials, up to 3 on odd ones."""
    scale = 0.8 if trial % 2 == 0 else 2.5
    return {name: 0.1 + scale * _unit(f"{trial}|{name}") for name in names}


def _unit(text: str) -> float:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()) / 2.0**48


def value(node: Node, at: Mapping[str, float]) -> Value:
    """(value, bound on its error) at a point; NoValue where there is none to trust."""
    try:
        found, error = _value(node, at)
    except (OverflowError, ZeroDivisionError, ValueError, RecursionError) as problem:
        raise NoValue(str(problem)) from None
    if not (cmath.isfinite(found) and math.isfinite(error)):
        raise NoValue("not finite")
    return found, error


def _value(node: Node, at: Mapping[str, float]) -> Value:
    head = node.head
    if head == "n":
        number = float(node.args[0])
        if node.args[0] and abs(number) < 1e-290:
            raise NoValue("underflow")
        return number, abs(number) * _EPS
    if head == "v":
        return at[node.key], 0.0
    if head == "+":
        return _sum(node, at)
    if head == "*":
        return _product(node, at)
    if head == "^":
        return _power(_value(node.args[0], at), _exponent(node.args[1], at))
    if head == "c" and node.key in _CONSTANTS:
        return _CONSTANTS[node.key], 1e-15
    if head == "f" and node.args[0] in _FUNCTIONS and len(node.args) == 2:
        return _FUNCTIONS[node.args[0]](*_value(node.args[1], at))
    raise NoValue(f"no value for {head}")


_CONSTANTS: dict[str, complex] = {"pi": math.pi, "e": math.e, "i": 1j}


def _sum(node: Node, at: Mapping[str, float]) -> Value:
    total: complex = float(node.args[0])
    error = size = abs(total) * _EPS
    for term, coefficient in node.args[1]:
        scale = float(coefficient)
        found, wrong = _value(term, at)
        total += scale * found
        error += abs(scale) * wrong
        size = max(size, abs(scale * found), abs(total))
    return total, error + (len(node.args[1]) + 1) * size * _EPS


def _product(node: Node, at: Mapping[str, float]) -> Value:
    total: complex = float(node.args[0])
    relative = _EPS
    for base, exponent in node.args[1]:
        found, wrong = _value(base, at)
        if exponent.key != "1":
            found, wrong = _power((found, wrong), _exponent(exponent, at))
        total *= found
        if found == 0:
            if wrong:
                raise NoValue("a factor lost in its error")
            continue
        relative += wrong / abs(found) + _EPS
    return total, abs(total) * relative * (1 + relative)


def _exponent(node: Node, at: Mapping[str, float]) -> Value:
    found, wrong = _value(node, at)
    if node.head == "n":
        wrong = 0.0 if node.args[0].denominator == 1 else wrong
    return found, wrong


def _power(base: Value, exponent: Value) -> Value:
    (b, b_error), (x, x_error) = base, exponent
    if b == 0:
        if b_error or not (isinstance(x, float) and x > 0):
            raise NoValue("a power of something near zero")
        return 0.0, 0.0
    if b_error > abs(b) * 1e-3:
        raise NoValue("a power of something near zero")
    whole = isinstance(x, (int, float)) and x == int(x) and x_error == 0
    if isinstance(b, complex) and abs(b.imag) <= b_error and b.real < 0 and not whole:
        raise NoValue("on the cut of a power")
    found = b**x if not whole else b ** int(x.real)
    size = abs(cmath.log(b)) * abs(x)
    relative = abs(x) * b_error / abs(b) + abs(cmath.log(b)) * x_error + (2 + size) * _EPS
    return found, abs(found) * relative * (1 + relative) * 1.01


def _ln(x: complex, error: float) -> Value:
    if abs(x) <= 1e3 * error or (x.imag == 0 and x.real < 0 and error):
        raise NoValue("a logarithm near zero or its cut")
    found = math.log(x.real) if _real(x) and x.real > 0 else cmath.log(x)
    return found, 1.01 * error / abs(x) + abs(found) * _EPS


def _real(x: complex) -> bool:
    return not isinstance(x, complex)


def _trigonometric(name: str) -> Function:
    def apply(x: complex, error: float) -> Value:
        if abs(x) > 1e6 or error > 1e-3:
            raise NoValue("an angle too large")
        found = getattr(math if _real(x) else cmath, name)(x)
        slope = 1.0 + (abs(found) ** 2 if name in ("tan", "tanh") else abs(found))
        if name in ("cosh", "sinh") or not _real(x):
            slope += 2 * math.exp(min(700.0, abs(x)))
        return found, 1.05 * slope * error + (abs(found) + abs(x) * slope) * _EPS

    return apply


def _arc(name: str) -> Function:
    def apply(x: complex, error: float) -> Value:
        if not _real(x):
            raise NoValue("a complex arc function")
        if name != "atan" and abs(x) > 1 - 2 * error - 1e-9:
            raise NoValue("at the end of an arc function")
        slope = 1.0 if name == "atan" else 1 / math.sqrt(1 - x.real**2)
        found = getattr(math, name)(x)
        return found, 1.1 * slope * error * 4 + (1 + slope) * 4 * _EPS

    return apply


def _absolute(x: complex, error: float) -> Value:
    return abs(x), error + abs(x) * _EPS


def _rounding(function: Callable[[float], int]) -> Function:
    def apply(x: complex, error: float) -> Value:
        if not _real(x) or abs(x.real - round(x.real)) <= 2 * error or abs(x) > 1e15:
            raise NoValue("a rounding on its edge")
        return float(function(x.real)), 0.0

    return apply


def _factorial(x: complex, error: float) -> Value:
    if not _real(x) or x.real < 0 or x.real > 170:
        raise NoValue("a factorial out of range")
    found = math.gamma(x.real + 1)
    return found, found * (6 * error + 64 * _EPS)


_FUNCTIONS: dict[str, Function] = {
    **{name: _trigonometric(name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{name: _arc(name) for name in ("asin", "acos", "atan")},
    "ln": _ln,
    "abs": _absolute,
    "floor": _rounding(math.floor),
    "ceil": _rounding(math.ceil),
    "factorial": _factorial,
}


def differ(a: Node, b: Node, trials: int = 4) -> bool:
    """True where floating values prove a difference at some point where both are real.

    Complex values count where an i is written in one of the nodes.
    """
    names = variables(a) | variables(b)
    written = not names and ("i" in a.key or "i" in b.key)
    seen = 0
    for trial in range(trials + 2 if names else 1):
        at = point(names, trial)
        if trial >= trials:
            at = {name: -x for name, x in at.items()}
        try:
            (x, x_error), (y, y_error) = value(a, at), value(b, at)
        except NoValue:
            continue
        if names and trial < trials and "i" in a.key + b.key:
            written = True
        if not (_real(x) and _real(y)) and not written:
            continue
        if abs(x - y) > 8 * (x_error + y_error) + 1e-300:
            return True
        seen += 1
    if not names:
        return not seen and _magnitudes_differ(a, b)
    return any(_varies(x, names - variables(y)) for x, y in ((a, b), (b, a)))


def _varies(node: Node, alone: frozenset[str]) -> bool:
    """Whether the node's value changes with variables that the other side does not have."""
    names = variables(node)
    if not alone & names:
        return False
    first, second = point(names, 1), point(names, 3)
    try:
        x, x_error = value(node, first)
        y, y_error = value(node, {**first, **{name: second[name] for name in alone & names}})
    except NoValue:
        return False
    return abs(x - y) > 8 * (x_error + y_error)


def real_sign(node: Node) -> int | None:
    """The sign of a real constant, None where floating values do not tell."""
    if node.head == "n":
        return (node.args[0] > 0) - (node.args[0] < 0)
    if variables(node):
        return None
    try:
        found, error = value(node, {})
    except NoValue:
        return None
    if not _real(found) or abs(found) <= 4 * error:
        return None
    return 1 if found.real > 0 else -1


def _magnitudes_differ(a: Node, b: Node) -> bool:
    """Whether the logarithms of two positive constants beyond floating range differ."""
    try:
        x, y = _log_magnitude(a), _log_magnitude(b)
    except (NoValue, OverflowError, ValueError):
        return False
    if math.isnan(x) or math.isnan(y) or x == y:
        return False
    if math.isinf(x) or math.isinf(y):
        return True
    return abs(x - y) > 1e-9 * max(abs(x), abs(y)) + 1e-9


def _log_power(base: Node, exponent: Node) -> float:
    """The logarithm of base^exponent; infinite where the exponent itself is beyond floats."""
    try:
        size = value(exponent, {})[0].real
    except NoValue:
        size = math.inf if _log_magnitude(exponent) > 600 else math.nan
    found = _log_magnitude(base)
    if math.isnan(size) or (math.isinf(size) and found <= 1e-9):
        raise NoValue("an exponent without a value")
    return found * size


def _log_magnitude(node: Node) -> float:
    if node.head == "n":
        number = node.args[0]
        if number < 0:
            raise NoValue("negative")
        if number == 0:
            return -math.inf
        return math.log(number.numerator) - math.log(number.denominator)
    if node.head == "*":
        if node.args[0] < 0:
            raise NoValue("negative")
        total = math.log(node.args[0].numerator) - math.log(node.args[0].denominator)
        return total + sum(_log_power(b, e) for b, e in node.args[1])
    if node.head == "^":
        return _log_power(*node.args)
    if node.head == "f" and node.args[0] == "factorial":
        return math.lgamma(value(node.args[1], {})[0].real + 1)
    found, error = value(node, {})
    if not _real(found) or found.real <= 2 * error:
        raise NoValue("not positive")
    return math.log(found.real)
