"""Matrices: their keys, determinants, and sums and multiples of them."""

from __future__ import annotations

from w2s_data.answers.cursor import Malformed
from w2s_data.answers.form import Form
from w2s_data.answers.nodes import Node, add, mul, num, power


def matrix(rows: list[list[Node]]) -> Node:
    text = r" \\ ".join(" & ".join(entry.key for entry in row) for row in rows)
    key = rf"\begin{{pmatrix}} {text} \end{{pmatrix}}"
    return Node("m", key, tuple(tuple(row) for row in rows))


def determinant(rows: list[list[Node]]) -> Node:
    if len(rows) != len(rows[0]) or len(rows) > 5:
        raise Malformed("a determinant that is not square or too large")
    if len(rows) == 1:
        return rows[0][0]
    minors = (
        mul(num((-1) ** k), entry, determinant([row[:k] + row[k + 1 :] for row in rows[1:]]))
        for k, entry in enumerate(rows[0])
    )
    return add(*minors)


def matrix_form(node: Node) -> Form:
    """A matrix, a multiple of one, or a sum of such; anything else is not understood."""
    if node.head == "+" and not node.args[0]:
        terms = [_rows(t if c == 1 else mul(num(c), t)) for t, c in node.args[1]]
        if len({(len(t), len(t[0])) for t in terms}) != 1:
            raise Malformed("matrices of different shapes")
        rows = [[add(*entries) for entries in zip(*lines)] for lines in zip(*terms)]
    else:
        rows = _rows(node)
    found = matrix(rows)
    return Form("matrix", found.key, found)


def _rows(node: Node) -> list[list[Node]]:
    if node.head == "m":
        return [list(row) for row in node.args]
    if node.head != "*":
        raise Malformed("a matrix inside a formula")
    inside = [b for b, e in node.args[1] if b.head == "m" and e.key == "1"]
    others = [(b, e) for b, e in node.args[1] if b.head != "m"]
    if len(inside) != 1 or len(others) + 1 != len(node.args[1]) or "pmatrix" in str(others):
        raise Malformed("a product of matrices")
    scale = mul(num(node.args[0]), *(power(b, e) for b, e in others))
    return [[mul(scale, entry) for entry in row] for row in inside[0].args]
