"""Brackets: what is balanced, and where a text may be cut without breaking one."""

from __future__ import annotations

import re

_MARK = re.compile(r"\\begin|\\end|\\.|[{}()\[\]]", re.DOTALL)
_OPENS = {"(", "[", "{", "\\{", "\\begin"}
_CLOSES = {")", "]", "}", "\\}", "\\end"}


def balanced(text: str) -> bool:
    """Whether every bracket closes; `[1, 2)` is balanced, as an interval needs."""
    depth = 0
    for mark in _MARK.finditer(text):
        sign = mark.group()
        if sign in _OPENS:
            depth += 1
        elif sign in _CLOSES:
            depth -= 1
            if depth < 0:
                return False
    return depth == 0


def outside(text: str, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    """The matches of a pattern that lie in no bracket, brace or environment; linear."""
    edges, depth = [], 0
    for mark in _MARK.finditer(text):
        sign = mark.group()
        if sign in _OPENS or sign in _CLOSES:
            depth += 1 if sign in _OPENS else -1
            edges.append((mark.start(), depth))
    found, position, level = [], 0, 0
    for match in pattern.finditer(text):
        while position < len(edges) and edges[position][0] < match.start():
            level = edges[position][1]
            position += 1
        if level == 0:
            found.append(match)
    return found


def split(text: str, pattern: re.Pattern[str]) -> list[str]:
    """The parts between the outside matches of a pattern."""
    parts, start = [], 0
    for match in outside(text, pattern):
        parts.append(text[start : match.start()])
        start = match.end()
    return [*parts, text[start:]]


def partners(text: str) -> dict[int, int]:
    """Where each opening brace closes."""
    open_at, partner = [], {}
    for mark in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        if mark.group() == "{":
            open_at.append(mark.start())
        elif mark.group() == "}" and open_at:
            partner[open_at.pop()] = mark.start()
    return partner
