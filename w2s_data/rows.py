"""The row: a plain dict that only grows. Steps return `row | {...}` and never change their input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, NotRequired, TypedDict

Row = dict[str, Any]


class Question(TypedDict):
    """What every row starts as. `meta` holds level, subject and the like, never an answer."""

    id: str
    task: str
    question: str
    meta: NotRequired[dict[str, Any]]


class Sample(TypedDict):
    """One completion as the store keeps it.

    `finish` is "stop" or "length"; `logprob` the sum of the tokens' natural log-probabilities,
    `logprobs` those of the single tokens as [token, log-probability] pairs, both only on request.
    """

    index: int
    text: str
    finish: str
    tokens: int
    logprob: NotRequired[float]
    logprobs: NotRequired[list[tuple[str, float]]]


class Sft(Question):
    """A row that ends in one response to learn."""

    prompt: str
    response: str


class Preference(Question):
    """A row that ends in a chosen and a rejected response to one prompt."""

    prompt: str
    chosen: str
    rejected: str


class Dropped(TypedDict):
    """A question that is not exported says why."""

    id: str
    reason: str


def drop(row: Row, reason: str) -> Row:
    """`row`, ended with the reason why it is not exported."""
    return row | {"dropped": reason}


def is_dropped(row: Row) -> bool:
    return "dropped" in row


def rng(seed: int, row_id: str, purpose: str = "") -> Random:
    """The row's own random numbers: order and sharding of the rows change nothing."""
    return Random(digest("rng", str(seed), row_id, purpose))


def digest(*parts: str) -> str:
    """A hexadecimal SHA-256 of the parts; ("ab", "c") and ("a", "bc") differ."""
    h = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(8, "big"))
        h.update(data)
    return h.hexdigest()


def question_id(task: str, question: str) -> str:
    """A stable id for a question that came without one."""
    return f"{task}-{digest(task, question)[:16]}"


def shard(rows: Iterable[Row], index: int, count: int) -> Iterator[Row]:
    """The rows of shard `index` (1-based) of `count`, by id: order of the rows changes nothing."""
    return (row for row in rows if int(digest("shard", row["id"])[:15], 16) % count == index - 1)
