r"""OlympicArena (Huang et al. 2024, arXiv 2406.12753): olympiad problems of seven disciplines.

A row of GAIR/OlympicArena, configuration Math, reads (`answer` is empty in its test split):

    {"id": "Math_1", "problem": "Find the largest integer $n$ with $n^2 < 200$.",
     "answer": ["14"], "solution": "As $14^2 = 196$ and $15^2 = 225$, $n = 14$.", "unit": null,
     "answer_type": "NV", "subject": "Math", "language": "EN", "modality": "text-only", ...}

Taken are English problems without pictures that have one answer to compare: a number, a set, an
interval, an expression, an equation or a tuple. The hub's val split alone has answers: it is test
here, and the hub's test split is train_2, of mathematics. The other disciplines' val splits go by
their names: physics, chemistry, biology, geography, astronomy, cs.
"""

from __future__ import annotations

from w2s_data.rows import Row
from w2s_data.tasks import Hub, Task
from w2s_data.tasks.math import response

ARENA = "GAIR/OlympicArena"
COMPARABLE = {"NV", "SET", "IN", "EX", "EQ", "TUP"}
OTHERS = ("Physics", "Chemistry", "Biology", "Geography", "Astronomy", "CS")


def form(record: Row) -> Row | None:
    """The record with its one answer; None for another language, a picture or several answers."""
    answers = record.get("answer") or [None]
    english = record.get("language") == "EN" and record.get("modality") == "text-only"
    if not english or record.get("answer_type") not in COMPARABLE or len(answers) > 1:
        return None
    kept = {name: record.get(name) for name in ("id", "problem", "subject", "solution")}
    return kept | {"answer": answers[0]}


TASK = Task(
    name="olympic_arena",
    title="OlympicArena: olympiad problems in words, mathematics and six other disciplines",
    rule="math",
    answer_key="The answer is:",
    max_tokens=1024,
    form=form,
    hub={
        "train_2": Hub(ARENA, config="Math", split="test"),
        "test": Hub(ARENA, config="Math", split="val"),
        **{name.lower(): Hub(ARENA, config=name, split="val") for name in OTHERS},
    },
    response=response,
)
