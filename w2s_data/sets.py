"""Sets read back: LLaMA-Factory's rows and their dataset_info.json entry -> the house's rows.

The way back of `factory.records`, for sets that this package did not build, too. Facts: version
0.9.5, `llamafactory/data/parser.py` and `converter.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError, unknown
from w2s_data.factory import INFO, TAGS
from w2s_data.io import READERS, read_rows
from w2s_data.rows import Row

# What LLaMA-Factory reads where an entry names no columns.
COLUMNS = {
    "prompt": "instruction",
    "query": "input",
    "response": "output",
    "messages": "conversations",
}


@dataclass(frozen=True)
class Set:
    """A set in LLaMA-Factory's dataset folder: its name, its files and its entry."""

    name: str
    folder: Path
    files: tuple[Path, ...]
    entry: Mapping[str, Any]

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield (`file:line`, row) of each row on file.

        A row has `id` (None where the file has none), `prompt` (text, or chat messages), its
        ending (`response`, `chosen` and `rejected`, or `response` and `kto_tag`; "" for a text
        that is not there), and the columns the entry does not name.
        """
        columns = dict(self.entry.get("columns") or COLUMNS)
        for path in self.files:
            for line, record in read_rows(path):
                yield f"{path}:{line}", self._row(record, columns)

    def manifest(self) -> Row | None:
        """What the build said of the set; None for a set this package did not build."""
        path = self.folder / f"{self.name}.manifest.json"
        return read_object(path) if path.exists() else None

    def dropped(self) -> Iterator[Row]:
        """The rows that the build dropped, each with its reason; none for another's set."""
        path = self.folder / f"{self.name}.dropped.jsonl"
        if path.exists():
            yield from (row for _, row in read_rows(path))

    def _row(self, record: Row, columns: Mapping[str, str]) -> Row:
        read = _sharegpt if self.entry.get("formatting") == "sharegpt" else _alpaca
        body = read(record, columns, self.entry)
        used = set(columns.values())
        extras = {name: value for name, value in record.items() if name not in used}
        given = extras.pop("id", None)
        return extras | {"id": None if given is None else str(given)} | body


def find(folder: str | Path, name: str) -> Set:
    """The set `name` of a dataset folder. Raises W2SError with the known names."""
    path = Path(folder) / INFO
    if not path.exists():
        raise W2SError(f"{path}: no such file; name LLaMA-Factory's dataset folder")
    info = read_object(path)
    if name not in info:
        raise unknown("set", name, info)
    entry = info[name]
    if not isinstance(entry, dict) or not isinstance(entry.get("file_name"), str):
        raise W2SError(f"{path}: {name!r} names no file; download the set and name it: file_name")
    place = Path(folder) / entry["file_name"]
    if place.is_dir():
        files = tuple(p for p in sorted(place.iterdir()) if p.suffix.lstrip(".") in READERS)
    else:
        files = (place,)
    return Set(name, Path(folder), files, entry)


def read_object(path: Path) -> Row:
    """The JSON object in `path`."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise W2SError(f"{path}: cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise W2SError(f"{path}: expected an object, found {type(value).__name__}")
    return value


def _alpaca(record: Row, columns: Mapping[str, str], entry: Mapping[str, Any]) -> Row:
    def text(name: str) -> str:
        return _text(record.get(columns.get(name, "")))

    asked = "\n".join(part for part in (text("prompt"), text("query")) if part)
    answered = record.get(columns.get("response", ""))
    if entry.get("ranking") and isinstance(answered, list) and len(answered) == 2:
        chosen, rejected = map(_text, answered)  # as LLaMA-Factory read pairs before 0.7
        return {"prompt": asked, "chosen": chosen, "rejected": rejected}
    return {"prompt": asked} | _ending(record, columns, entry, text)


def _sharegpt(record: Row, columns: Mapping[str, str], entry: Mapping[str, Any]) -> Row:
    tags = dict(entry.get("tags") or TAGS)
    roles = {tags.get(f"{role}_tag"): role for role in ("user", "assistant", "system")}
    said = record.get(columns.get("messages", ""))
    messages = [
        {
            "role": roles.get(message.get(tags.get("role_tag"))) or "other",
            "content": _text(message.get(tags.get("content_tag"))),
        }
        for message in (said if isinstance(said, list) else [])
        if isinstance(message, dict)
    ]
    last = ""
    if messages and messages[-1]["role"] == "assistant":
        last = messages.pop()["content"]

    def text(name: str) -> str:
        if name == "response":
            return last
        value = record.get(columns.get(name, ""))
        return _text(value.get(tags.get("content_tag")) if isinstance(value, dict) else value)

    return {"prompt": messages} | _ending(record, columns, entry, text)


def _ending(record: Row, columns: Mapping[str, str], entry: Mapping[str, Any], text: Any) -> Row:
    if entry.get("ranking"):
        return {"chosen": text("chosen"), "rejected": text("rejected")}
    ending = {"response": text("response")}
    tag = columns.get("kto_tag")
    return ending | {"kto_tag": record.get(tag)} if tag else ending


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
