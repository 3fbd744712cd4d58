"""A response as a student learns it."""

from __future__ import annotations

import re

from w2s_data.answers.extract import RUN_ON, declared_end
from w2s_data.tasks import Task

_LEAD = re.compile(r"\**\s*")


def tidy(text: str, task: Task, compat: str = "") -> str:
    """A response as Weak-to-Strong Reasoning trains on it: no blanks around it, no final dot.

    It ends with the line that declares the answer: a base model goes on with the next question.
    The published responses (`compat`) keep what follows.
    """
    text = text.strip()
    if not compat and (key := text.find(task.answer_key)) >= 0:
        text = text[: _end(text, key + len(task.answer_key))].rstrip()
    return text.removesuffix(".")


def _end(text: str, start: int) -> int:
    """The end of the line of the answer after `start`; it may stand below, or be a formula over
    several lines."""
    other = RUN_ON.search(text, start)
    text = text[: other.start()] if other else text
    lead = _LEAD.match(text, start)
    end = text.find("\n", declared_end(text, lead.end() if lead else start))
    return len(text) if end < 0 else end
