"""Files: rows in, rows out; each written file appears whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import errno
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import jsonlines

from w2s_data.errors import W2SError
from w2s_data.rows import Row

READERS = ("jsonl", "json", "csv", "parquet")


def read_rows(path: str | Path) -> Iterator[tuple[int, Row]]:
    """Yield (line, row) of a jsonl, json (a list), csv or parquet file; lines count from 1.

    For json and parquet the number is that of the row. Raises W2SError naming file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise W2SError(f"{path}: no such file")
    kind = path.suffix.lstrip(".").lower()
    if kind not in READERS:
        raise W2SError(f"{path}: cannot read {path.suffix!r} files; use {', '.join(READERS)}")
    rows = {"jsonl": _jsonl, "json": _json, "csv": _csv, "parquet": _parquet}[kind](path)
    with _reading(path):
        for line, row in rows:
            if not isinstance(row, dict):
                raise W2SError(f"{path}:{line}: expected an object, found {type(row).__name__}")
            yield line, row


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise W2SError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise W2SError(f"{path}: cannot be read: {error.strerror or error}") from None


def _jsonl(path: Path) -> Iterator[tuple[int, Any]]:
    with open(path, "rb") as file:
        for number, raw in enumerate(file, 1):
            text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            if not text:
                continue
            try:
                yield number, json.loads(text)
            except ValueError as error:
                torn = "" if raw.endswith(b"\n") else " (the last line is torn: it has no end)"
                raise W2SError(f"{path}:{number}: not valid JSON{torn}: {error}") from None


def _json(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        rows = json.loads(path.read_text("utf-8-sig"))
    except ValueError as error:
        if isinstance(error, UnicodeDecodeError):
            raise
        raise W2SError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(rows, list):
        keys = f" with {', '.join(rows)[:80]}" if isinstance(rows, dict) and rows else ""
        raise W2SError(
            f"{path}: expected a list of objects, found {type(rows).__name__}{keys}; save the rows "
            "alone, as a list or as jsonl"
        )
    yield from enumerate(rows, 1)


def _csv(path: Path) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(2**31 - 1)
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for row in reader:
                if None in row or None in row.values():
                    raise W2SError(f"{path}:{reader.line_num}: not as many fields as the header")
                yield reader.line_num, row
        except csv.Error as error:
            raise W2SError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow.lib
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(1024):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except pyarrow.lib.ArrowInvalid as error:
        raise W2SError(f"{path}: not a parquet file: {error}") from None


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[IO[str]]:
    """A text file that appears at `path` whole, or not at all (temporary file, fsync, rename)."""
    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with open(fd, "w", encoding="utf-8", newline="\n") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
        _sync_folder(path.parent)


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` into one sentence."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        way_out = "free some space and run again" if full else "choose another output folder"
        raise W2SError(f"{path}: cannot be written: {error.strerror or error}; {way_out}") from None


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def dump(row: Any) -> str:
    """`row` as one line of JSON, the same bytes everywhere."""
    text = json.dumps(row, ensure_ascii=False, separators=(", ", ": "))
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(row, separators=(", ", ": "))
    return text


def write_rows(path: str | Path, rows: Iterable[Row]) -> int:
    """Write `rows` as jsonl, whole or not at all; returns their number."""
    count = 0
    with atomic(path) as file:
        writer = jsonlines.Writer(file, dumps=dump)
        for row in rows:
            writer.write(row)
            count += 1
    return count


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    with atomic(path) as file:
        json.dump(value, file, ensure_ascii=False, indent=2)
        file.write("\n")


def file_hash(path: str | Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(path: str | Path, busy: str = "") -> Iterator[None]:
    """Hold the lock file `path` against other processes: wait for it, or raise `busy` if given.

    A lock that nobody waits for is removed at the end.
    """
    import fcntl

    path = Path(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise W2SError(busy) from None
        if busy and not (path.exists() and os.path.samestat(os.fstat(fd), path.stat())):
            raise W2SError(busy)
        try:
            yield
        finally:
            if busy:
                path.unlink(missing_ok=True)
    finally:
        os.close(fd)


def sweep(folder: Path, name: str) -> None:
    """Remove what killed writers of `name` left in `folder`; the caller holds the lock."""
    for leftover in folder.glob(f".{glob.escape(name)}.*.tmp"):
        leftover.unlink(missing_ok=True)


class Spool:
    """Rows on disk in a temporary file: any number of passes, memory for a few of them."""

    def __init__(self, rows: Iterable[Row]):
        self._count = 0
        self._file = tempfile.TemporaryFile("w+b")  # noqa: SIM115 (lives as long as the spool)
        with writing(tempfile.gettempdir()):
            for row in rows:
                self._file.write(json.dumps(row).encode() + b"\n")
                self._count += 1
            self._file.flush()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Row]:
        position = 0
        while True:
            self._file.seek(position)
            lines = self._file.readlines(1 << 20)
            if not lines:
                return
            position = self._file.tell()
            yield from map(json.loads, lines)
