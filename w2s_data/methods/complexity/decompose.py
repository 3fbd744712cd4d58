"""Hard tasks and their subtasks (section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from w2s_data import world
from w2s_data.answers import extract
from w2s_data.methods.complexity.teaching import (
    NOT_GENERATED,
    Teaching,
    ask,
    is_easy,
    is_generated,
    prompt_like,
    sentences,
)
from w2s_data.prompts import render
from w2s_data.rows import Row, Sample, drop
from w2s_data.steps import replies
from w2s_data.steps.stepwise import steps


def hard(rows: Iterable[Row], how: Teaching) -> Iterator[Row]:
    for row in rows:
        known = how.gold.get(row["id"])
        if not known or not known["solution"]:
            yield drop(row, "no reference solution")
        elif is_easy(row, how.gold, how.difficulty, how.easy):
            yield drop(row, "easy: left to the foundation")
        else:
            yield row | {"reference": known["response"], "answer": known["answer"]}


def decomposed(rows: Iterable[Row], how: Teaching) -> Iterator[Row]:
    if not how.parts:
        yield from (row if "dropped" in row else row | {"parts": []} for row in rows)
        return
    if how.decomposer is None:
        for row in rows:
            yield row if "dropped" in row else _split(row, _known_subtasks(row, how))
        return

    def requests(row: Row) -> list[Row]:
        if "dropped" in row:
            return []
        steps = sentences(row["reference"])
        slots = {"question": row["question"], "steps": steps, "parts": how.parts}
        return [{"id": row["id"], "prompt": render("complexity_decompose", **slots)}]

    limit = how.decomposer.max_tokens or 2 * how.decomposer.task.max_tokens
    stop = ("\nQuestion:",)
    for row, replied in ask(
        how.decomposer, rows, requests, "subtasks", max_tokens=limit, stop=stop
    ):
        yield _split(row, _read_subtasks(row, replied[0][0], how)) if replied else row


def _split(row: Row, parts: list[Row] | str) -> Row:
    if isinstance(parts, str):
        return drop(row, f"decomposer: {parts}")
    return row | {"parts": parts}


def _read_subtasks(row: Row, sample: Sample, how: Teaching) -> list[Row] | str:
    found = replies.subtasks(sample, how.parts, len(sentences(row["reference"])))
    if isinstance(found, str):
        return found
    most, parts = len(list(steps(row["reference"]))), []
    for k, part in enumerate(found, 1):
        if reason := replies.unsound(part, row["question"], row["reference"], how.rule):
            return reason
        if len(list(steps(part.solution))) > most:
            return "subtask has more steps than the task"
        declared = extract(how.rule, part.solution)
        answer = declared.answer if declared else ""
        span = f"{part.first}-{part.last}"
        parts.append(_part(row, k, part.question, part.solution, answer, span))
    return parts


def _known_subtasks(row: Row, how: Teaching) -> list[Row] | str:
    """The generator's own subtasks: their steps, in order, are the row's."""
    if not is_generated(row):
        return NOT_GENERATED
    parts, done = [], 0
    for k, part in enumerate(world.subtasks(row["id"], how.parts), 1):
        span = f"{done + 1}-{done + len(part['steps'])}"
        done += len(part["steps"])
        solution = how.weak.task.response(part["solution"], part["answer"])
        parts.append(_part(row, k, part["problem"], solution, part["answer"], span))
    return parts or "too few steps for so many subtasks"


def _part(row: Row, k: int, question: str, reference: str, answer: str, span: str) -> Row:
    return {
        "id": f"{row['id']}/subtask_{k}",
        "question": question,
        "prompt": prompt_like(row, question),
        "reference": reference,
        "answer": answer,
        "span": span,
    }
