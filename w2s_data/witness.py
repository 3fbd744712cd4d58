"""Samplers that generate nothing: one notes what a row was asked, one gives that back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from w2s_data import backends
from w2s_data.answers import classes, vote
from w2s_data.backends import Backend
from w2s_data.backends.replay import Replay
from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.rows import Row, Sample
from w2s_data.show import Advance
from w2s_data.steps.sample import Sampler
from w2s_data.store import Request, key_of
from w2s_data.tasks import Task, choice, judge

APART = ("#", "/")  # between a row's id and its variation or its subtask


@dataclass
class Asked:
    """One prompt to a model: its round, where the store keeps it, and the samples.

    answers: what each sample declares (of a choice the option's text), None for nothing. classes:
    the letter of each answer's class. vote: over the samples of a round with several.
    """

    role: str
    model: str
    round: str
    id: str
    prompt: str
    key: str
    parameters: dict[str, Any]
    samples: list[Sample]
    choices: list[str]
    answers: list[str | None] = field(default_factory=list)
    classes: list[str | None] = field(default_factory=list)
    vote: dict[str, Any] = field(default_factory=dict)


class _Kept(Backend):
    """A model as the store knows it, whether or not it can still be loaded."""

    def __init__(self, spec: str, options: dict[str, Any]):
        kind, _, target = spec.partition(":")
        self.chat = bool(options.get("chat"))
        self._model: Backend | None
        try:
            self._model = Replay(target) if kind == "replay" else backends.load(spec, **options)
            self.fingerprint = self._model.fingerprint
        except W2SError:
            self._model, self.fingerprint = None, ""

    def stored(self, request: Request) -> Request:
        return self._model.stored(request) if self._model else super().stored(request)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._model is None:
            raise AttributeError(name)
        return getattr(self._model, name)


@dataclass
class Witness(Sampler):
    """Answers from the store alone, and notes what one row was asked."""

    def __post_init__(self) -> None:
        self.backend = _Kept(self.spec, self.options)
        self._id, self._noted = "", list[Asked]()

    def watch(self, row_id: str, model: dict[str, str], noted: list[Asked]) -> None:
        """Note what the row and its parts are asked; `model` as the manifest names it."""
        self._id, self._noted = row_id, noted
        self.backend.fingerprint = model["fingerprint"]

    def _round(self, rows: Spool, request: Callable[[Row], Request], into: str) -> Iterator[Row]:
        for row in super()._round(rows, request, into):
            if _belongs(row["id"], self._id):
                self._note(row, request(row), into)
            yield row

    def _note(self, row: Row, request: Request, into: str) -> None:
        fingerprint = self.backend.fingerprint
        self._noted.append(
            Asked(
                self.role,
                self.spec,
                into,
                row["id"],
                request.prompt_text(),
                key_of(request, fingerprint),
                request.parameters() | {"first sample": request.start},
                row[into],
                list(row.get("choices", ())),
            )
        )

    def _fill(self, requests: Iterator[Request], advance: Advance) -> None:
        absent = sum(request.n for request in requests)
        raise W2SError(
            f"the store {self.store.path} lacks {absent:,} responses of {self.role} "
            f"({self.rounds[-1].into}), with which the set was built: name the right --store, or "
            "build the set again"
        )


@dataclass
class Frozen(Sampler):
    """Gives a row the samples it got before, whatever it is asked now."""

    recorded: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = _Kept(self.spec, self.options)

    def _round(self, rows: Spool, request: Callable[[Row], Request], into: str) -> Iterator[Row]:
        for row in rows:
            n = request(row).n
            yield row | {into: self._samples(row["id"], into, n)[:n]}

    def _samples(self, row_id: str, into: str, n: int) -> list[Sample]:
        for asked in self.recorded:
            known = (asked.role, asked.round, asked.id) == (self.role, into, row_id)
            if known and len(asked.samples) >= n:
                return asked.samples
        raise LookupError(row_id)


def _belongs(row_id: str, to: str) -> bool:
    return row_id == to or any(row_id.startswith(to + mark) for mark in APART)


def classed(asked: list[Asked], task: Task, compat: str | None) -> dict[str, str]:
    """Fill in what the samples declare, and return an answer of each class by its letter."""
    for one in asked:
        one.answers = [_answer(sample["text"], one, task, compat) for sample in one.samples]
        if len(one.samples) > 1:
            counted = vars(vote(one.answers, compat=compat))
            one.vote = {name: counted[name] for name in VOTE}
    answers = [answer for one in asked for answer in one.answers]
    found = classes(answers, compat=compat)
    names = [choice.LETTERS[i] if i < 26 else f"Z{i}" for i in range(len(found.groups))]
    letters = {index: name for name, group in zip(names, found.groups) for index in group}
    ordered = iter(range(len(answers)))
    for one in asked:
        one.classes = [letters.get(next(ordered)) for _ in one.answers]
    return {name: answers[group[0]] or "" for name, group in zip(names, found.groups)}


VOTE = ("answer", "votes", "n", "parsed", "confidence", "margin", "entropy", "tied")


def _answer(text: str, asked: Asked, task: Task, compat: str | None) -> str | None:
    answer = judge.declared(task, text, asked.choices, compat=compat)
    if answer and asked.choices and judge.kind(task) == "choice":
        return choice.text_of(answer, asked.choices)
    return answer
