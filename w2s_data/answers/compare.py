"""Two forms compared: shapes first, then their parts and values."""

from __future__ import annotations

from w2s_data.answers import modular, numeric, prove
from w2s_data.answers.form import VERBATIM, Form
from w2s_data.answers.functions import substitute
from w2s_data.answers.nodes import ZERO, Node, add, mul, num, sub
from w2s_data.answers.policy import Policy
from w2s_data.answers.values import (
    Verdict,
    different,
    labelled,
    nodes_equal,
    same,
    undecided,
    values,
)

MAX_MATCHED = 64
_SHAPES = {"interval", "union", "tuple"}


def compare(a: Form, b: Form, policy: Policy) -> Verdict:
    """The verdict on two forms; symmetric."""
    if a.kind == "empty" or b.kind == "empty":
        return different("empty")
    if a.key.removeprefix(VERBATIM) == b.key.removeprefix(VERBATIM):
        return same("same key")
    if prove.over():
        return undecided("out of time")
    if "too big" in (a.mark, b.mark):
        return undecided("beyond the bounds of size")
    if a.kind == b.kind == "text":
        return different("text")
    if a.kind == b.kind == "value":
        return values(a, b, policy)
    if a.kind == b.kind == "relation":
        return _relations(a, b)
    if a.kind in ("list", "set") and b.kind in ("list", "set"):
        return _collections(a, b, policy)
    if a.kind == b.kind == "tuple":
        if a.mark != b.mark and not (a.label and b.label):
            return different("an inequality and a pair")
        return labelled(a, b, policy, _in_order(a.parts, b.parts, policy))
    if a.kind == b.kind == "ratio":
        return _in_order(a.parts, b.parts, policy)
    if "option" in (a.kind, b.kind):
        return _options(a, b, policy)
    if a.kind == b.kind == "matrix":
        return _matrices(a, b)
    if a.kind in _SHAPES and b.kind in _SHAPES:
        return labelled(a, b, policy, _on_the_line(a, b))
    return _mixed(a, b, policy)


# --- containers -------------------------------------------------------------------------------


def _in_order(a: tuple[Form, ...], b: tuple[Form, ...], policy: Policy) -> Verdict:
    if len(a) != len(b):
        return different("length")
    return _all(compare(x, y, policy) for x, y in zip(a, b))


def _all(verdicts: object) -> Verdict:
    doubt = None
    reason = "each part"
    for verdict in verdicts:  # type: ignore[attr-defined]
        if verdict.kind == "different":
            return verdict
        if verdict.kind == "undecided":
            doubt = doubt or verdict
        reason = verdict.reason
    return doubt or same(reason)


def _matrices(a: Form, b: Form) -> Verdict:
    assert a.node is not None
    assert b.node is not None
    x, y = a.node.args, b.node.args
    if (len(x), len(x[0])) != (len(y), len(y[0])):
        return different("shape")
    entries = zip((e for row in x for e in row), (e for row in y for e in row))
    return _all(nodes_equal(p, q, _EXACT) for p, q in entries)


_EXACT = Policy(rounding="exact")


def _collections(a: Form, b: Form, policy: Policy) -> Verdict:
    if a.kind == b.kind == "list" and policy.lists == "ordered":
        return _in_order(a.parts, b.parts, policy)
    sets = a.kind, b.kind
    x, y = (_distinct(f) if f.kind == "set" else list(f.parts) for f in (a, b))
    x, y = _without_common(x, y)
    if len(x) == len(y):
        return _matched(x, y, policy)
    if "set" in sets and _each_in(x, list(b.parts), policy) and _each_in(y, list(a.parts), policy):
        return same("same set") if sets == ("set", "set") else undecided("repeated members")
    return different("size")


def _distinct(form: Form) -> list[Form]:
    found: dict[str, Form] = {}
    for part in form.parts:
        found.setdefault(part.key, part)
    return list(found.values())


def _without_common(x: list[Form], y: list[Form]) -> tuple[list[Form], list[Form]]:
    counts: dict[str, int] = {}
    for form in y:
        counts[form.key] = counts.get(form.key, 0) + 1
    left = []
    for form in x:
        if counts.get(form.key, 0):
            counts[form.key] -= 1
        else:
            left.append(form)
    right = []
    for form in y:
        if counts.get(form.key, 0):
            counts[form.key] -= 1
            right.append(form)
    return left, right


def _each_in(x: list[Form], y: list[Form], policy: Policy) -> bool:
    if len(x) > MAX_MATCHED or len(y) > MAX_MATCHED:
        return False
    return all(any(compare(p, q, policy).kind == "equal" for q in y) for p in x)


def _matched(x: list[Form], y: list[Form], policy: Policy) -> Verdict:
    """Whether the members pair off; different where one differs from every other."""
    if len(x) > MAX_MATCHED:
        return undecided("too many members to match")
    left = list(y)
    doubt = ""
    for form in x:
        verdicts = [compare(form, other, policy) for other in left]
        kinds = [verdict.kind for verdict in verdicts]
        if "equal" in kinds:
            left.pop(kinds.index("equal"))
        elif "undecided" in kinds:
            doubt = verdicts[kinds.index("undecided")].reason
        else:
            return different("members")
    return undecided(doubt) if doubt else same("same members")


