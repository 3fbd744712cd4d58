"""Every row of a set: what LLaMA-Factory makes of it, and why it loses the ones it loses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, NamedTuple

from w2s_data.check.convert import ANSWERING, Dies, Example, converter, encode_problem
from w2s_data.check.entries import COLUMNS, FORMATTINGS, Entry
from w2s_data.check.findings import Findings, Place
from w2s_data.check.rows import BATCH, places, rows_of
from w2s_data.factory import shape
from w2s_data.rows import Row


class Seen(NamedTuple):
    """A row that is trained on: where it stands, as it is on file, as it is understood."""

    place: Place
    row: Row
    example: Example


@dataclass
class Survey:
    """The verdict on a set. `fails` is the first thing that stops the training, None for none;
    `dropped` the numbers, from 0, of the rows lost without an error."""

    entry: Entry
    stage: str
    found: Findings
    fails: str | None = None
    rows: int = 0
    dropped: list[int] = field(default_factory=list)

    def run(self, table: Any) -> Iterator[Seen]:
        """Pass on the rows that are trained on; the verdict is complete when they are through."""
        rows = rows_of(table, self.entry)
        head = list(islice(rows, BATCH))
        self._check_columns(table, head)
        if not self._applicable():
            return
        convert = converter(self.entry, self.stage)
        batch: list[tuple[Place, Example | None]] = []
        blank = _Blank()
        for row, place in zip(chain(head, rows), places(self.entry, len(table)), strict=False):
            number, self.rows = self.rows, self.rows + 1
            place = place._replace(id=_id(row))
            example = self._converted(convert, row, place, number)
            batch.append((place, example))
            if example and (part := blank.filled(number, example)):
                self._dies("W407", f"the first {BATCH:,} rows have no {part}, this one has", place)
            if len(batch) == BATCH:
                self._mismatched(batch)
                batch = []
            if example and not example.lost:
                yield Seen(place, row, example)
        self._mismatched(batch)
        if len(self.dropped) == self.rows and not self.fails:
            self.fails = "no row is left"
            self.found.add("W405", self.entry.name, file=self.entry.info)

    def _applicable(self) -> bool:
        """What LLaMA-Factory refuses before it reads a row."""
        entry = self.entry
        pairs = shape(self.stage) == "pair"
        if (pairs and entry.ranking is False) or (not pairs and entry.ranking is True):
            self.fails = "ranking does not fit the stage"
        elif entry.formatting not in FORMATTINGS:
            self.fails = "unknown formatting"
        return not self.fails

    def _check_columns(self, table: Any, head: list[Row]) -> None:
        entry, there = self.entry, set(table.column_names)
        for part, column in entry.columns.items():
            given = "columns" in entry.raw or _read(entry, self.stage, part)
            if column and given and column not in there:
                message = f"{part} is mapped to {column!r}; the file has {', '.join(sorted(there))}"
                self.found.add("W101", entry.name, message[:300], file=entry.info)
        for name in sorted(there & (COLUMNS.keys() | set(COLUMNS.values()))):
            known = {part for part in COLUMNS if name in (part, COLUMNS[part])}
            if not known & _parts_of(entry) or name in entry.columns.values():
                continue
            if any(row[name] for row in head):
                message = f"column {name!r} is not mapped and not read"
                self.found.add("W105", entry.name, message, file=entry.info)
        for part in ("prompt", "query", "response", "chosen", "rejected", "system"):
            column = entry.columns[part]
            kind = str(table.features[column].dtype) if _plain(table, column) else "string"
            if kind not in ("string", "large_string", "null") and part in _parts_of(entry):
                message = f"column {column!r} loads as {kind}, not as text"
                self.found.add("W404", entry.name, message, file=entry.info)

    def _converted(self, convert: Any, row: Row, place: Place, number: int) -> Example | None:
        try:
            example = convert(row)
        except Dies as error:
            self._dies(error.code, error.message, place)
            return None
        if example.lost:
            self.dropped.append(number)
            self.found.add(example.lost[0], self.entry.name, example.lost[1], place)
        elif wrong := encode_problem(example, self.stage):
            self._dies(*wrong, place)
        elif shape(self.stage) == "pair" and any(r not in ANSWERING for r, _ in example.response):
            self.found.add("W504", self.entry.name, place=place)
        return example

    def _dies(self, code: str, message: str, place: Place) -> None:
        self.fails = self.fails or message
        if code == "W101":
            self.found.add(code, self.entry.name, message, file=self.entry.info)
        else:
            self.found.add(code, self.entry.name, f"{message}; loading dies of it", place)

    def _mismatched(self, batch: list[tuple[Place, Example | None]]) -> None:
        """KTO sets each prompt against the response of the row before it in its batch, and dies
        when that has none."""
        if shape(self.stage) != "tag":
            return
        for i, (_, example) in enumerate(batch):
            place, before = batch[i - 1]
            if not example or example.lost or not before:
                continue
            said = [content for _, content in before.response]
            if not said or (len(said) == 1 and not said[0]):
                self._dies("W403", "the row has no KTO tag and no response", place)


class _Blank:
    """The types of system, tools and response are fixed by the first thousand rows."""

    def __init__(self) -> None:
        self.never = {"system", "tools", "response", "prompt"}

    def filled(self, number: int, example: Example) -> str | None:
        """The part that was blank all through the first thousand rows and is not blank here."""
        for part in sorted(self.never):
            value = getattr(example, part)
            if value is not None and value != []:
                self.never.discard(part)
                if number >= BATCH:
                    return part
        return None


def _id(row: Row) -> str | None:
    value = row.get("id")
    return str(value) if isinstance(value, str | int) and value != "" else None


def _plain(table: Any, column: Any) -> bool:
    return column in table.column_names and hasattr(table.features[column], "dtype")


def _parts_of(entry: Entry) -> set[str]:
    alpaca = {"prompt", "query", "response", "history"}
    both = set(COLUMNS) - alpaca - {"messages"}
    return both | (alpaca if entry.formatting == "alpaca" else {"messages"})


def _read(entry: Entry, stage: str, part: str) -> bool:
    """Whether a default column is read, and so must be there."""
    if entry.formatting != "alpaca":
        return part == "messages"
    return part in ("prompt", "query") or (part == "response" and shape(stage) == "response")
