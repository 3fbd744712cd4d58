"""Intervals, unions and complements of points on the real line, in one normal form."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cmp_to_key
from itertools import pairwise

from w2s_data.answers.cursor import Malformed
from w2s_data.answers.form import Form
from w2s_data.answers.nodes import INFINITY, Node, endless, negative, sub
from w2s_data.answers.numeric import real_sign
from w2s_data.answers.scan import split

Piece = tuple[Node, Node, str]
_CUP = re.compile(r"\\cup(?![a-zA-Z])")
_REALS = ("\\mathbb{R}", "\\mathbb R", "\\R", "\\Reals", "\\reals")


def interval(low: Node, high: Node, ends: str, label: str = "") -> Form:
    """One interval; `ends` is one of "()", "(]", "[)", "[]"; infinite ends are open."""
    left = "(" if endless(low) else ends[0]
    right = ")" if endless(high) else ends[1]
    key = f"{left}{low.key},{high.key}{right}"
    if left + right == "()":
        parts = (Form("value", low.key, low), Form("value", high.key, high))
        return Form("tuple", key, parts=parts, label=label)
    return Form("interval", key, parts=(low, high), mark=left + right, label=label)


def pieces_of(form: Form) -> list[Piece] | None:
    """The intervals of a form: an interval, an open pair, a union, or a finite set of points."""
    if form.kind == "interval":
        return [(*form.parts, form.mark)]
    if form.kind == "union":
        return list(form.parts)
    if form.kind == "tuple" and len(form.parts) == 2:
        low, high = (part.node for part in form.parts)
        return None if low is None or high is None else [(low, high, "()")]
    if form.kind == "set" and all(part.node is not None for part in form.parts):
        return [(part.node, part.node, "[]") for part in form.parts]
    return None


def union(pieces: list[Piece], label: str = "") -> Form:
    """Touching and overlapping intervals merged, in ascending order.

    Raises Malformed where two ends cannot be compared.
    """
    ordered = sorted(pieces, key=cmp_to_key(_before))
    merged = [ordered[0]]
    for low, high, ends in ordered[1:]:
        last_low, last_high, last_ends = merged[-1]
        gap = _compare(low, last_high)
        if gap < 0 or (gap == 0 and (ends[0] == "[" or last_ends[1] == "]")):
            further = _compare(high, last_high)
            right = ends[1] if further > 0 else last_ends[1]
            if further == 0 and ends[1] == "]":
                right = "]"
            merged[-1] = (last_low, high if further > 0 else last_high, last_ends[0] + right)
        else:
            merged.append((low, high, ends))
    if len(merged) == 1 and merged[0][0].key != merged[0][1].key:
        return interval(*merged[0], label=label)
    return Form("union", " \\cup ".join(map(_key, merged)), parts=tuple(merged), label=label)


def _key(piece: Piece) -> str:
    low, high, ends = piece
    if low.key == high.key:
        return f"\\{{{low.key}\\}}"
    left, right = "(" if endless(low) else ends[0], ")" if endless(high) else ends[1]
    return f"{left}{low.key},{high.key}{right}"


def _before(a: Piece, b: Piece) -> int:
    """Ascending lower ends, a closed one first."""
    return _compare(a[0], b[0]) or (b[2][0] == "[") - (a[2][0] == "[")


def _compare(a: Node, b: Node) -> int:
    if a.key == b.key:
        return 0
    for node, sign in ((a, 1), (b, -1)):
        if endless(node):
            return sign if node.key == "oo" else -sign
    found = real_sign(sub(a, b))
    if found is None:
        raise Malformed("ends that cannot be ordered")
    return found


def without(points: list[Node], label: str = "") -> Form:
    """The real line without finitely many points."""
    ordered = sorted(points, key=cmp_to_key(_compare))
    edges = [negative(INFINITY), *ordered, INFINITY]
    return union([(a, b, "()") for a, b in pairwise(edges) if a.key != b.key], label)


def union_of(text: str, form: Callable[[str], Form]) -> Form | None:
    """A union of intervals and sets, or the real line, perhaps without some points."""
    if text.strip() in _REALS:
        return interval(negative(INFINITY), INFINITY, "()")
    if "\\setminus" in text or "\\backslash" in text:
        return _complement(text, form)
    parts = split(text, _CUP)
    if len(parts) < 2:
        return None
    pieces: list[Piece] = []
    for part in parts:
        found = pieces_of(form(part.strip()))
        if found is None:
            raise Malformed("a union of what is no interval")
        pieces.extend(found)
    return union(pieces)


def _complement(text: str, form: Callable[[str], Form]) -> Form:
    line, _, points = text.partition("\\setminus")
    taken = form(points.strip())
    whole = line.strip() in _REALS or form(line.strip()).key == "(-oo,oo)"
    if not whole or taken.kind != "set" or any(p.node is None for p in taken.parts):
        raise Malformed("a difference of sets")
    return without([p.node for p in taken.parts])
