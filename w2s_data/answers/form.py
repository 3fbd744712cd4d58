"""What a form is."""

from __future__ import annotations

from typing import Any, NamedTuple

from w2s_data.answers.nodes import Node

VERBATIM = "text: "


class Form(NamedTuple):
    """The form of an answer.

    kind: empty, value, list, set, tuple, ratio, interval, union, relation, matrix, option, text
    or broken. parts: nested forms; the (low, high) nodes of an interval; the pieces of a union;
    the sides of an equation. mark: the ends of an interval like "[)", the sign of a relation, or
    what kind of text. label: x in `x = 5`, the letter of an option.
    """

    kind: str
    key: str
    node: Node | None = None
    parts: tuple[Any, ...] = ()
    mark: str = ""
    unit: str = ""
    percent: bool = False
    label: str = ""
    bases: tuple[tuple[str, int], ...] = ()


EMPTY = Form("empty", "")


def keyed_value(node: Node) -> Form:
    """A plain value."""
    return Form("value", node.key, node)


def value(node: Node, **marks: Any) -> Form:
    """A value with its unit, percent sign, label or base in its key."""
    return rekeyed(Form("value", node.key, node, **marks))


def rekeyed(form: Form) -> Form:
    """The form of a value with the key that its node and marks give."""
    assert form.node is not None
    key = form.node.key + ("%" if form.percent else "")
    if form.unit:
        wrapped = f"({key})" if form.node.head == "+" else key
        key = f"{wrapped} \\text{{{form.unit}}}"
    for digits, base in form.bases[:1]:
        key = f"{digits}_{{{base}}}"
    return form._replace(key=f"{form.label}={key}" if form.label else key)
