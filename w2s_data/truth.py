"""Ground truth for the rows of a set, after the fact: which question, and is the answer right?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from w2s_data import tasks
from w2s_data.errors import unknown
from w2s_data.inputs import Questions
from w2s_data.io import read_rows
from w2s_data.rows import Row
from w2s_data.sets import Set
from w2s_data.tasks import ALIASES, TASKS, Task, choice, judge
from w2s_data.tasks.match import Matcher


@dataclass(frozen=True, eq=False)
class Truth:
    """Gold answers of the questions of `place`: by id the answer with its other names, level and
    subject, and the options of a choice question."""

    task: Task
    place: str
    names: Mapping[str, tuple[str, ...]]
    meta: Mapping[str, Row]
    choices: Mapping[str, Sequence[str]]
    matcher: Matcher
    compat: str | None = None

    def find(self, row: Row, where: str) -> str | None:
        """The id of the question that the row is about, None for none."""
        return self.matcher.find(row, where)

    def verdict(self, question: str, text: str, row: Row) -> str:
        """right, wrong, undecided or, for a response without an answer, silent."""
        known = self.choices.get(question, ())
        shown = row.get("choices") or known
        answer = judge.declared(self.task, text, shown, compat=self.compat)
        permuted = known and list(shown) != list(known)
        if answer and permuted and judge.kind(self.task) == "choice":
            answer = choice.letter_of(choice.text_of(answer, shown), known)
        return self.compared(question, answer)

    def compared(self, question: str, answer: str | None) -> str:
        """`verdict` on a declared answer."""
        if not answer:
            return "silent"
        kind = judge.compare(self.task, answer, self.names[question], compat=self.compat)
        return {"equal": "right", "different": "wrong"}.get(kind, "undecided")


def open_truth(
    found: Set,
    gold: str | Path,
    task: Task | None = None,
    split: str | None = None,
    source: str | None = None,
    fields: Mapping[str, str] | None = None,
    compat: str | None = None,
) -> Truth:
    """The ground truth for a set's rows.

    `gold` is a file of questions with answers, the name of a task, or "task" for what the set was
    built from; `task`, `split` and `source` are by default those of the set's manifest.
    """
    built = found.manifest() or {}
    file = str(gold) if Path(gold).is_file() else None
    if not file and gold not in ("task", *TASKS):
        raise unknown("gold (and no such file):", str(gold), ("task", *TASKS))
    task = task or tasks.get(str(gold) if gold in TASKS else built.get("task", "math"))
    if gold == "task" and built.get("file"):
        file, fields = str(found.folder / built["file"]), fields or built.get("fields")
    questions = Questions(
        task,
        split or built.get("split", "train_2"),
        source or built.get("source", "bundled"),
        file,
        _fields(file, fields or {}),
    )
    rows = list(questions.rows())
    return Truth(
        task,
        questions.place,
        {row_id: judge.names(known) for row_id, known in questions.gold().items()},
        {row["id"]: row["meta"] for row in rows},
        {row["id"]: row["choices"] for row in rows if row.get("choices")},
        Matcher(task, rows, questions.place),
        compat,
    )


def _fields(file: str | None, given: Mapping[str, str]) -> Mapping[str, str]:
    """A file of responses with gold answers has prompts where others have questions."""
    first = next((row for _, row in read_rows(file)), {}) if file else {}
    if "question" in given or "prompt" not in first or {*first} & {*ALIASES["question"]}:
        return given
    return {**given, "question": "prompt"}
