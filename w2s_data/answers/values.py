"""Two values compared by exact, floating, modular and symbolic means, and what their marks say."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from w2s_data.answers import modular, numeric, precise, prove, stated, units
from w2s_data.answers.form import Form
from w2s_data.answers.nodes import PI, Node, endless, mul, num
from w2s_data.answers.policy import Policy
from w2s_data.answers.relations import curve


@dataclass(frozen=True)
class Verdict:
    """`kind` is "equal", "different" or "undecided"; `reason` says on what ground."""

    kind: str
    reason: str

    def __bool__(self) -> bool:
        return self.kind == "equal"


def same(reason: str) -> Verdict:
    return Verdict("equal", reason)


def different(reason: str) -> Verdict:
    return Verdict("different", reason)


def undecided(reason: str) -> Verdict:
    return Verdict("undecided", reason)


_OTHER_NUMBER = different("exact numbers")


def values(a: Form, b: Form, policy: Policy) -> Verdict:
    x, y = primary(a, policy), primary(b, policy)
    found = nodes_equal(x, y, policy)
    if found.kind == "equal":
        return _conventions(a, b, policy, found)
    if found.kind == "different":
        other = _another_reading(a, b, policy)
        if other:
            return undecided(other)
    return found


def primary(a: Form, policy: Policy) -> Node:
    """The value of a form as the policy reads it."""
    assert a.node is not None
    if a.percent and policy.percent != "points":
        return mul(a.node, num(Fraction(1, 100)))
    return a.node


def _conventions(a: Form, b: Form, policy: Policy, found: Verdict) -> Verdict:
    """Equal values: what their units, labels and bases say."""
    if a.unit != b.unit:
        if policy.units == "strict" or ("/" in (a.unit or b.unit) and not (a.unit and b.unit)):
            return different("units")
        if a.unit and b.unit:
            return undecided(f"units {a.unit} and {b.unit}")
    return labelled(a, b, policy, found)


def labelled(a: Form, b: Form, policy: Policy, found: Verdict) -> Verdict:
    """What the names in `x = 5` and `5`, or `x = 5` and `y = 5`, make of equal values."""
    if found.kind != "equal" or a.label == b.label:
        return found
    if a.label and b.label:
        if curve(a.label) or curve(b.label):
            return different(f"{a.label} = ... and {b.label} = ...")
        return undecided(f"the value of {a.label} and of {b.label}")
    if policy.assignment == "strict":
        return different("an equation and a value")
    name = a.label or b.label
    if curve(name) and "value" in (a.kind, b.kind):
        return undecided(f"{name} = ... may be a curve")
    return found


def _another_reading(a: Form, b: Form, policy: Policy) -> str:
    """Why two forms of different value may still be meant to be the same, or ""."""
    for one, other in ((a, b), (b, a)):
        for node, why in _readings(one, other, policy):
            x = primary(other, policy)
            if node.key == x.key or (
                not numeric.differ(node, x) and modular.identical(node, x) == "equal"
            ):
                return why
    return ""


def _readings(a: Form, other: Form, policy: Policy) -> list[tuple[Node, str]]:
    assert a.node is not None
    found = []
    if a.percent and not other.percent and policy.percent != "strict":
        factor = num(Fraction(1, 100)) if policy.percent == "points" else num(1)
        found.append((mul(a.node, factor), "a per cent sign read as 1/100 or as a unit"))
    if a.unit == "degree" and not other.unit:
        found.append((mul(a.node, num(Fraction(1, 180)), PI), "degrees or radians"))
    if a.unit and other.unit:
        factor_of = units.conversion(a.unit, other.unit)
        if factor_of:
            found.append((mul(a.node, num(factor_of)), f"{a.unit} converted to {other.unit}"))
    for digits, base in a.bases:
        if not other.bases:
            found.append((num(int(digits)) if digits.isdigit() else a.node, f"base {base}"))
    return found


def nodes_equal(a: Node, b: Node, policy: Policy) -> Verdict:
    """The verdict on two exact values."""
    if a.key == b.key:
        return same("same value")
    if a.head == b.head == "n":
        return _rationals(a.args[0], b.args[0], policy)
    if "undefined" in (a.head, b.head):
        return undecided("undefined") if a.head == b.head else different("undefined")
    if endless(a) or endless(b):
        return different("infinity")
    stripped = _same_base(a, b)
    if stripped:
        return nodes_equal(*stripped, policy)
    if numeric.differ(a, b):
        return _stated(a, b, policy) or different("numeric")
    found = modular.identical(a, b)
    if found == "equal":
        return same("exact identity modulo a random prime, error below 2^-60")
    if found == "different":
        return _stated(a, b, policy) or different("exact images differ")
    return _proved(a, b, policy)


def _rationals(a: Fraction, b: Fraction, policy: Policy) -> Verdict:
    whole = a.denominator == 1 or b.denominator == 1
    if whole or policy.rounding != "stated" or abs(a - b) * 10**18 >= abs(a):
        return _OTHER_NUMBER
    if stated.digits(a) and stated.digits(b):
        return undecided("two decimals that agree in their first digits")
    return _OTHER_NUMBER


def _same_base(a: Node, b: Node) -> tuple[Node, Node] | None:
    """(x, y) for b^x and b^y with the same rational b > 1: they are equal just where x = y."""
    if a.head == b.head == "^" and a.args[0].key == b.args[0].key:
        base = a.args[0]
        if base.head == "n" and base.args[0] > 1:
            exponents = a.args[1], b.args[1]
            if not any(numeric.variables(e) or "i" in e.key for e in exponents):
                return exponents
    return None


def _stated(a: Node, b: Node, policy: Policy) -> Verdict | None:
    if policy.rounding != "stated" or (a.head == "n") == (b.head == "n"):
        return None
    decimal, exact = (a, b) if a.head == "n" else (b, a)
    return same("a decimal that states the value") if stated.states(decimal, exact) else None


def _proved(a: Node, b: Node, policy: Policy) -> Verdict:
    if not (numeric.variables(a) or numeric.variables(b)) and precise.differ(a, b):
        return _stated(a, b, policy) or different("60 digits")
    reply = prove.zero(a, b)
    if reply["kind"] == "equal":
        return same(f"symbolic proof: {reply['why']}")
    if reply["kind"] == "different":
        return _stated(a, b, policy) or different(reply["why"])
    return undecided(f"symbolic proof: {reply['kind']}")
