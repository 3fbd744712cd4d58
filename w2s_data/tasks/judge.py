"""Is a response right? The one place that knows, for values, choices and open answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from w2s_data.answers import equal, extract
from w2s_data.tasks import Gold, Task, choice, ethics, openqa

Kind = Literal["value", "choice", "open"]


def kind(task: Task) -> Kind:
    """How the task's answers are compared: as values, option letters, or words with aliases."""
    if task.rule in choice.RULES:
        return "choice"
    return "open" if task.rule in openqa.RULES else "value"


def declared(
    task: Task, text: str, choices: Sequence[str] = (), *, compat: str | None = None
) -> str | None:
    """The answer that the response `text` declares, None for none.

    With the `choices` of a choice question: the letter on which letter and text agree; of ETHICS
    the verdict, whatever the wording it was asked in.
    """
    if kind(task) == "choice" and choices:
        return choice.chosen(text, choices)
    found = extract(task.rule, text, compat=compat)
    answer = found.answer if found else None
    return ethics.verdict(answer) if answer and task.rule == "ethics" else answer


def names(gold: Gold) -> tuple[str, ...]:
    """The gold answer and its aliases."""
    return (gold["answer"], *gold.get("aliases", ()))


def compare(task: Task, answer: str, names: Sequence[str], *, compat: str | None = None) -> str:
    """equal, different or undecided: a declared answer against the gold answer and its aliases.

    Open answers are right when they contain one of the names (Alice's evaluation).
    """
    if kind(task) == "open":
        return "equal" if openqa.contained(answer, names) else "different"
    return equal(answer, names[0], compat=compat).kind


def comparable(task: Task, answer: str) -> str:
    """A declared answer as it is compared with others: open ones normalised."""
    return openqa.normalise(answer) if kind(task) == "open" else answer


def alike(task: Task, one: str, other: str) -> str:
    """equal, different or undecided: two declared answers. Open ones are equal when one contains
    the other."""
    if kind(task) == "open" and openqa.contained(other, [one]):
        return "equal"
    return compare(task, one, [other])


def measures(
    task: Task, text: str, names: Sequence[str], choices: Sequence[str] = ()
) -> dict[str, float]:
    """The response by every measure of its kind of task, each in [0, 1].

    choice: its letter, its text, and both are gold's. open: the declared answer is one of the
    names, contains one, and its best F1. A value has no measure beside `compare`.
    """
    if kind(task) == "choice" and choices:
        modes: tuple[choice.By, ...] = ("letter", "text", "both")
        return {f"by {by}": float(choice.chosen(text, choices, by) == names[0]) for by in modes}
    if kind(task) == "open":
        answer = declared(task, text) or ""
        return {
            "exact": float(bool(answer) and openqa.exact(answer, names)),
            "contained": float(bool(answer) and openqa.contained(answer, names)),
            "f1": openqa.f1(answer, names) if answer else 0.0,
        }
    return {}
