"""A sampler that counts what it is asked and what the store lacks, and times what it generates."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from w2s_data.backends import Backend
from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.rows import Row, Sample, digest
from w2s_data.steps.sample import Sampler
from w2s_data.store import Request, key_of

EXAMPLES = 32


@dataclass
class Note:
    """One round, measured.

    asked, missing: samples in all, and those the store lacked; prompts, characters: of the
    requests that lacked some. samples, tokens, texts: what came back, with its characters.
    generated: samples in `seconds`, the model's `load` apart. examples: some of the prompts.
    lacking: the first few rows that lacked samples, in a seeded order, as (rank, id).
    """

    role: str
    model: str
    into: str
    asked: int = 0
    missing: int = 0
    prompts: int = 0
    characters: int = 0
    samples: int = 0
    tokens: int = 0
    texts: int = 0
    generated: int = 0
    seconds: float = 0.0
    load: float = 0.0
    keys: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    lacking: list[tuple[str, str]] = field(default_factory=list)

    def time(self, first: tuple[int, float], rest: tuple[int, float]) -> None:
        """Samples and seconds of the first request, which waits for the model, and the others."""
        each = rest[1] / rest[0] if rest[0] else first[1] / max(1, first[0])
        self.generated = first[0] + rest[0]
        self.seconds = each * self.generated
        self.load = max(0.0, first[1] + rest[1] - self.seconds)


@dataclass
class Gauge(Sampler):
    """Notes each round in `notes`: `remember` so many rows that lack samples, and with `keyed`
    the store's key of every request. With `store_only` the model is never asked."""

    notes: list[Note] = field(default_factory=list)
    remember: int = 0
    keyed: bool = False
    store_only: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self.backend = self._timed = _Timed(self.backend, self.store_only)

    def _round(self, rows: Spool, request: Callable[[Row], Request], into: str) -> Iterator[Row]:
        note = Note(self.role, self.spec, into)
        self.notes.append(note)
        self._timed.note = note
        for row in rows:
            self._count(note, row["id"], request(row))
        for row in super()._round(rows, request, into):
            for sample in row[into]:
                note.samples += 1
                note.tokens += sample["tokens"]
                note.texts += len(sample["text"])
            yield row

    def _count(self, note: Note, row_id: str, request: Request) -> None:
        absent = self.store.missing(request, self.backend.fingerprint)
        note.asked += request.n
        if self.keyed:
            note.keys.append(key_of(request, self.backend.fingerprint))
        if absent:
            note.missing += sum(part.n for part in absent)
            note.prompts += 1
            note.characters += len(request.prompt_text())
            if len(note.examples) < EXAMPLES:
                note.examples.append(request.prompt_text())
            bisect.insort(note.lacking, (digest("plan", str(self.seed), row_id), row_id))
            del note.lacking[self.remember :]


class _Timed(Backend):
    """A model that notes how fast it is. Its first request goes alone, for it loads the model."""

    def __init__(self, model: Backend, store_only: bool):
        self.model, self.fingerprint, self.chat = model, model.fingerprint, model.chat
        self.store_only = store_only
        self.note: Note | None = None

    def __call__(self, requests: Iterable[Request]) -> Iterator[tuple[int, list[Sample]]]:
        if self.store_only:
            raise W2SError("the store lacks responses")
        waiting = iter(requests)
        first = next(waiting, None)
        if first is None:
            return
        spent = [(0, 0.0), (0, 0.0)]
        for place, some in enumerate((iter([first]), waiting)):
            began, samples = time.perf_counter(), 0
            for position, answered in self.model(some):
                samples += len(answered)
                yield position + place, answered
            spent[place] = (samples, time.perf_counter() - began)
        if self.note:
            self.note.time(*spent)

    def stored(self, request: Request) -> Request:
        return self.model.stored(request)

    def close(self) -> None:
        self.model.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["model"], name)
