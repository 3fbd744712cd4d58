"""The rows of a set as LLaMA-Factory gets them, through `datasets`; and the lines they stand on.

A file that `datasets` cannot load is read again, more slowly, for the line that is to blame.
"""

from __future__ import annotations

import codecs
import csv
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from w2s_data.check.entries import Entry
from w2s_data.check.findings import Place
from w2s_data.rows import Row

BATCH = 1000
MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16", codecs.BOM_UTF8: "a BOM"}


class Unloadable(Exception):
    """The set cannot be loaded: what is wrong and, where it is known, at which place."""

    def __init__(self, message: str, place: Place | None = None):
        super().__init__(message)
        self.message, self.place = message, place


def load(entry: Entry, cache: str) -> Any:
    """The set as a `datasets.Dataset`, loaded with the call that LLaMA-Factory makes."""
    import datasets

    files = entry.files()
    try:
        with _silent(datasets):
            table = datasets.load_dataset(
                entry.kind(),
                name=entry.raw.get("subset"),
                data_dir=entry.raw.get("folder"),
                data_files=[str(path) for path in files],
                split=entry.raw.get("split", "train"),
                cache_dir=cache,
            )
    except Exception as error:  # every reader of `datasets` has errors of its own
        raise _why(files, error) from None
    if not isinstance(table, datasets.Dataset):
        raise Unloadable("split is null in the entry: leave it out")
    return table


@contextmanager
def _silent(datasets: Any) -> Iterator[None]:
    bars = datasets.utils.are_progress_bars_disabled()
    log = logging.getLogger("datasets")
    level = log.level
    datasets.disable_progress_bars()
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
        if not bars:
            datasets.enable_progress_bars()


def rows_of(table: Any, entry: Entry) -> Iterator[Row]:
    """Every row of a loaded set."""
    try:
        for batch in table.iter(BATCH):
            names = list(batch)
            for values in zip(*batch.values(), strict=True):
                yield dict(zip(names, values, strict=True))
    except UnicodeDecodeError as error:
        raise _why(entry.files(), error) from None


def count(path: Path) -> int | None:
    """How many rows a file of JSON holds by its own count; None where the loader's count is it."""
    if path.suffix not in (".json", ".jsonl"):
        return None
    if not _is_list(path):
        return sum(1 for _ in _lines(path))
    try:
        return len(json.loads(path.read_text("utf-8")))
    except ValueError:
        return None


def places(entry: Entry, total: int) -> Iterator[Place]:
    """Where the rows stand, in the order in which they are loaded."""
    row = 0
    by_line = sum(count(path) or 0 for path in entry.files()) == total
    for path in entry.files():
        numbers: Iterator[int | None] = iter([None] * (count(path) or total))
        if by_line and not _is_list(path):
            numbers = (number for number, _ in _lines(path))
        elif path.suffix == ".txt":
            numbers = iter(range(1, total + 1))
        elif path.suffix == ".csv":
            numbers = _csv_lines(path)
        for number in numbers:
            row += 1
            yield Place(str(path), row, number)
    while True:
        row += 1
        yield Place(str(path), row)


def _is_list(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(1 << 16).lstrip()[:1] == b"["


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line


def _csv_lines(path: Path) -> Iterator[int]:
    csv.field_size_limit(2**31 - 1)
    with open(path, encoding="utf-8-sig", newline="", errors="replace") as file:
        reader = csv.reader(file)
        next(reader, None)
        for cells in reader:
            if cells:
                yield reader.line_num


def _why(files: list[Path], error: Exception) -> Unloadable:
    """The error in a sentence, with the first place in the files that explains it."""
    for path in files:
        try:
            if found := _first_wrong(path):
                return found
        except (OSError, RecursionError):
            continue
    cause = error.__cause__ or error
    said = " ".join(f"{type(cause).__name__}: {cause}".split())
    return Unloadable(f"`datasets` cannot load it: {said[:200]}")


def _first_wrong(path: Path) -> Unloadable | None:
    with open(path, "rb") as file:
        head = file.read(4)
    if not head:
        return Unloadable(f"{path.name} is empty")
    if path.suffix not in (".json", ".jsonl", ".csv", ".txt"):
        return None
    for mark, name in MARKS.items():
        if head.startswith(mark):
            return Unloadable(f"{path.name} begins with {name}, not plain UTF-8", _at(path, 1))
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return Unloadable("a line is not UTF-8", _at(path, number))
    if path.suffix in (".json", ".jsonl"):
        return _wrong_list(path) if _is_list(path) else _wrong_lines(path)
    return None


def _at(path: Path, line: int) -> Place:
    return Place(str(path), line, line)


def _wrong_lines(path: Path) -> Unloadable | None:
    types: dict[str, str] = {}
    for row, (number, line) in enumerate(_lines(path), 1):
        place = Place(str(path), row, number)
        try:
            value = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
        except _Twice as error:
            return Unloadable(f"an object has the key {str(error)!r} twice", place)
        except json.JSONDecodeError as error:
            said = f"{error.msg.lower()} at character {error.pos + 1}"
            return Unloadable(f"a line is not valid JSON: {said}", place)
        if wrong := _wrong_value(value, types):
            return Unloadable(wrong, place)
    return None


def _wrong_list(path: Path) -> Unloadable | None:
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        return Unloadable(f"the file is not valid JSON: {error}"[:200], _at(path, line))
    types: dict[str, str] = {}
    for row, value in enumerate(values, 1):
        if wrong := _wrong_value(value, types):
            return Unloadable(wrong, Place(str(path), row))
    return None


class _Twice(Exception):
    """A key that stands twice in an object."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(next(name for name in names if names.count(name) > 1))
    return found


def _wrong_value(value: Any, types: dict[str, str]) -> str | None:
    if not isinstance(value, dict):
        return f"a row is no object, but {_type(value)}"
    return _mixed("", value, types)


def _mixed(path: str, value: Any, types: dict[str, str]) -> str | None:
    """The first value of another type than the values before it at the same path."""
    if value is None:
        return None
    known = types.setdefault(path, _type(value))
    if known != _type(value):
        return f"{path} is {known} in earlier rows and {_type(value)} here"
    if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        return f"{path} is not valid Unicode: it holds a lone surrogate"
    inside = list(value.items()) if isinstance(value, dict) else []
    inside += [("[]", each) for each in value] if isinstance(value, list) else []
    for key, each in inside:
        if wrong := _mixed(f"{path}.{key}".lstrip("."), each, types):
            return wrong
    return None


def _type(value: Any) -> str:
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number",
             dict: "an object", list: "a list"}  # fmt: skip
    return names.get(type(value), "null")