def _on_the_line(a: Form, b: Form) -> Verdict:
    from w2s_data.answers.intervals import pieces_of

    x, y = pieces_of(a), pieces_of(b)
    if x is None or y is None:
        return different("shape")
    if len(x) != len(y) or any(p[2] != q[2] for p, q in zip(x, y)):
        return different("ends")
    lows, highs = [(p[0], q[0]) for p, q in zip(x, y)], [(p[1], q[1]) for p, q in zip(x, y)]
    return _all(nodes_equal(p, q, _EXACT) for p, q in lows + highs)


# --- relations and mixed shapes ---------------------------------------------------------------


def _relations(a: Form, b: Form) -> Verdict:
    if a.mark != b.mark:
        return different("relation signs")
    if a.node is None or b.node is None:
        return different("relations")
    if modular.proportional(a.node, b.node):
        return same("the same equation, exact modulo a random prime, error below 2^-60")
    from w2s_data.answers.curves import separated

    if separated(a.node, b.node):
        return different("a point on one curve only")
    return undecided("two equations")


def _mixed(a: Form, b: Form, policy: Policy) -> Verdict:
    """Two shapes: different, except where a convention may make them the same."""
    first, second = sorted((a, b), key=lambda f: f.kind)
    kinds = {first.kind, second.kind}
    if kinds == {"relation", "value"}:
        relation, value = (first, second) if first.kind == "relation" else (second, first)
        return _definition(relation, value, policy)
    if "relation" in kinds and kinds & {"list", "set"}:
        relation, several = (first, second) if first.kind == "relation" else (second, first)
        if relation.node is None:
            return different("shape")
        return _solution(relation, list(several.parts), policy)
    if kinds == {"text", "value"}:
        return _letter(a, b, policy)
    if kinds in ({"list", "tuple"}, {"matrix", "tuple"}, {"list", "matrix"}):
        parts = [_members(f) for f in (a, b)]
        if len(parts[0]) == len(parts[1]):
            found = _in_order(parts[0], parts[1], policy)
            if found.kind != "different":
                return undecided(f"a {first.kind} and a {second.kind}")
    return different("shape")


def _members(a: Form) -> tuple[Form, ...]:
    if a.kind != "matrix" or a.node is None:
        return a.parts
    return tuple(Form("value", e.key, e) for row in a.node.args for e in row)


def _definition(relation: Form, value: Form, policy: Policy) -> Verdict:
    """`y = 2x + 1` against `2x + 1` or `f(x) = 2x + 1`; `x - 5 = 0` against `x = 5`."""
    assert value.node is not None
    if relation.node is None:
        return different("shape")
    if not value.label or "(" in value.label:
        for side, other in (relation.parts, relation.parts[::-1]):
            if side.head == "v" and nodes_equal(other, value.node, policy).kind == "equal":
                return undecided("an equation and its right side")
    return _solution(relation, [value], policy)


def _solution(relation: Form, values: list[Form], policy: Policy) -> Verdict:
    """Values against an equation in one unknown: different unless each of them solves it."""
    assert relation.node is not None
    unknowns = numeric.variables(relation.node)
    labels = {form.label for form in values}
    if len(unknowns) != 1 or not labels <= {"", *unknowns}:
        return different("shape")
    (name,) = unknowns
    for form in values:
        if form.node is None:
            return different("shape")
        there = substitute(relation.node, name, form.node)
        if nodes_equal(there, ZERO, policy).kind == "different":
            return different("not a solution")
    if labels == {name} and len(values) == 1 and _linear(relation.node, name):
        return same("the solution of a linear equation")
    return undecided("an equation and its solutions")


def _linear(node: Node, name: str) -> bool:
    slope = sub(substitute(node, name, num(1)), substitute(node, name, ZERO))
    line = add(substitute(node, name, ZERO), mul(slope, Node("v", name, (name,))))
    return slope.key != "0" and line.key == node.key


def _options(a: Form, b: Form, policy: Policy) -> Verdict:
    """`B) 12` against `B`, `12` or another option."""
    option, other = (a, b) if a.kind == "option" else (b, a)
    if other.kind == "option":
        if option.label != other.label:
            return different("options")
        found = compare(option.parts[0], other.parts[0], policy)
        return undecided("one letter, two contents") if found.kind == "different" else found
    if other.kind == "text" and other.mark == "letter":
        return same("option") if option.label == other.key else different("options")
    found = compare(option.parts[0], other, policy)
    return undecided("an option and its content") if found.kind == "equal" else found


def _letter(a: Form, b: Form, policy: Policy) -> Verdict:
    """A lone letter is an option, a word or a variable; it equals a formula of that value."""
    text, value = (a, b) if a.kind == "text" else (b, a)
    if text.mark != "letter" or value.node is None:
        return different("text")
    from w2s_data.answers.parse import parse

    return nodes_equal(parse(text.key)[0], value.node, policy)
