"""A response as a student learns it."""

from __future__ import annotations

from w2s_data.answers.extract import answer_line_end
from w2s_data.tasks import Task


def tidy(text: str, task: Task, compat: str = "") -> str:
    """A response as Weak-to-Strong Reasoning trains on it: no blanks around it, no final dot.

    It ends with the line that declares the answer: a base model goes on with the next question.
    The published responses (`compat`) keep what follows.
    """
    text = text.strip()
    if not compat and (key := text.find(task.answer_key)) >= 0:
        text = text[: answer_line_end(text, key + len(task.answer_key))].rstrip()
    return text.removesuffix(".")
