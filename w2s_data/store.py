"""The response store: every completion once, keyed by what determines it and nothing else.

One SQLite file in WAL mode, one row per sample. The key of a request is the hash of the rendered
prompt, the model's fingerprint, the sampling parameters and the seed; the sample index completes
it. A changed threshold costs no generation, a killed run goes on where it was, and n=10 raised to
20 generates 10.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError, out_of_range
from w2s_data.rows import Prompt, Sample, digest

STORE = "data/responses.sqlite"
SURROGATE = re.compile("[\ud800-\udfff]")

SCHEMA = """
CREATE TABLE IF NOT EXISTS request (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, prompt TEXT NOT NULL, parameters TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS response (
    key TEXT NOT NULL, sample INTEGER NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL,
    tokens INTEGER NOT NULL, logprob REAL, logprobs TEXT, PRIMARY KEY (key, sample)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS memo (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class Request:
    """What a backend is asked for: samples `start` .. `start + n - 1` of one prompt.

    `prompt` is plain text, or chat messages that the backend renders with the model's chat
    template. `temperature` 0 is greedy. `stop` strings end a sample and are not part of its text.
    `max_tokens` counts new tokens. `logprobs` asks for natural log-probabilities of the tokens.

    With `choices` nothing is generated: sample i is the i-th of these continuations with its
    `logprob`, read off in one forward pass, and no sampling parameter has a say (`weigh` makes
    such a request). `n` and `start` count the choices.
    """

    prompt: Prompt
    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    seed: int = 0
    logprobs: bool = False
    start: int = 0
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.choices and not all(self.choices):
            raise out_of_range("choices", "texts that are not empty", self.choices)
        if self.choices and self.start + self.n > len(self.choices):
            raise out_of_range("n", f"at most the {len(self.choices)} choices", self.n)
        if self.n < 1:
            raise out_of_range("n", ">= 1", self.n)
        if self.temperature < 0:
            raise out_of_range("temperature", ">= 0", self.temperature)
        if not 0 < self.top_p <= 1:
            raise out_of_range("top_p", "in (0, 1]", self.top_p)
        if self.max_tokens < 1:
            raise out_of_range("max_tokens", ">= 1", self.max_tokens)
        if self.temperature == 0 and self.n > 1 and not self.choices:
            raise W2SError(
                f"n must be 1 at temperature 0 (all samples are the same), was: {self.n}"
            )

    def parameters(self) -> dict[str, Any]:
        """What of this request is part of the store's key, beside prompt and model."""
        if self.choices:
            return {"choices": self.choices}
        return {
            "temperature": float(self.temperature),
            "top_p": float(self.top_p),
            "max_tokens": self.max_tokens,
            "stop": self.stop,
            "seed": self.seed if self.temperature else 0,
            "logprobs": self.logprobs,
        }

    def prompt_text(self) -> str:
        """The prompt as text; messages as JSON."""
        if isinstance(self.prompt, str):
            return self.prompt
        return json.dumps(list(self.prompt), ensure_ascii=False, sort_keys=True)


def weigh(prompt: Prompt, choices: tuple[str, ...]) -> Request:
    """The request for the log-probabilities of these continuations of `prompt`."""
    return Request(prompt, n=len(choices), choices=choices)


def key_of(request: Request, model: str) -> str:
    """The store's key of `request` to the model with this fingerprint."""
    kind = "text" if isinstance(request.prompt, str) else "chat"
    parameters = json.dumps(request.parameters(), sort_keys=True)
    return digest(kind, request.prompt_text(), model, parameters)


class Store:
    """An open response store. Several processes may use one file at once."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise W2SError(
                f"{path}: the response store cannot be opened: {error}; "
                "choose another file with --store"
            ) from None

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def samples(self, request: Request, model: str) -> list[Sample]:
        """The stored samples among those `request` asks for, by index."""
        rows = self._db.execute(
            "SELECT sample, text, finish, tokens, logprob, logprobs FROM response"
            " WHERE key = ? AND sample >= ? AND sample < ? ORDER BY sample",
            (key_of(request, model), request.start, request.start + request.n),
        )
        return [_sample(*row) for row in rows]

    def missing(self, request: Request, model: str) -> list[Request]:
        """What has still to be generated: `request` cut down to its absent index ranges."""
        rows = self._db.execute(
            "SELECT sample FROM response WHERE key = ? AND sample >= ? AND sample < ?",
            (key_of(request, model), request.start, request.start + request.n),
        )
        stored = {index for (index,) in rows}
        absent = (i for i in range(request.start, request.start + request.n) if i not in stored)
        return [replace(request, start=first, n=count) for first, count in _runs(absent)]

    def add(self, request: Request, model: str, samples: Iterable[Sample]) -> None:
        """Keep `samples` of `request`; what is stored already stays as it is."""
        self.add_many([(request, list(samples))], model)

    def add_many(self, batch: Iterable[tuple[Request, list[Sample]]], model: str) -> None:
        """Keep the samples of several requests in one transaction."""
        with self._transaction():
            for request, samples in batch:
                key = key_of(request, model)
                parameters = json.dumps(request.parameters(), sort_keys=True)
                self._db.execute(
                    "INSERT OR IGNORE INTO request VALUES (?, ?, ?, ?)",
                    (key, model, _clean(request.prompt_text()), parameters),
                )
                self._db.executemany(
                    "INSERT OR IGNORE INTO response VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [_values(key, sample) for sample in samples],
                )

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every stored sample with its model, prompt and parameters, in the order of the keys."""
        rows = self._db.execute(
            "SELECT model, prompt, parameters, sample, text, finish, tokens, logprob"
            " FROM request JOIN response USING (key) ORDER BY key, sample"
        )
        for model, prompt, parameters, *values in rows:
            head = {"model": model, "prompt": prompt, "parameters": json.loads(parameters)}
            yield head | dict(zip(("sample", "response", "finish", "tokens", "logprob"), values))

    def count(self) -> int:
        """How many samples are stored."""
        return self._db.execute("SELECT count(*) FROM response").fetchone()[0]

    def memo(self, name: str, compute: Callable[[], str]) -> str:
        """The value kept under `name`, computed the first time."""
        row = self._db.execute("SELECT value FROM memo WHERE name = ?", (name,)).fetchone()
        if row:
            return row[0]
        value = compute()
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO memo VALUES (?, ?)", (name, value))
        return value

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise W2SError(
                    f"{self.path}: the response store cannot be written: {error}; what was stored "
                    "is safe: make room or choose another file with --store, and run again"
                ) from None
            raise


def _values(key: str, sample: Sample) -> tuple[Any, ...]:
    logprobs = sample.get("logprobs")
    return (
        key,
        sample["index"],
        _clean(sample["text"]),
        sample["finish"],
        sample["tokens"],
        sample.get("logprob"),
        None if logprobs is None else json.dumps(logprobs),
    )


def _sample(
    index: int, text: str, finish: str, tokens: int, logprob: float | None, logprobs: str | None
) -> Sample:
    sample = Sample(index=index, text=text, finish=finish, tokens=tokens)
    if logprob is not None:
        sample["logprob"] = logprob
    if logprobs is not None:
        sample["logprobs"] = json.loads(logprobs)
    return sample


def _clean(text: str) -> str:
    """Lone surrogates cannot be stored as UTF-8: they become U+FFFD."""
    return SURROGATE.sub("\ufffd", text)


def _runs(indices: Iterable[int]) -> Iterator[tuple[int, int]]:
    """(first, length) of each run of consecutive integers."""
    first = count = None
    for index in indices:
        if first is not None and count is not None and index == first + count:
            count += 1
            continue
        if first is not None and count is not None:
            yield first, count
        first, count = index, 1
    if first is not None and count is not None:
        yield first, count
