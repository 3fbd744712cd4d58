"""Identity tests in exact arithmetic modulo a random prime of 127 bits.

An expression is an element of a field: rational functions of its variables, pi and e over the
numbers made of radicals of primes and i. It goes by a ring homomorphism to a finite field: each
variable to a random element, each radical to a root of its prime, exp(x) and exp(ix) to elements
that multiply as they do. Equal expressions have equal images for certain. Two that differ agree
with probability below degree / 2^126, at most 2^-66 under the bound on degrees kept here; where
roots of other things occur, whose signs are drawn at random, 80 draws must agree.
"""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache

from w2s_data.answers import functions as fn
from w2s_data.answers.integers import prime_powers
from w2s_data.answers.nodes import PI, Node, mul, num

_BITS = 127
_DEGREE_BITS = 60
_LEAP = 5040
_SIGN_TRIALS = 80
_MAX_WORK = 60_000


class NoImage(Exception):
    """The expression has no image: a pole, a missing root, an angle, or too much work."""


@dataclass
class Draw:
    """One homomorphism: the prime, the radicals it provides, and what was met on the way."""

    prime: int
    roots: dict[int, tuple[int, int]]
    trial: int
    work: list[int]
    signed: bool = False
    opaque: set[str] = field(default_factory=set)
    memo: dict[str, int] = field(default_factory=dict)

    def atom(self, name: str) -> int:
        digest = hashlib.blake2b(f"{self.trial}|{name}".encode(), digest_size=24).digest()
        return int.from_bytes(digest) % (self.prime - 2) + 2


def identical(a: Node, b: Node) -> str:
    """ "equal", "different" (exact: the images differ and nothing opaque is in them), or ""."""
    radicals: dict[int, int] = {}
    try:
        _radicals(a, radicals)
        _radicals(b, radicals)
        prime, roots = _prime_with(tuple(sorted(radicals.items())))
    except NoImage:
        return ""
    agreed, poles, needed, trial, work = 0, 0, 2, 0, [_MAX_WORK]
    while agreed < needed:
        draw = Draw(prime, roots, trial, work)
        trial += 1
        try:
            x, y = _image(a, draw), _image(b, draw)
        except NoImage:
            poles += 1
            if poles > 3 + agreed:
                return ""
            continue
        if draw.signed:
            needed = _SIGN_TRIALS
        if x != y:
            return "" if draw.signed or draw.opaque or agreed else "different"
        agreed += 1
    return "equal"


def proportional(a: Node, b: Node) -> bool:
    """Whether a = c b for a constant c that is not zero, by images at two points."""
    radicals: dict[int, int] = {}
    try:
        _radicals(a, radicals)
        _radicals(b, radicals)
        prime, roots = _prime_with(tuple(sorted(radicals.items())))
        work = [_MAX_WORK]
        for trial in (0, 2):
            first, second = (Draw(prime, roots, trial + k, work) for k in (0, 1))
            a1, b1, a2, b2 = (_image(n, d) for d in (first, second) for n in (a, b))
            if first.signed or not (a1 and b1) or (a1 * b2 - a2 * b1) % prime:
                return False
    except NoImage:
        return False
    return True


def _radicals(node: Node, found: dict[int, int]) -> None:
    """Collect prime -> common denominator of its fractional exponents."""
    if node.head == "+":
        for term, _ in node.args[1]:
            _radicals(term, found)
    elif node.head in "*^":
        for base, exponent in node.args[1] if node.head == "*" else (node.args,):
            if base.head == "n" and exponent.head == "n" and exponent.args[0].denominator > 1:
                if base.args[0].denominator != 1 or base.args[0] < 2 or not _is_small_prime(base):
                    raise NoImage("a root of what is no small prime")
                prime, below = int(base.args[0]), exponent.args[0].denominator
                found[prime] = math.lcm(found.get(prime, 1), below)
            else:
                _radicals(base, found)
                _radicals(exponent, found)
    elif node.head == "f":
        if node.args[0] in ("sin", "cos", "tan") and "pi" in node.key:
            found.update({q: math.lcm(found.get(q, 1), 2) for q in (2, 3)})
        for part in node.args[1:]:
            _radicals(part, found)
    if len(found) > 6 or any(d > 36 for d in found.values()):
        raise NoImage("too many radicals")


def _is_small_prime(base: Node) -> bool:
    factors = prime_powers(base.args[0])
    return factors is not None and len(factors) == 1


