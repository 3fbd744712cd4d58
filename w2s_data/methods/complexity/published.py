"""The paper's preference file, read and written: one entry a full task.

    {"id": "math-7", "original": {"task": "...", "chosen": "...", "rejected": "..."},
     "subtask_1": {"task": "...", "chosen": "...", "rejected": "..."}, "subtask_2": {...}}

The published pipeline writes `ori_id`, `pos_ans` and `neg_ans`; both spellings are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError
from w2s_data.io import atomic, dump, read_rows
from w2s_data.rows import Row

NAMES = {"task": ("task",), "chosen": ("chosen", "pos_ans"), "rejected": ("rejected", "neg_ans")}
_SUBTASK = re.compile(r"subtask_([1-9]\d{0,2})")


def read(path: str | Path) -> Iterator[Row]:
    """Yield {id, task, chosen, rejected, parts: [{id, task, chosen, rejected}]} of each entry.

    Raises W2SError naming file and line for an entry without id, full task or subtask, for a
    missing or empty text, and for an id that stands twice.
    """
    seen: dict[str, int] = {}
    for line, entry in read_rows(path):
        where = f"{path}:{line}"
        found = entry.get("id", entry.get("ori_id"))
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            raise W2SError(f"{where}: the id must be a string or a number, was: {found!r}")
        row_id = str(found)
        if seen.setdefault(row_id, line) != line:
            raise W2SError(f"{where}: id {row_id!r} stands at line {seen[row_id]} already")
        names = sorted((name for name in entry if _SUBTASK.fullmatch(name)), key=_number)
        if "original" not in entry or not names:
            absent = "a subtask_1" if "original" in entry else "an original"
            raise W2SError(f"{where}: no pair without {absent}; fields there: {', '.join(entry)}")
        parts = [{"id": f"{row_id}/{name}"} | _texts(entry[name], where, name) for name in names]
        yield {"id": row_id, **_texts(entry["original"], where, "original"), "parts": parts}


def _number(name: str) -> int:
    return int(name.removeprefix("subtask_"))


def _texts(given: Any, where: str, name: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise W2SError(f"{where}: {name} must be an object, was: {given!r}"[:300])
    texts = {}
    for ours, keys in NAMES.items():
        text = next((given[key] for key in keys if key in given), None)
        if not isinstance(text, str) or not text.strip():
            raise W2SError(f"{where}: {name} has no {' or '.join(keys)} that is a text")
        texts[ours] = text
    return texts


def write(source: str | Path, target: str | Path) -> int:
    """Write the preference set `source` (dpo or orpo of this method, kind=both) as `target`, one
    entry a line (.jsonl) or a list (.json); returns the number of entries."""
    kind = Path(target).suffix
    if kind not in (".json", ".jsonl"):
        raise W2SError(f"{target}: the file's name must end in .json or .jsonl")
    count = 0
    with atomic(target) as file:
        file.write("[\n" if kind == ".json" else "")
        for count, entry in enumerate(_entries(source), 1):
            file.write(",\n" if kind == ".json" and count > 1 else "")
            file.write(dump(entry) + ("\n" if kind == ".jsonl" else ""))
        file.write("\n]\n" if kind == ".json" else "")
        if not count:
            raise W2SError(f"{source}: no rows")
    return count


def _entries(source: str | Path) -> Iterator[Row]:
    for parent, lines in groupby(read_rows(source), lambda line: line[1].get("parent")):
        entry: Row = {"id": parent}
        for line, row in lines:
            where = f"{source}:{line}"
            name = {"full": "original"}.get(str(row.get("part")), row.get("part"))
            if not isinstance(parent, str) or not isinstance(name, str) or "question" not in row:
                raise W2SError(f"{where}: not a row of a preference set of method complexity")
            texts = (_said(row.get(side), where, side) for side in ("chosen", "rejected"))
            entry[name] = dict(zip(NAMES, (row["question"], *texts)))
        if "original" not in entry or len(entry) < 3:
            raise W2SError(f"{source}: {parent!r} needs full task and subtask: build kind=both")
        yield entry


def _said(value: Any, where: str, side: str) -> str:
    """The text, of the alpaca or the sharegpt format."""
    text = value.get("value") if isinstance(value, dict) else value
    if not isinstance(text, str):
        raise W2SError(f"{where}: {side} must be a text, was: {value!r}"[:300])
    return text


def known(rows: Iterable[Row]) -> set[str]:
    """The ids of the rows."""
    return {row["id"] for row in rows}
