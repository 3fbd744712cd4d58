"""Replies as Alice's rounds use them, and rows on their way through the rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from w2s_data import prompts
from w2s_data.io import Spool
from w2s_data.prompts import render
from w2s_data.rows import Row, Sample
from w2s_data.steps.faults import LONGEST, fault
from w2s_data.steps.tidy import tidy
from w2s_data.tasks import Task, judge
from w2s_data.tasks.choice import listed

SHOWN = 2000  # characters of a response within a prompt


class Reply(NamedTuple):
    """A reply as it is used: its text, the answer it declares, whether by the task's own words,
    and what is wrong with it."""

    text: str
    answer: str | None
    formatted: bool
    fault: str


def read(sample: Sample, row: Row, task: Task) -> Reply:
    """The sample as a reply to the row's question."""
    if len(sample["text"]) > LONGEST:
        return Reply("", None, False, "too long")
    text = tidy(sample["text"], task)
    answer = judge.declared(task, text, row.get("choices", ()))
    formatted = bool(answer and text.partition(task.answer_key)[2].strip())
    goes_on = len(sample["text"].strip().removesuffix(".")) > len(text)
    whole = formatted and (goes_on or sample["finish"] != "length")
    told = Sample(**(sample | {"text": text}))
    return Reply(text, answer, formatted, fault(told, row["question"], declares=whole))


def shown(text: str) -> str:
    """A response as a prompt shows it: of a long one both ends, for the answer stands last."""
    half = SHOWN // 2
    return text if len(text) <= SHOWN else f"{text[:half]}\n[...]\n{text[-half:]}"


def ended(row: Row) -> bool:
    return "dropped" in row or "endings" in row


def going_on(
    rows: Iterable[Row],
    step: Callable[[Iterable[Row]], Iterator[Row]],
    goes: Callable[[Row], bool] = lambda row: not ended(row),
) -> Iterator[Row]:
    """All rows in their order: those that go on have passed through the step."""
    spooled = rows if isinstance(rows, Spool) else Spool(rows)
    passed = step(row for row in spooled if goes(row))
    for row in spooled:
        yield next(passed) if goes(row) else row


def without(row: Row, name: str) -> Row:
    """The row but for one key: samples stay in the store, not in the rows."""
    return {key: value for key, value in row.items() if key != name}


def _format(task: Task) -> str:
    name = f"alice_format_{task.name}"
    known = name in prompts.names()
    return render(name) if known else render("alice_format", answer_key=task.answer_key)


def solving(task: Task) -> Callable[[Row], str]:
    """The prompt that asks for a chain of thought in the task's format."""
    wanted = _format(task)
    return lambda row: render("alice_solve", question=listed(row), answer_format=wanted)


def proactive_prompt(task: Task, base: bool) -> Callable[[Row], str]:
    """The prompt of the fourth round. Nothing in it says which answer is right."""

    def prompt(row: Row) -> str:
        seen = {name: shown(row[name]) for name in ("student", "teacher", "doubt")}
        if base:
            return render("alice_proactive_base", question=listed(row), **seen)
        wanted = _format(task)
        return render("alice_proactive", question=listed(row), answer_format=wanted, **seen)

    return prompt
