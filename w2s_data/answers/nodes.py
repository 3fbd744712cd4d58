"""Exact expressions in a normal form: rational numbers folded, like terms and bases collected.

A node's key is its normal form as text that the parser reads back; equal keys are equal values.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, NamedTuple

from w2s_data.answers.integers import TooBig, decimal_text, prime_powers, square_root, taken_out

FOLD_BITS = 8192
MAX_BITS = 150_000


class Node(NamedTuple):
    """head: n (number), v (variable), c (constant), + , *, ^, f (function), undefined."""

    head: str
    key: str
    args: tuple[Any, ...]


def num(value: Fraction | int) -> Node:
    if value.denominator == 1:
        return Node("n", decimal_text(value.numerator), (Fraction(value),))
    text = f"{decimal_text(value.numerator)}/{decimal_text(value.denominator)}"
    return Node("n", text, (value,))


ZERO, ONE, TWO, MINUS = num(0), num(1), num(2), num(-1)
HALF = num(Fraction(1, 2))
PI = Node("c", "pi", ("pi",))
E = Node("c", "e", ("e",))
I = Node("c", "i", ("i",))  # noqa: E741
INFINITY = Node("c", "oo", ("oo",))


def var(name: str) -> Node:
    return Node("v", name, (name,))


def func(name: str, *args: Node) -> Node:
    return Node("f", f"{name}({','.join(a.key for a in args)})", (name, *args))


def undefined(what: str) -> Node:
    return Node("undefined", f"undefined({what})", ())


def is_number(node: Node) -> bool:
    return node.head == "n"


def endless(node: Node) -> bool:
    """Whether the node is infinite: oo or a nonzero multiple of it."""
    if node.head == "*":
        return any(base.key == "oo" for base, _ in node.args[1])
    return node.key == "oo"


def negative(node: Node) -> Node:
    return mul(MINUS, node)


def sub(a: Node, b: Node) -> Node:
    return add(a, negative(b))


def div(a: Node, b: Node) -> Node:
    return mul(a, power(b, MINUS))


def root(node: Node, index: int = 2) -> Node:
    """The real root where there is one: an odd root of a negative number is negative."""
    if node.head == "n" and node.args[0] < 0 and index % 2:
        return negative(power(num(-node.args[0]), num(Fraction(1, index))))
    return power(node, num(Fraction(1, index)))


# --- sums ------------------------------------------------------------------------------------


def add(*nodes: Node) -> Node:
    """The sum in normal form: (constant, ((term, coefficient), ...)) sorted by key."""
    if all(n.head == "n" for n in nodes):
        total = Fraction(0)
        for n in nodes:
            total = _bounded(total + n.args[0])
        return num(total)
    if any(endless(n) or n.head == "undefined" for n in nodes):
        return _endless_sum(nodes)
    constant = Fraction(0)
    terms: dict[str, tuple[Node, Fraction]] = {}
    for node in nodes:
        for term, coefficient in _terms(node):
            if term is None:
                constant += coefficient
            elif term.key in terms:
                terms[term.key] = (term, terms[term.key][1] + coefficient)
            else:
                terms[term.key] = (term, coefficient)
    kept = sorted((t for t in terms.values() if t[1]), key=lambda t: t[0].key)
    return _sum(constant, tuple(kept))


def _terms(node: Node) -> Iterable[tuple[Node | None, Fraction]]:
    if node.head == "n":
        return ((None, node.args[0]),)
    if node.head == "+":
        return ((None, node.args[0]), *node.args[1])
    if node.head == "*" and node.args[0] != 1:
        return ((_product(Fraction(1), node.args[1]), node.args[0]),)
    return ((node, Fraction(1)),)


def _sum(constant: Fraction, terms: tuple[tuple[Node, Fraction], ...]) -> Node:
    if not terms:
        return num(constant)
    if constant == 0 and len(terms) == 1:
        return _scaled(*terms[0])
    parts = [_scaled(term, coefficient).key for term, coefficient in terms]
    if constant:
        parts.append(num(constant).key)
    key = parts[0] + "".join(p if p[0] == "-" else "+" + p for p in parts[1:])
    return Node("+", key, (constant, terms))


def _scaled(term: Node, coefficient: Fraction) -> Node:
    if coefficient == 1:
        return term
    factors = term.args[1] if term.head == "*" else (_factor(term),)
    return _product(coefficient, factors)


def _endless_sum(nodes: tuple[Node, ...]) -> Node:
    infinite = [n for n in nodes if endless(n)]
    if any(n.head == "undefined" for n in nodes) or len({n.key for n in infinite}) != 1:
        return undefined("+".join(sorted(n.key for n in nodes)))
    if not all(endless(n) or n.head == "n" for n in nodes):
        return undefined("+".join(sorted(n.key for n in nodes)))
    return infinite[0]


# --- products --------------------------------------------------------------------------------


def mul(*nodes: Node) -> Node:
    """The product in normal form: (coefficient, ((base, exponent), ...)) sorted by key."""
    if all(n.head == "n" for n in nodes):
        value = Fraction(1)
        for n in nodes:
            value = _bounded(value * n.args[0])
        return num(value)
    if any(endless(n) or n.head == "undefined" for n in nodes):
        return _endless_product(nodes)
    coefficient = Fraction(1)
    exponents: dict[str, tuple[Node, Node]] = {}
    for node in nodes:
        if node.head in "n*":
            coefficient = _bounded(coefficient * node.args[0])
        if node.head == "n":
            continue
        for base, exponent in node.args[1] if node.head == "*" else (_factor(node),):
            kept = exponents.get(base.key)
            exponents[base.key] = (base, add(kept[1], exponent) if kept else exponent)
    if coefficient == 0:
        return ZERO
    return _collected(coefficient, exponents)


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        raise TooBig("a product of too many digits")
    return value


def _factor(node: Node) -> tuple[Node, Node]:
    return (node.args[0], node.args[1]) if node.head == "^" else (node, ONE)


def _collected(coefficient: Fraction, exponents: dict[str, tuple[Node, Node]]) -> Node:
    factors = []
    for base, exponent in exponents.values():
        if exponent.head == "n" and (base.head in "nc+" or exponent.args[0] == 0):
            again = power(base, exponent)
            if again.head in "n*":
                coefficient = _bounded(coefficient * again.args[0])
            if again.head == "n":
                continue
            if again.head == "*":
                factors.extend(again.args[1])
                continue
            factors.append(_factor(again))
        else:
            factors.append((base, exponent))
    coefficient, factors = _absorbed(coefficient, factors)
    factors.sort(key=lambda f: (f[0].key, f[1].key))
    if not factors:
        return num(coefficient)
    if len(factors) == 1 and factors[0][1].key == "1" and factors[0][0].head == "+":
        constant, terms = factors[0][0].args
        scaled = tuple((t, c * coefficient) for t, c in terms)
        return _sum(constant * coefficient, scaled)
    return _product(coefficient, tuple(factors))


def _absorbed(
    coefficient: Fraction, factors: list[tuple[Node, Node]]
) -> tuple[Fraction, list[tuple[Node, Node]]]:
    """Move powers of p from the coefficient into an unfolded p^N, so that 2^N/2 is 2^(N-1)."""
    result = []
    for base, exponent in factors:
        proper = exponent.head == "n" and abs(exponent.args[0]) < 1
        if base.head == "n" and base.args[0].denominator == 1 and base.args[0] > 1 and not proper:
            prime = base.args[0].numerator
            above, up = taken_out(coefficient.numerator, prime)
            below, down = taken_out(coefficient.denominator, prime)
            coefficient, count = Fraction(above, below), up - down
            if count:
                again = _power(base, add(exponent, num(count)))
                if again.head == "n":
                    coefficient *= again.args[0]
                    continue
                exponent = _factor(again)[1]
        result.append((base, exponent))
    return coefficient, result


def _product(coefficient: Fraction, factors: tuple[tuple[Node, Node], ...]) -> Node:
    if coefficient == 1 and len(factors) == 1:
        return _power(*factors[0])
    parts = [_power(base, exponent) for base, exponent in factors]
    text = "*".join(f"({p.key})" if p.head == "+" or p.key[0] == "-" else p.key for p in parts)
    if coefficient == -1:
        text = "-" + text
    elif coefficient != 1:
        text = f"{num(coefficient).key}*{text}"
    return Node("*", text, (coefficient, factors))


def _endless_product(nodes: tuple[Node, ...]) -> Node:
    sign = 1
    for node in nodes:
        if node.head == "n" and node.args[0]:
            sign = -sign if node.args[0] < 0 else sign
        elif endless(node):
            sign *= -1 if node.head == "*" and node.args[0] < 0 else 1
        elif not (node.head == "c" and node.key in ("pi", "e")):
            return undefined("*".join(sorted(n.key for n in nodes)))
    return INFINITY if sign > 0 else Node("*", "-oo", (Fraction(-1), ((INFINITY, ONE),)))


# --- powers ----------------------------------------------------------------------------------


def power(base: Node, exponent: Node) -> Node:
    """base^exponent in normal form; folded to a number up to FOLD_BITS bits."""
    if base.head == "undefined" or exponent.head == "undefined":
        return undefined(f"({base.key})^({exponent.key})")
    if endless(base) or endless(exponent):
        return _endless_power(base, exponent)
    if exponent.key == "1":
        return base
    if exponent.key == "0":
        return undefined("0^0") if base.key == "0" else ONE
    if base.head == "n":
        return _number_power(base, exponent)
    if base.key == "i" and exponent.head == "n" and exponent.args[0].denominator == 1:
        return (ONE, I, MINUS, negative(I))[exponent.args[0].numerator % 4]
    if base.head == "^" and _may_multiply(base, exponent):
        return power(base.args[0], mul(base.args[1], exponent))
    if base.head == "*":
        return _product_power(base, exponent)
    if base.key == "e":
        return _exponential(exponent)
    if base.head == "+" and exponent.key == "1/2":
        return _denested(base) or _power(base, exponent)
    return _power(base, exponent)


def _may_multiply(base: Node, exponent: Node) -> bool:
    """(b^p)^q = b^(pq) for whole q, and for a positive number or e with real p."""
    whole = exponent.head == "n" and exponent.args[0].denominator == 1
    positive = base.args[0].head == "n" or base.args[0].key in ("e", "pi")
    return whole or (positive and base.args[1].head == "n")


def _product_power(base: Node, exponent: Node) -> Node:
    coefficient, factors = base.args
    if exponent.head == "n" and exponent.args[0].denominator == 1:
        return mul(
            power(num(coefficient), exponent), *(power(power(*f), exponent) for f in factors)
        )
    positive = [power(*f) for f in factors if f[0].head == "n" or f[0].key in ("pi", "e")]
    rest = [f for f in factors if not (f[0].head == "n" or f[0].key in ("pi", "e"))]
    if not rest and coefficient > 0:
        return mul(power(num(coefficient), exponent), *(power(p, exponent) for p in positive))
    if abs(coefficient) == 1 and not positive:
        return _power(base, exponent)
    inner = _product(Fraction(1 if coefficient > 0 else -1), tuple(rest)) if rest else MINUS
    outside = [power(num(abs(coefficient)), exponent), *(power(p, exponent) for p in positive)]
    return mul(*outside, power(inner, exponent))


def _exponential(exponent: Node) -> Node:
    """e^(a + ln b) = b e^a, e^(i pi r) as far as it is a power of i."""
    if exponent.head == "f" and exponent.args[0] == "ln":
        return exponent.args[1]
    if exponent.head == "*" and exponent.key.endswith("i*pi"):
        turns = exponent.args[0] * 2
        if turns.denominator == 1 and len(exponent.args[1]) == 2:
            return power(I, num(turns.numerator))
    return _power(E, exponent)


def _endless_power(base: Node, exponent: Node) -> Node:
    if base.key == "oo" and exponent.head == "n":
        return INFINITY if exponent.args[0] > 0 else ZERO if exponent.args[0] < 0 else ONE
    if base.head == "*" and exponent.key == "-1":
        return ZERO
    return undefined(f"({base.key})^({exponent.key})")


def _power(base: Node, exponent: Node) -> Node:
    if exponent.key == "1":
        return base
    plain = base.head in "vcf" or (base.head == "n" and base.key.isdigit())
    simple = exponent.key.isalnum()
    text = f"{base.key if plain else f'({base.key})'}^"
    text += exponent.key if simple else f"({exponent.key})"
    return Node("^", text, (base, exponent))


def _number_power(base: Node, exponent: Node) -> Node:
    value: Fraction = base.args[0]
    if value == 1:
        return ONE
    if value == 0:
        if exponent.head != "n":
            return _power(base, exponent)
        return ZERO if exponent.args[0] > 0 else undefined("1/0")
    if exponent.head != "n":
        return _symbolic_exponent(value, exponent)
    power_of: Fraction = exponent.args[0]
    if power_of.denominator == 1:
        bits = max(abs(value.numerator).bit_length(), value.denominator.bit_length())
        if bits * abs(power_of) <= FOLD_BITS or abs(power_of) == 1:
            return num(value ** int(power_of))
    if value < 0:
        sign = _sign_power(power_of)
        return mul(sign, _number_power(num(-value), exponent)) if sign else _power(base, exponent)
    return _root(value, power_of)


def _sign_power(exponent: Fraction) -> Node | None:
    if exponent.denominator == 1:
        return MINUS if exponent.numerator % 2 else ONE
    if exponent.denominator == 2:
        return power(I, num(exponent.numerator))
    return None


def _symbolic_exponent(value: Fraction, exponent: Node) -> Node:
    """2^(n-1) as 1/2 * 2^n, 9^x as 3^(2x): prime bases, the number part folded."""
    if value < 0:
        return _power(num(value), exponent)
    primes = prime_powers(value)
    if primes is None:
        return _power(num(value), exponent)
    if exponent.head == "+" and exponent.args[0]:
        whole = num(exponent.args[0])
        rest = _sum(Fraction(0), exponent.args[1])
        return mul(power(num(value), whole), power(num(value), rest))
    if len(primes) == 1:
        ((prime, count),) = primes.items()
        return _power(num(prime), mul(num(count), exponent))
    return mul(*(_power(num(p), mul(num(c), exponent)) for p, c in primes.items()))


def _root(value: Fraction, exponent: Fraction) -> Node:
    """value^exponent for value > 0 as coefficient times prime powers with exponents in (0, 1)."""
    primes = prime_powers(value)
    if primes is None:
        return _power(num(value), num(exponent))
    coefficient, factors = Fraction(1), []
    for prime, count in primes.items():
        total = exponent * count
        whole = total.numerator // total.denominator
        if prime.bit_length() * abs(whole) > FOLD_BITS:
            whole = 0
        coefficient *= Fraction(prime) ** whole
        if total - whole:
            factors.append((num(prime), num(total - whole)))
    if not factors:
        return num(coefficient)
    factors.sort(key=lambda f: (f[0].key, f[1].key))
    return _product(coefficient, tuple(factors))


def _denested(base: Node) -> Node | None:
    """sqrt(a + b sqrt(c)) as a sum of two roots, where a^2 - b^2 c is a square."""
    constant, terms = base.args
    if len(terms) != 1 or constant <= 0:
        return None
    (term, coefficient), inside = terms[0], Fraction(1)
    for factor, exponent in term.args[1] if term.head == "*" else (_factor(term),):
        if factor.head != "n" or exponent.key != "1/2":
            return None
        inside *= factor.args[0]
    gap = square_root(constant**2 - coefficient**2 * inside)
    if gap is None:
        return None
    high, low = (power(num((constant + sign * gap) / 2), HALF) for sign in (1, -1))
    return add(high, low if coefficient > 0 else negative(low))
