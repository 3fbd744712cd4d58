"""Tasks and their solutions in other words (section 7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from w2s_data import world
from w2s_data.answers import extract
from w2s_data.methods.complexity.teaching import (
    NOT_GENERATED,
    Teaching,
    ask,
    is_generated,
    prompt_like,
    row_span,
)
from w2s_data.prompts import render
from w2s_data.rows import Row, drop, rng
from w2s_data.steps import replies

_WORDINGS = 6  # how often another wording is drawn until it differs


def paraphrased(rows: Iterable[Row], how: Teaching) -> Iterator[Row]:
    if how.paraphraser is None:
        for row in rows:
            yield row if "dropped" in row else _restated(row, _known_paraphrase(row, how))
        return

    def requests(row: Row) -> list[Row]:
        if "dropped" in row:
            return []
        slots = dict(zip(("question", "right", "wrong"), _asked(row)))
        return [{"id": row["id"], "prompt": render("complexity_paraphrase", **slots)}]

    limit = how.paraphraser.max_tokens or 2 * how.paraphraser.task.max_tokens
    for row, replied in ask(
        how.paraphraser, rows, requests, "paraphrase", max_tokens=limit, stop=()
    ):
        if replied:
            row = _restated(row, replies.paraphrase(replied[0][0], _asked(row), how.rule))
        yield row


def _asked(row: Row) -> replies.Paraphrase:
    texts = (row[side] and row[side]["response"] for side in ("right", "wrong"))
    return replies.Paraphrase(row["question"], *texts)


def _restated(row: Row, found: replies.Paraphrase | str) -> Row:
    if isinstance(found, str):
        return drop(row, f"paraphraser: {found}")
    sides = {
        side: text and row[side] | {"response": text}
        for side, text in (("right", found.right), ("wrong", found.wrong))
    }
    other = {"id": f"{row['id']}/paraphrase_1", "question": found.question, "span": row_span(row)}
    return row | {"paraphrase": other | {"prompt": prompt_like(row, found.question)} | sides}


def _known_paraphrase(row: Row, how: Teaching) -> replies.Paraphrase | str:
    """The generator's paraphrase: the same moves and equations in other sentences."""
    if not is_generated(row):
        return NOT_GENERATED
    others = (world.paraphrase(row["id"], k)["problem"] for k in range(1, _WORDINGS + 1))
    question = next((text for text in others if text != row["question"]), None)
    if question is None:
        return "words are the same"
    solutions: list[str | None] = []
    for before in _asked(row)[1:]:
        after = before and _reworded(before, row["id"], how)
        if before and (reason := replies.restated(before, after or "", how.rule)):
            return reason
        solutions.append(after)
    return replies.Paraphrase(question, *solutions)


def _reworded(solution: str, row_id: str, how: Teaching) -> str:
    """The solution's equations and answer in other sentences of the generator."""
    declared = extract(how.rule, solution)
    equations = re.findall(r"\$[^$]*=[^$]*\$", solution)
    if not declared or not equations:
        return solution
    drawn = rng(how.seed, row_id, "wording")
    answer = declared.answer
    texts = (world.solution_text(equations, answer, drawn) for _ in range(_WORDINGS))
    responses = (how.weak.task.response(text, answer) for text in texts)
    same = replies.words(solution)
    return next((text for text in responses if replies.words(text) != same), solution)
