"""The row: a plain dict that only grows. Steps return `row | {...}`, never change their input."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any, NotRequired, TypedDict

Row = dict[str, Any]
Message = dict[str, str]
Prompt = str | tuple[Message, ...]


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


class Sft(TypedDict):
    """An ending: one response to learn, to the row's prompt unless it has its own.

    Further keys go through to the exported row.
    """

    prompt: NotRequired[str]
    response: str


class Preference(TypedDict):
    """An ending: a chosen and a rejected response."""

    prompt: NotRequired[str]
    chosen: str
    rejected: str


ENDING = {"prompt", "response", "chosen", "rejected"}


def keep(row: Row, *endings: Sft | Preference | Row) -> Row:
    """`row`, ended: each ending becomes an exported row with the question's id."""
    return row | {"endings": list(endings)}


def drop(row: Row, reason: str) -> Row:
    """`row`, ended with the reason why it is not exported."""
    return row | {"dropped": reason}


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
