"""What the method's phases share: roles and settings, a round of requests, small measures."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from w2s_data import world
from w2s_data.errors import W2SError, out_of_range
from w2s_data.io import Spool
from w2s_data.rows import Row, Sample
from w2s_data.steps.mix import tokens
from w2s_data.steps.sample import Sampler

GENERATED = re.compile(r"(train_1|train_2|test)/(\d{1,9})")
NOT_GENERATED = "none is named, and the problem is not the generator's"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z$\\])|\n+")


@dataclass
class Teaching:
    """The roles and settings that the stages share, and the replies that were of no use."""

    gold: Mapping[str, Row]
    weak: Sampler
    weaker: Sampler | None
    decomposer: Sampler | None
    paraphraser: Sampler | None
    judge: Sampler | None
    parts: int
    n: int
    temperature: float
    top_p: float
    shortest: float
    longest: float
    ask_length: bool
    severity: str
    difficulty: str
    easy: tuple[str, ...]
    seed: int
    faults: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.parts not in (0, 2, 3):
            raise out_of_range("parts", "0, 2 or 3", self.parts)

    @property
    def rule(self) -> str:
        return self.weak.task.rule


def is_easy(row: Row, gold: Mapping[str, Row], difficulty: str, easy: tuple[str, ...]) -> bool:
    """Whether the row's level or subject is among the easy ones, or its solution that short."""
    if difficulty != "length":
        return str(row["meta"].get(difficulty)) in easy
    if len(easy) != 1 or not easy[0].isdecimal():
        raise W2SError(f"with difficulty=length, easy must be one whole number, was: {easy}")
    return tokens(gold[row["id"]]["response"]) <= int(easy[0])


def ask(
    model: Sampler,
    rows: Iterable[Row],
    requests: Callable[[Row], list[Row]],
    into: str,
    **parameters: Any,
) -> Iterator[tuple[Row, list[list[Sample]]]]:
    """One round: each row with the samples to each of its requests (`id` and `prompt`)."""
    spooled = Spool(rows)
    asked = model((request for row in spooled for request in requests(row)), into, **parameters)
    for row in spooled:
        yield row, [next(asked)[into] for _ in requests(row)]


def items(row: Row) -> list[Row]:
    """The full task and its subtasks."""
    return [] if "dropped" in row else [row, *row["parts"]]


def with_items(row: Row, changed: list[Row]) -> Row:
    return changed[0] | {"parts": changed[1:]} if changed else row


def prompt_like(row: Row, question: str) -> str:
    """The row's prompt with another question in it."""
    before, _, after = row["prompt"].partition(row["question"])
    return f"{before}{question}{after}"


def row_span(row: Row) -> str:
    """The steps that a full task covers: as many as its subtasks do."""
    last = row["parts"][-1]["span"].partition("-")[2] if row.get("parts") else ""
    return f"1-{last}" if last else "all"


def is_generated(row: Row) -> bool:
    match = GENERATED.fullmatch(row["id"])
    return bool(match and world.problem(match[1], int(match[2]))["problem"] == row["question"])


def sentences(solution: str) -> list[str]:
    """A solution's lines and sentences: the steps that a decomposer is shown."""
    return [text.strip() for text in _SENTENCE_END.split(solution) if text.strip()]


def place(row: Row, item: Row) -> Row:
    """Where an exported row comes from: its own id, its parent's, and the steps it covers."""
    part = item["id"].removeprefix(row["id"]).lstrip("/") or "full"
    span = row_span(row) if item is row else item["span"]
    return {"id": item["id"], "parent": row["id"], "part": part, "span": span}


def bare(row: Row) -> Row:
    """The row as it was asked, and why it was dropped."""
    kept = ("id", "task", "question", "meta", "prompt", "dropped")
    return {name: row[name] for name in kept if name in row}
