"""Functions with exact values: logarithms, trigonometry, factorials, roundings, finite sums."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from w2s_data.answers.integers import TooBig, prime_powers
from w2s_data.answers.nodes import (
    FOLD_BITS,
    HALF,
    MINUS,
    ONE,
    PI,
    TWO,
    ZERO,
    E,
    Node,
    add,
    div,
    func,
    mul,
    negative,
    num,
    power,
    root,
    sub,
    undefined,
)

MAX_TERMS = 1000


def ln(x: Node) -> Node:
    """The natural logarithm; of a product of positive numbers as a sum over its primes."""
    if x.head == "n":
        return _ln_number(x.args[0])
    if x.key == "e":
        return ONE
    if x.head == "^" and (x.args[0].key == "e" or x.args[0].head == "n"):
        base = ONE if x.args[0].key == "e" else ln(x.args[0])
        return mul(x.args[1], base)
    if x.head == "*" and x.args[0] > 0 and all(_positive(b) for b, _ in x.args[1]):
        return add(_ln_number(x.args[0]), *(mul(e, ln(b)) for b, e in x.args[1]))
    return func("ln", x)


def _positive(base: Node) -> bool:
    return base.key in ("e", "pi") or (base.head == "n" and base.args[0] > 0)


def _ln_number(value: Fraction) -> Node:
    if value == 1:
        return ZERO
    if value <= 0:
        return undefined("ln(0)") if value == 0 else func("ln", num(value))
    primes = prime_powers(value)
    if primes is None:
        return func("ln", num(value))
    return add(*(mul(num(count), func("ln", num(p))) for p, count in sorted(primes.items())))


def log(x: Node, base: Node) -> Node:
    return div(ln(x), ln(base))


def absolute(x: Node) -> Node:
    if x.head == "n":
        return num(abs(x.args[0]))
    if x.head == "*" and x.args[0] != 1:
        return mul(num(abs(x.args[0])), absolute(mul(x, num(1 / x.args[0]))))
    if x.head == "^" and x.args[0].head in "nc" and x.args[0].key not in ("i", "oo"):
        return x
    if x.key in ("pi", "e"):
        return x
    return func("abs", x)


def floor(x: Node) -> Node:
    return num(math.floor(x.args[0])) if x.head == "n" else func("floor", x)


def ceil(x: Node) -> Node:
    return num(math.ceil(x.args[0])) if x.head == "n" else func("ceil", x)


def factorial(x: Node) -> Node:
    if x.head == "n" and x.args[0].denominator == 1 and 0 <= x.args[0] <= 1200:
        return num(math.factorial(int(x.args[0])))
    return func("factorial", x)


def binomial(n: Node, k: Node) -> Node:
    whole = n.head == k.head == "n" and n.args[0].denominator == k.args[0].denominator == 1
    if whole and k.args[0] >= 0 and 0 <= n.args[0] <= 4000:
        return num(math.comb(int(n.args[0]), int(k.args[0])))
    return func("binomial", n, k)


# --- trigonometry at multiples of pi/12 --------------------------------------------------------


@lru_cache(maxsize=1)
def _sines() -> list[Node]:
    """sin(k pi/12) for k = 0..6."""
    r2, r3, r6 = (root(num(n)) for n in (2, 3, 6))
    quarter = num(Fraction(1, 4))
    low, high = mul(quarter, sub(r6, r2)), mul(quarter, add(r6, r2))
    return [ZERO, low, HALF, div(r2, TWO), div(r3, TWO), high, ONE]


def _sine_of_twelfths(k: int) -> Node:
    k %= 24
    if k >= 12:
        return negative(_sine_of_twelfths(k - 12))
    return _sines()[k if k <= 6 else 12 - k]


def _twelfths(x: Node) -> int | None:
    """k where x = k pi/12, None for another angle."""
    if x.key == "0":
        return 0
    if x.key == "pi":
        return 12
    if x.head == "*" and len(x.args[1]) == 1 and x.args[1][0][0].key == "pi":
        count = x.args[0] * 12
        if count.denominator == 1 and x.args[1][0][1].key == "1":
            return int(count)
    return None


def _leading_minus(x: Node) -> bool:
    if x.head == "*":
        return bool(x.args[0] < 0)
    if x.head == "+":
        return bool(x.args[1][0][1] < 0)
    return x.head == "n" and bool(x.args[0] < 0)


def sin(x: Node) -> Node:
    k = _twelfths(x)
    if k is not None:
        return _sine_of_twelfths(k)
    return negative(func("sin", negative(x))) if _leading_minus(x) else func("sin", x)


def cos(x: Node) -> Node:
    k = _twelfths(x)
    if k is not None:
        return _sine_of_twelfths(k + 6)
    return func("cos", negative(x)) if _leading_minus(x) else func("cos", x)


def tan(x: Node) -> Node:
    k = _twelfths(x)
    if k is not None:
        return _tangent_of_twelfths(k % 12)
    return negative(func("tan", negative(x))) if _leading_minus(x) else func("tan", x)


def _tangent_of_twelfths(k: int) -> Node:
    if k > 6:
        return negative(_tangent_of_twelfths(12 - k))
    r3 = root(num(3))
    steep = (ZERO, sub(TWO, r3), div(r3, num(3)), ONE, r3, add(TWO, r3), undefined("tan(1/2*pi)"))
    return steep[k]


@lru_cache(maxsize=1)
def _arcs() -> dict[str, dict[str, Node]]:
    angles = {k: mul(num(Fraction(k, 12)), PI) for k in range(-6, 13)}
    return {
        "asin": {_sine_of_twelfths(k).key: angles[k] for k in range(-6, 7)},
        "acos": {_sine_of_twelfths(k + 6).key: angles[k] for k in range(13)},
        "atan": {tan(angles[k]).key: angles[k] for k in range(-5, 6)},
    }


def arc(name: str) -> Callable[[Node], Node]:
    return lambda x: _arcs()[name].get(x.key) or func(name, x)


def _inverse(f: Callable[[Node], Node]) -> Callable[[Node], Node]:
    return lambda x: power(f(x), MINUS)


def _hyperbolic(name: str) -> Callable[[Node], Node]:
    return lambda x: ZERO if x.key == "0" and name != "cosh" else func(name, x)


def exp(x: Node) -> Node:
    return power(E, x)


FUNCTIONS: dict[str, Callable[[Node], Node]] = {
    "sin": sin,
    "cos": cos,
    "tan": tan,
    "cot": _inverse(tan),
    "sec": _inverse(cos),
    "csc": _inverse(sin),
    "asin": arc("asin"),
    "acos": arc("acos"),
    "atan": arc("atan"),
    "sinh": _hyperbolic("sinh"),
    "cosh": _hyperbolic("cosh"),
    "tanh": _hyperbolic("tanh"),
    "ln": ln,
    "exp": exp,
    "abs": absolute,
    "floor": floor,
    "ceil": ceil,
    "factorial": factorial,
}
FUNCTIONS |= {"arc" + n: FUNCTIONS["a" + n] for n in ("sin", "cos", "tan")}
OPAQUE = ("Re", "Im", "arg", "gcd", "lcm", "det", "dim", "deg", "sgn", "max", "min", "mod")


def apply(name: str, *args: Node) -> Node:
    """The function of that name; an unknown name stays a function without a value."""
    if name in FUNCTIONS and len(args) == 1:
        return FUNCTIONS[name](args[0])
    if name == "binomial" and len(args) == 2:
        return binomial(*args)
    if name == "log" and len(args) == 2:
        return log(*args)
    return func(name, *args)


# --- substitution and finite sums -------------------------------------------------------------


def substitute(node: Node, name: str, value: Node) -> Node:
    """The node with a variable replaced, in normal form again."""
    if node.head == "v":
        return value if node.key == name else node
    if node.head == "+":
        terms = (mul(num(c), substitute(t, name, value)) for t, c in node.args[1])
        return add(num(node.args[0]), *terms)
    if node.head == "*":
        factors = (
            power(substitute(b, name, value), substitute(e, name, value)) for b, e in node.args[1]
        )
        return mul(num(node.args[0]), *factors)
    if node.head == "^":
        return power(*(substitute(part, name, value) for part in node.args))
    if node.head == "f":
        return apply(node.args[0], *(substitute(part, name, value) for part in node.args[1:]))
    return node


def folded(kind: str, name: str, low: Node, high: Node, body: Node) -> Node:
    """A finite sum or product written out; one with other bounds stays as it is."""
    bounds = [b.args[0] for b in (low, high) if b.head == "n" and b.args[0].denominator == 1]
    if len(bounds) < 2 or bounds[1] - bounds[0] >= MAX_TERMS:
        return func(kind, var_of(name), low, high, body)
    if len(body.key) * (bounds[1] - bounds[0] + 1) > 200_000:
        raise TooBig("a sum of too many terms")
    terms = [substitute(body, name, num(k)) for k in range(int(bounds[0]), int(bounds[1]) + 1)]
    if kind == "sum":
        return add(*terms) if terms else ZERO
    return _balanced_product(terms)


def _balanced_product(terms: list[Node]) -> Node:
    result = ONE
    for term in terms:
        result = mul(result, term)
        if result.head == "n" and result.args[0].numerator.bit_length() > 4 * FOLD_BITS:
            raise TooBig("a product of too many digits")
    return result


def var_of(name: str) -> Node:
    return Node("v", name, (name,))
