"""A set's rows -> entries: each row, kept or dropped, as the report shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from w2s_data.io import dump
from w2s_data.rows import ENDING, Row
from w2s_data.sets import Set

KEPT = "kept"
LONG = 60


class Entry(NamedTuple):
    """One row. `status` is KEPT or the reason of the drop; `sides` are the responses by name,
    `facts` the other columns; `row` is the row itself and `where` its file and line."""

    id: str
    status: str
    prompt: str
    sides: dict[str, str]
    facts: dict[str, Any]
    row: Row
    where: str


def entries(found: Set) -> Iterator[Entry]:
    """The kept rows, then the dropped ones. A value of an unexpected type is shown as JSON."""
    for where, row in found.rows():
        yield _entry(row, KEPT, where)
    for row in found.dropped():
        status = _text(row.get("dropped") or "dropped")
        yield _entry(row, status, f"{found.name}.dropped.jsonl")


def _entry(row: Row, status: str, where: str) -> Entry:
    """Long texts are responses; short ones and numbers are facts."""
    meta = row.get("meta")
    facts = dict(meta) if isinstance(meta, dict) else {}
    sides = {name: row[name] for name in ("chosen", "rejected", "response") if row.get(name)}
    for name, value in row.items():
        if name in ENDING or name in ("id", "task", "question", "meta", "dropped", ""):
            continue
        if isinstance(value, str) and len(value) > LONG:
            sides[name] = value
        elif value not in (None, "", [], {}):
            facts[name] = value
    texts = {name: _text(value) for name, value in sides.items()}
    return Entry(_text(row.get("id") or ""), status, _prompt(row), texts, facts, row, where)


def _prompt(row: Row) -> str:
    """The prompt as a text; of several messages each with its role."""
    prompt = row.get("prompt") or row.get("question") or ""
    if not isinstance(prompt, list):
        return _text(prompt)
    if len(prompt) == 1:
        return _text(prompt[0].get("content"))
    return "\n\n".join(f"{said.get('role')}: {_text(said.get('content'))}" for said in prompt)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dump(value)
