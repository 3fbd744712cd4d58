"""Variations of each question, and the weak model's answer to every one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.prompts import render
from w2s_data.rows import Row, drop
from w2s_data.steps import replies, vary
from w2s_data.steps.sample import Sampler
from w2s_data.tasks import Task

TRIES = 2  # paraphrases asked for each one that is needed


def asked(
    rows: Iterable[Row],
    weak: Sampler,
    paraphraser: Sampler | None,
    notes: dict[str, Any],
    n: int,
    temperature: float,
    logprobs: bool,
    seed: int,
) -> Iterator[Row]:
    """Each row with its `ways`, every one with the weak model's sample; or dropped."""
    varied = Spool(_varied(rows, weak.task, paraphraser, notes, n, seed))
    ways = (way for row in varied for way in row.get("ways", ()))
    answered = weak(ways, "weak", temperature=temperature, logprobs=logprobs)
    for row in varied:
        if "dropped" in row:
            yield row
        else:
            yield row | {"ways": [next(answered) for _ in row["ways"]]}


def _varied(
    rows: Iterable[Row],
    task: Task,
    paraphraser: Sampler | None,
    notes: dict[str, Any],
    n: int,
    seed: int,
) -> Iterator[Row]:
    rejected = Counter[str]()
    for row in _paraphrased(rows, task, paraphraser, n):
        others: list[str] = []
        for found in row.pop("paraphrases", ()):
            others += [found] if isinstance(found, str) else []
            rejected.update([] if isinstance(found, str) else found)
        ways = vary.vary(row, task, n, seed, others)
        if len(ways) < n and vary.needs_paraphrases(row, task):
            yield drop(row, f"fewer than {n} ways to ask the question")
        else:
            yield row | {"ways": ways}
    if paraphraser:
        notes["paraphrases rejected"] = dict(sorted(rejected.items()))


def _paraphrased(
    rows: Iterable[Row], task: Task, paraphraser: Sampler | None, n: int
) -> Iterator[Row]:
    """Rows with their `paraphrases`: texts, or [the reason why one is of no use]."""
    if not paraphraser:
        for row in rows:
            if not vary.needs_paraphrases(row, task):
                yield row
                continue
            own = list(vary.own_paraphrases(row, n - 1))
            if not own:
                raise W2SError(
                    f"task {task.name!r} has neither options nor other wordings: name a model that "
                    "paraphrases its questions with --role paraphraser=MODEL"
                )
            yield row | {"paraphrases": own}
        return

    def prompt(row: Row) -> str:
        slots = {"question": row["question"], "right": None, "wrong": None}
        return render("complexity_paraphrase", **slots)

    asked = paraphraser(rows, "replies", prompt=prompt, n=TRIES * (n - 1), temperature=1.0, stop=())
    for row in asked:
        given = replies.Paraphrase(row["question"], None, None)
        read = [replies.paraphrase(sample, given, "") for sample in row["replies"]]
        rest = {name: value for name, value in row.items() if name != "replies"}
        texts = [[one] if isinstance(one, str) else one.question for one in read]
        yield rest | {"paraphrases": texts}
