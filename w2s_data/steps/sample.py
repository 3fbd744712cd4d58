"""A model in a role: ask it about every row, through the response store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from w2s_data import backends, show
from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.rows import Row, Sample, digest
from w2s_data.store import Request, Store, weigh
from w2s_data.tasks import Task


class Round(NamedTuple):
    """One round of generation: its first prompt, the samples asked for, and those stored before."""

    role: str
    spec: str
    into: str
    first_prompt: str
    asked: int
    stored: int


@dataclass
class Sampler:
    """The model `spec` in `role` on `task`. Calling it is one round of generation.

    `options` go to the backend. With `dry_run` nothing is generated: `rounds` tells what would be,
    and absent samples are empty.
    """

    role: str
    spec: str
    task: Task
    store: Store
    seed: int = 42
    max_tokens: int | None = None
    dry_run: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend = backends.load(self.spec, **self.options)

    def __call__(
        self,
        rows: Iterable[Row],
        into: str,
        *,
        prompt: Callable[[Row], str] | None = None,
        n: int = 1,
        start: Callable[[Row], int] | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        max_tokens: int | None = None,
        stop: tuple[str, ...] | None = None,
        logprobs: bool = False,
    ) -> Iterator[Row]:
        """Yield `row | {into: samples}`, n samples a row, in the order of the rows.

        The round runs to its end for every row, and the model is released, before the first row
        is yielded; rows wait on disk. `prompt` makes a row's prompt in place of `row["prompt"]`.
        Rows with one and the same prompt get samples of their own, in the order of their ids, or
        from the number on that `start` says. Temperature 0 is greedy. `max_tokens` and `stop` are
        the task's where they are not given; with `logprobs` each sample has its log-probabilities.
        """
        plain = Request(
            "",
            n=n,
            temperature=temperature,
            top_p=top_p,
            max_tokens=max_tokens or self.max_tokens or self.task.max_tokens,
            stop=self.task.stop if stop is None else stop,
            logprobs=logprobs,
            seed=self.seed,
        )

        def text(row: Row) -> str:
            return prompt(row) if prompt else row["prompt"]

        def request(row: Row) -> Request:
            first = start(row) if start else n * taken.get(row["id"], 0)
            return self.backend.stored(replace(plain, prompt=text(row), start=first))

        spooled = rows if isinstance(rows, Spool) else Spool(rows)
        taken = {} if start else turns(spooled, text)
        yield from self._round(spooled, request, into)

    def weigh(
        self, rows: Iterable[Row], into: str, choices: Callable[[Row], tuple[str, ...]]
    ) -> Iterator[Row]:
        """Yield `row | {into: samples}`: one sample for each of the row's `choices`, in order,
        with the `logprob` of that continuation of the row's prompt. Nothing is generated; the
        round is otherwise like any other."""

        def request(row: Row) -> Request:
            return self.backend.stored(weigh(row["prompt"], choices(row)))

        spooled = rows if isinstance(rows, Spool) else Spool(rows)
        yield from self._round(spooled, request, into)

    def _round(self, rows: Spool, request: Callable[[Row], Request], into: str) -> Iterator[Row]:
        self._generate(rows, request, into)
        for row in rows:
            yield row | {into: self._stored(request(row))}

    def _generate(self, rows: Spool, request: Callable[[Row], Request], into: str) -> None:
        wanted = sum(part.n for part in self._absent(rows, request))
        first = next(map(request, rows), None)
        asked = first.n * len(rows) if first else 0
        shown = first.prompt_text() if first else ""
        self.rounds.append(Round(self.role, self.spec, into, shown, asked, asked - wanted))
        if wanted and not self.dry_run:
            with show.progress(f"{self.role}: {into}", wanted) as advance:
                self._fill(self._absent(rows, request), advance)

    def _absent(self, rows: Spool, request: Callable[[Row], Request]) -> Iterator[Request]:
        """What the store lacks."""
        for wanted in map(request, rows):
            yield from self.store.missing(wanted, self.backend.fingerprint)

    def _fill(self, requests: Iterator[Request], advance: show.Advance) -> None:
        """Store what the backend answers: all it gave before asking for more in one transaction,
        so that a run killed and started again hands it the same requests together."""
        waiting: dict[int, Request] = {}
        done: list[tuple[Request, list[Sample]]] = []

        def flush() -> None:
            self.store.add_many(done, self.backend.fingerprint)
            advance(sum(len(samples) for _, samples in done))
            done.clear()

        def handed_out() -> Iterator[Request]:
            for position, part in enumerate(requests):
                if done:
                    flush()
                waiting[position] = part
                yield part

        try:
            for position, samples in self.backend(handed_out()):
                done.append((waiting.pop(position), samples))
        finally:
            flush()
            self.backend.close()

    def _stored(self, request: Request) -> list[Sample]:
        samples = self.store.samples(request, self.backend.fingerprint)
        if len(samples) < request.n and not self.dry_run:
            raise W2SError(
                f"{self.spec} gave {len(samples)} of {request.n} samples for the prompt "
                f"{request.prompt_text()[:80]!r}; run again to ask for the rest"
            )
        absent = Sample(index=len(samples), text="", finish="length", tokens=0)
        return samples + [absent] * (request.n - len(samples))


def turns(rows: Iterable[Row], text: Callable[[Row], str]) -> dict[str, int]:
    """For rows that share their prompt: whose turn it is, 0 for the first, in the order of ids."""
    seen: dict[bytes, str] = {}
    shared: dict[bytes, list[str]] = {}
    for row in rows:
        mark = bytes.fromhex(digest(text(row))[:32])
        first = seen.setdefault(mark, row["id"])
        if first != row["id"]:
            shared.setdefault(mark, [first]).append(row["id"])
    ordered = (sorted(ids, key=lambda row_id: (len(row_id), row_id)) for ids in shared.values())
    return {row_id: turn for ids in ordered for turn, row_id in enumerate(ids)}