@lru_cache(maxsize=512)
def _prime_with(radicals: tuple[tuple[int, int], ...]) -> tuple[int, dict[int, tuple[int, int]]]:
    """A prime p = 9 mod 16 in which every needed root exists: (p, {q: (D, q^(1/D))})."""
    common = math.lcm(1, *(d for _, d in radicals))
    odd = common
    while odd % 2 == 0:
        odd //= 2
    if common // odd > 4:
        raise NoImage("an eighth root")
    stream = random.Random(f"w2s_data {radicals}")
    for _ in range(400_000):
        p = stream.getrandbits(_BITS - 1) | 1 << (_BITS - 1)
        p += (9 - p) % 16
        if odd > 1:
            p += 16 * next(k for k in range(odd) if (p + 16 * k) % odd == 1)
            if math.gcd(odd, (p - 1) // odd) != 1:
                continue
        if any(p % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
            continue
        if not all(pow(q, (p - 1) // math.gcd(d, p - 1), p) == 1 for q, d in radicals):
            continue
        if _is_prime(p):
            return p, {q: (d, _root(q, d, p)) for q, d in radicals}
    raise NoImage("no prime found")


def _is_prime(p: int) -> bool:
    odd, twos = p - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53):
        x = pow(base, odd, p)
        if x in (1, p - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % p
            if x == p - 1:
                break
        else:
            return False
    return True


def _root(a: int, degree: int, p: int) -> int:
    """A root of `degree` of a modulo p = 9 mod 16, where it exists."""
    twos = math.gcd(degree, 4)
    odd = degree // twos
    order = (p - 1) // math.gcd(odd, p - 1)
    found = pow(a, pow(odd, -1, order), p) if odd > 1 else a
    while twos > 1:
        found, twos = _square_root(found, p), twos // 2
    if pow(found, degree, p) != a % p:
        raise NoImage("no root")
    return found


@lru_cache(maxsize=512)
def _eighth_root_of_one(p: int) -> int:
    """A primitive one, from the smallest number that is no square."""
    n = next(n for n in range(2, 1000) if pow(n, (p - 1) // 2, p) == p - 1)
    return pow(n, (p - 1) // 8, p)


def _i(p: int) -> int:
    return pow(_eighth_root_of_one(p), 2, p)


def _square_root(a: int, p: int) -> int:
    """A square root of a square modulo p = 9 mod 16."""
    odd = (p - 1) // 8
    found, off = pow(a, (odd + 1) // 2, p), pow(a, odd, p)
    turn = _eighth_root_of_one(p)
    for k in range(4):
        if off * pow(turn, 2 * k, p) % p == 1:
            return found * pow(turn, k, p) % p
    raise NoImage("no square root")


def _inverse(a: int, p: int) -> int:
    if a % p == 0:
        raise NoImage("a pole")
    return pow(a, -1, p)


def _image(node: Node, draw: Draw) -> int:
    known = draw.memo.get(node.key)
    if known is None:
        _spend(draw, 1)
        known = draw.memo[node.key] = _fresh_image(node, draw) % draw.prime
    return known


def _spend(draw: Draw, steps: int) -> None:
    draw.work[0] -= steps
    if draw.work[0] < 0:
        raise NoImage("too much work")


def _fresh_image(node: Node, draw: Draw) -> int:
    p, head = draw.prime, node.head
    if head == "n":
        return _number(node.args[0], p)
    if head == "v":
        return draw.atom(node.key)
    if head == "+":
        terms = (_number(c, p) * _image(t, draw) for t, c in node.args[1])
        return _number(node.args[0], p) + sum(terms)
    if head == "*":
        total = _number(node.args[0], p)
        for base, exponent in node.args[1]:
            total = total * _power(base, exponent, draw) % p
        return total
    if head == "^":
        return _power(node.args[0], node.args[1], draw)
    if head == "c":
        return _constant(node, draw)
    if head == "f":
        return _function(node, draw)
    raise NoImage(f"no image of {head}")


def _number(value: Fraction, p: int) -> int:
    return (
        value.numerator
        if value.denominator == 1
        else value.numerator * _inverse(value.denominator, p)
    )


def _constant(node: Node, draw: Draw) -> int:
    p = draw.prime
    if node.key == "i":
        return _i(p)
    if node.key == "pi":
        if "e" in draw.opaque:
            draw.opaque.add("pi and e")
        return draw.atom("pi")
    if node.key == "e":
        draw.opaque.add("e")
        return pow(draw.atom("exp|1"), _LEAP, p)
    raise NoImage("an infinite constant")


def _power(base: Node, exponent: Node, draw: Draw) -> int:
    p = draw.prime
    if exponent.head == "n":
        value = exponent.args[0]
        if value.denominator == 1:
            return _whole_power(base, int(value), draw)
        if base.head == "n":
            degree, found = draw.roots[int(base.args[0])]
            return pow(found, int(value * degree), p)
        return _signed_root(_image(base, draw), value, draw)
    if base.key == "e":
        return _exponential(exponent, draw)
    draw.opaque.add("an exponent")
    total = 1
    for monomial, coefficient in _linear(exponent):
        atom = draw.atom(f"power|{base.key}|{monomial.key}") if monomial else None
        total = total * (
            _leap(atom, coefficient, p) if atom else _power(base, num(coefficient), draw)
        )
    return total


def _whole_power(base: Node, exponent: int, draw: Draw) -> int:
    if abs(exponent).bit_length() > _DEGREE_BITS // 2 and base.head != "n":
        raise NoImage("a degree too high")
    if abs(exponent).bit_length() > _DEGREE_BITS:
        raise NoImage("an exponent too high")
    found = _image(base, draw)
    return pow(found if exponent >= 0 else _inverse(found, draw.prime), abs(exponent), draw.prime)


def _signed_root(image: int, exponent: Fraction, draw: Draw) -> int:
    """A square root of an image, with a sign drawn per trial, the same for equal images."""
    if exponent.denominator != 2:
        raise NoImage("a root of an expression")
    draw.signed = True
    p = draw.prime
    if image == 0 or pow(image, (p - 1) // 2, p) != 1:
        raise NoImage("no square root here")
    found = _square_root(image, p)
    flip = hashlib.blake2b(f"{draw.trial}|{image}".encode(), digest_size=1).digest()[0] & 1
    found = min(found, p - found) if flip else max(found, p - found)
    return pow(found if exponent > 0 else _inverse(found, p), abs(exponent.numerator), p)


def _linear(node: Node) -> list[tuple[Node | None, Fraction]]:
    """A node as a sum of rational multiples of monomials; None stands for 1."""
    if node.head == "n":
        return [(None, node.args[0])]
    if node.head == "+":
        constant = [(None, node.args[0])] if node.args[0] else []
        return [*constant, *node.args[1]]
    if node.head == "*":
        return [(mul(num(1 / node.args[0]), node), node.args[0])]
    return [(node, Fraction(1))]


def _leap(atom: int, coefficient: Fraction, p: int) -> int:
    steps = coefficient * _LEAP
    if steps.denominator != 1 or abs(steps).numerator.bit_length() > 40:
        raise NoImage("a coefficient that is too fine")
    found = pow(atom, abs(int(steps)), p)
    return found if steps >= 0 else _inverse(found, p)


def _exponential(exponent: Node, draw: Draw) -> int:
    draw.opaque.add("e")
    total, p = 1, draw.prime
    for monomial, coefficient in _linear(exponent):
        without_i = _divided_by_i(monomial)
        if without_i is not None:
            total = total * _turn(without_i, coefficient, draw) % p
        elif monomial is not None and monomial.head == "f" and monomial.args[0] == "ln":
            total = total * _power(monomial.args[1], num(coefficient), draw) % p
        else:
            name = monomial.key if monomial else "1"
            total = total * _leap(draw.atom(f"exp|{name}"), coefficient, p) % p
    return total


def _divided_by_i(monomial: Node | None) -> Node | None:
    if monomial is None or monomial.head not in "*c":
        return None
    if monomial.key == "i":
        return num(1)
    if monomial.head == "*" and any(b.key == "i" and e.key == "1" for b, e in monomial.args[1]):
        return mul(monomial, num(-1), Node("c", "i", ("i",)))
    return None


def _turn(angle: Node, coefficient: Fraction, draw: Draw) -> int:
    """The image of exp(i * coefficient * angle)."""
    if angle.key == "pi":
        whole = mul(num(coefficient), PI)
        c, s = fn.cos(whole), fn.sin(whole)
        if c.head == "f" or s.head == "f":
            raise NoImage("an angle without radicals")
        if any(q not in draw.roots for n in (c, s) for q in _needed(n)):
            raise NoImage("an angle with new radicals")
        unit = _i(draw.prime)
        return _image(c, draw) + unit * _image(s, draw)
    return _leap(draw.atom(f"turn|{angle.key}"), coefficient, draw.prime)


def _needed(node: Node) -> dict[int, int]:
    found: dict[int, int] = {}
    _radicals(node, found)
    return found


def _function(node: Node, draw: Draw) -> int:
    name, *arguments = node.args
    if name in ("sin", "cos", "tan"):
        return _trigonometric(name, arguments[0], draw)
    if name in ("sinh", "cosh", "tanh"):
        up = _exponential(arguments[0], draw)
        return _from_exponentials(name.removesuffix("h"), up, 1, draw.prime)
    if name == "factorial" and arguments[0].head == "n" and arguments[0].args[0] <= 120_000:
        return _factorial(arguments[0].args[0], draw)
    if node.key.startswith("undefined"):
        raise NoImage("undefined")
    draw.opaque.add(node.key)
    return draw.atom(f"function|{node.key}")


def _trigonometric(name: str, angle: Node, draw: Draw) -> int:
    draw.opaque.add("angle")
    p = draw.prime
    turn = 1
    for monomial, coefficient in _linear(angle):
        turn = turn * _turn(monomial if monomial is not None else num(1), coefficient, draw) % p
    return _from_exponentials(name, turn, _i(p), p)


def _from_exponentials(name: str, up: int, unit: int, p: int) -> int:
    down = _inverse(up, p)
    if name == "cos":
        return (up + down) * _inverse(2, p)
    sine = (up - down) * _inverse(2 * unit, p)
    return sine if name == "sin" else sine * _inverse((up + down) * _inverse(2, p), p)


def _factorial(value: Fraction, draw: Draw) -> int:
    if value.denominator != 1 or value < 0:
        raise NoImage("a factorial of no natural number")
    _spend(draw, int(value) // 10)
    p, total = draw.prime, 1
    for k in range(2, int(value) + 1):
        total = total * k % p
    return total
