"""Equations, assignments and inequalities."""

from __future__ import annotations

import re
from collections.abc import Callable

from w2s_data.answers.cursor import Malformed
from w2s_data.answers.form import Form, rekeyed
from w2s_data.answers.intervals import interval, without
from w2s_data.answers.nodes import INFINITY, Node, negative, sub
from w2s_data.answers.numeric import variables
from w2s_data.answers.parse import parse

_NAME = re.compile(r"(\\?[a-zA-Z]+(?:_\{?\w+\}?)?)")
_CALL = re.compile(r"\\?[a-zA-Z]{1,6}(?:_\{?\w+\}?)?(?:\^\{-1\}|'+)?\([\\a-zA-Z0-9,\s]*\)")
_FLIP = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}
_CURVES = {"y", "r", "z", "\\theta", "\\rho", "\\phi"}


def relation(sides: list[str], signs: list[str], form: Callable[[str], Form]) -> Form:
    """The form of sides joined by signs; Malformed where it is not understood."""
    if not all(sides):
        raise Malformed("a relation without a side")
    if signs == ["in"]:
        return _member(sides[0], form(sides[1]))
    if signs == ["="]:
        return _equation(sides[0], sides[1], form)
    if set(signs) == {"="}:
        return _chain(sides, form)
    if all(sign in _FLIP for sign in signs):
        found = _inequality(sides, signs)
        if found is not None:
            return found
    nodes = [parse(side)[0].key for side in sides]
    if all(sign in (">", ">=") for sign in signs):
        nodes, signs = nodes[::-1], [_FLIP[sign] for sign in signs[::-1]]
    key = nodes[0] + "".join(_shown(sign) + node for sign, node in zip(signs, nodes[1:]))
    return Form("relation", key, mark="".join(signs))


def _shown(sign: str) -> str:
    return f" \\{sign} " if sign.isalpha() else sign


def _member(name: str, found: Form) -> Form:
    if not _NAME.fullmatch(name):
        raise Malformed("membership of a formula")
    return _keyed(found._replace(label=name))


def _chain(sides: list[str], form: Callable[[str], Form]) -> Form:
    """`a = b = c`: the label of a lone name, the value of the last side."""
    last = form(sides[-1])
    if last.kind == "value" and last.node is not None and not variables(last.node):
        name = sides[0] if _NAME.fullmatch(sides[0]) and len(sides[0]) < 12 else ""
        return _named(last, name)
    nodes = [parse(side)[0].key for side in sides]
    return Form("relation", "=".join(nodes), mark="=")


def _named(value: Form, name: str) -> Form:
    if not name or value.label:
        return value
    named = value._replace(label=name)
    if value.kind == "value" and value.node is not None:
        return rekeyed(named)
    return named._replace(key=f"{name}={value.key}")


def _equation(left: str, right: str, form: Callable[[str], Form]) -> Form:
    """A value with a label where one side is a name and the other a constant; else an equation."""
    call = _CALL.fullmatch(left)
    if call and not re.fullmatch(r"[a-zA-Z]\([-\d.]+\)", left):
        return _named(form(right), left.replace(" ", ""))
    if _NAME.fullmatch(right) and not _NAME.fullmatch(left):
        left, right = right, left
    value = form(right)
    constant = value.node is not None and not variables(value.node)
    if _NAME.fullmatch(left) and _single(left):
        if value.kind in ("list", "set"):
            return _named_items(value, left)
        word = value.kind == "text" and value.mark == ""
        if constant or word or value.kind in ("tuple", "matrix", "interval", "union"):
            return _named(value, left)
    if constant and _numeric(left):
        return value
    a, b = parse(left)[0], parse(right)[0]
    difference = sub(a, b)
    shown = _signed(difference)
    return Form("relation", f"{shown.key}=0", difference, parts=(a, b), mark="=")


def _named_items(value: Form, name: str) -> Form:
    items = sorted((_named(item, name) for item in value.parts), key=lambda item: item.key)
    left, right = ("\\{", "\\}") if value.kind == "set" else ("", "")
    return value._replace(key=left + ", ".join(i.key for i in items) + right, parts=tuple(items))


def _single(name: str) -> bool:
    return len(name.split("_")[0].lstrip("\\")) == 1 or name.startswith("\\")


def _numeric(text: str) -> bool:
    try:
        return not variables(parse(text)[0])
    except Malformed:
        return False


def _signed(node: Node) -> Node:
    other = negative(node)
    return min(node, other, key=lambda n: (n.key[0] == "-", n.key))


def _inequality(sides: list[str], signs: list[str]) -> Form | None:
    """`a < x <= b` and `x > a` as intervals with the label x, `x != a` as the line without a."""
    nodes = [parse(side)[0] for side in sides]
    names = [n.key for n in nodes if n.head == "v"]
    constants = [n for n in nodes if not variables(n)]
    if len(names) != 1 or len(names) + len(constants) != len(nodes):
        return None
    if len(nodes) == 2:
        name_first = nodes[0].head == "v"
        sign = signs[0] if name_first else _FLIP[signs[0]]
        bound = nodes[1] if name_first else nodes[0]
        if sign == "!=":
            return without([bound], names[0])
        below = sign in ("<", "<=")
        low, high = (negative(INFINITY), bound) if below else (bound, INFINITY)
        ends = ("(" if below or sign == ">" else "[") + (")" if not below or sign == "<" else "]")
        return _keyed(interval(low, high, ends, names[0]))
    if len(nodes) == 3 and nodes[1].head == "v":
        up = all(sign in ("<", "<=") for sign in signs)
        if not up and not all(sign in (">", ">=") for sign in signs):
            return None
        low, high = (nodes[0], nodes[2]) if up else (nodes[2], nodes[0])
        first, last = signs if up else signs[::-1]
        ends = ("[" if "=" in first else "(") + ("]" if "=" in last else ")")
        found = _keyed(interval(low, high, ends, names[0]))
        if found.kind == "tuple":
            found = found._replace(mark="inequality", key=f"{low.key}<{names[0]}<{high.key}")
        return found
    return None


def _keyed(form: Form) -> Form:
    return form._replace(key=f"{form.label} \\in {form.key}")


def curve(label: str) -> bool:
    """Whether `label = constant` is as likely a line or curve as a value: y = 0, r = 2."""
    return label in _CURVES
