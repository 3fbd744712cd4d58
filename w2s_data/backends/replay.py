"""Recorded generations as a model: `replay:FILE`, or `replay:NAME` for what was imported.

FILE (jsonl, json, csv, parquet) has one row per response: `prompt` (text, or a list of chat
messages), `response`, and optionally `sample`, its index; without it the order in the file counts
for each prompt. `prompt_field`, `response_field`, `sample_field` name other fields. A recorded
answer does not depend on our sampling parameters, so requests are looked up by prompt alone. The
weight of a choice is the `logprob` of the response that reads like it, but for blanks around it.
"""

from __future__ import annotations

import functools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from w2s_data.backends import Backend, check_options
from w2s_data.backends.encode import weighed
from w2s_data.errors import W2SError
from w2s_data.io import file_hash, read_rows
from w2s_data.rows import Prompt, Row, Sample, digest
from w2s_data.store import Request

OPTIONS = ("prompt_field", "response_field", "sample_field")
FIELDS = ("prompt", "response", "sample")


def load(target: str, **options: Any) -> Replay:
    """The recorded generations in the file `target`, or those imported under that name.

    Options: `prompt_field` ("prompt"), `response_field` ("response"), `sample_field` ("sample").
    """
    check_options("replay", options, OPTIONS)
    path = Path(target)
    if not path.is_file() and (path.suffix or len(path.parts) > 1):
        raise W2SError(f"{target}: no such file (recorded generations to replay)")
    return Replay(target, **options)


def recorded(prompt: Prompt, n: int = 1, start: int = 0) -> Request:
    """The request that stands for recorded answers to `prompt`, whatever it was sampled with."""
    return Request(prompt=prompt, n=n, start=start, temperature=1.0)


class Replay(Backend):
    """Answers from a file; a name answers nothing itself: the store has what was imported."""

    def __init__(
        self,
        target: str,
        prompt_field: str = "prompt",
        response_field: str = "response",
        sample_field: str = "sample",
    ):
        self.target = target
        self._is_file = Path(target).is_file()
        self._fields = (prompt_field, response_field, sample_field)
        self._db: sqlite3.Connection | None = None

    @functools.cached_property
    def fingerprint(self) -> str:  # type: ignore[override]
        if not self._is_file:
            return f"replay:{self.target}"
        content = file_hash(self.target)
        fields = "" if self._fields == FIELDS else digest(*self._fields)[:8]
        return f"replay:{content[:32]}{fields and '/' + fields}"

    def stored(self, request: Request) -> Request:
        if request.choices:
            return request
        return recorded(request.prompt, request.n, request.start)

    def __call__(self, requests: Iterable[Request]) -> Iterator[tuple[int, list[Sample]]]:
        """Raises W2SError, after all that is recorded was yielded, if something is not."""
        absent, first = 0, ""
        for position, request in enumerate(requests):
            samples = self._lookup(request)
            if len(samples) == request.n:
                yield position, samples
                continue
            absent += 1
            first = first or f"{len(samples)} of {request.n} for {_excerpt(request)}"
        if absent:
            raise W2SError(
                f"replay:{self.target} lacks recorded responses for {absent} prompts "
                f"(the first: {first}); {self._way_out}"
            )

    @property
    def _way_out(self) -> str:
        if self._is_file:
            return "prompts must be the recorded ones to the letter"
        return f"import them: w2s-data import FILE --name {self.target}"

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _lookup(self, request: Request) -> list[Sample]:
        if not self._is_file:
            return []
        if self._db is None:
            self._db = _index(self.target, *self._fields)
        if request.choices:
            asked = range(request.start, request.start + request.n)
            found = {index: self._logprob(request, index) for index in asked}
            return [
                weighed(request, i, 0, value) for i, value in found.items() if value is not None
            ]
        rows = self._db.execute(
            "SELECT sample, text FROM response WHERE prompt = ? AND sample >= ? AND sample < ?"
            " ORDER BY sample",
            (_key(request.prompt_text()), request.start, request.start + request.n),
        )
        return [Sample(index=index, text=text, finish="stop", tokens=0) for index, text in rows]

    def _logprob(self, request: Request, index: int) -> float | None:
        """What is recorded of the choice `index` after the prompt."""
        assert self._db is not None
        rows = self._db.execute(
            "SELECT text, logprob FROM response WHERE prompt = ? AND logprob IS NOT NULL",
            (_key(request.prompt_text()),),
        )
        choice = request.choices[index].strip()
        return next((value for text, value in rows if text.strip() == choice), None)


def _index(path: str, *fields: str) -> sqlite3.Connection:
    """The file as a table on disk (a temporary one), so that memory stays flat in its size."""
    db = sqlite3.connect("")
    db.execute(
        "CREATE TABLE response (prompt BLOB, sample INTEGER, text TEXT, logprob REAL,"
        " PRIMARY KEY (prompt, sample)) WITHOUT ROWID"
    )
    db.execute("CREATE TABLE seen (prompt BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID")
    for line, row in read_rows(path):
        prompt, text, sample = _fields_of(row, fields, f"{path}:{line}")
        if sample is None:
            (sample,) = db.execute(
                "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1"
                " RETURNING count - 1",
                (prompt,),
            ).fetchone()
        try:
            values = (prompt, sample, text, _logprob_of(row, f"{path}:{line}"))
            db.execute("INSERT INTO response VALUES (?, ?, ?, ?)", values)
        except sqlite3.IntegrityError:
            raise W2SError(
                f"{path}:{line}: sample {sample} of this prompt is there twice"
            ) from None
    return db


def _fields_of(row: Row, fields: tuple[str, ...], where: str) -> tuple[bytes, str, int | None]:
    prompt_field, response_field, sample_field = fields
    for field in (prompt_field, response_field):
        if field not in row:
            raise W2SError(f"{where}: no field {field!r}; it has: {', '.join(row)}")
    prompt, text, sample = row[prompt_field], row[response_field], row.get(sample_field)
    if not isinstance(text, str):
        raise W2SError(f"{where}: {response_field} must be text, was: {text!r}")
    if isinstance(prompt, list):
        prompt = Request(prompt=tuple(prompt)).prompt_text()
    if not isinstance(prompt, str):
        raise W2SError(f"{where}: {prompt_field} must be text or chat messages, was: {prompt!r}")
    if sample in (None, ""):
        return _key(prompt), _utf8(text), None
    if not str(sample).isdecimal():
        raise W2SError(f"{where}: {sample_field} must be an integer >= 0, was: {sample!r}")
    return _key(prompt), _utf8(text), int(sample)


def _logprob_of(row: Row, where: str) -> float | None:
    value = row.get("logprob")
    try:
        return None if value in (None, "") else float(str(value))
    except ValueError:
        raise W2SError(f"{where}: logprob must be a number, was: {value!r}") from None


def _key(prompt: str) -> bytes:
    return bytes.fromhex(digest(prompt))[:16]


def _utf8(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _excerpt(request: Request) -> str:
    return json.dumps(request.prompt_text()[:60], ensure_ascii=False)
