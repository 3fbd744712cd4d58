"""Which question does a foreign row answer?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from w2s_data.errors import W2SError
from w2s_data.rows import Row, digest
from w2s_data.tasks import Task, ask
from w2s_data.tasks.choice import listed


class Matcher:
    """Finds a question by id, else by its text but for blanks, else by the prompt that asks it.

    `questions` are rows of `tasks.questions`; `place` names them in errors.
    """

    def __init__(self, task: Task, questions: Iterable[Row], place: str):
        self.place = place
        self._ids: set[str] = set()
        self._by_text: dict[str, list[str]] = defaultdict(list)
        choices = {"choices": ["\0", "\0"]} if task.shape else {}
        before, _, after = ask(task, {"question": "\0"} | choices).partition("\0")
        after = after.rpartition("\0")[2]
        self._before, self._after = before.strip(), after.strip()
        for row in questions:
            self._ids.add(row["id"])
            for text in {row["question"], listed(row)}:
                self._by_text[_key(text)].append(row["id"])

    def find(self, row: Row, where: str) -> str | None:
        """The id of the question that `row` (id, question, prompt: any of them) is about, or None.

        Raises W2SError when its id and its text name different questions.
        """
        row_id = None if row.get("id") is None else str(row["id"])
        same_text = self._same_text(row)
        if row_id not in self._ids:
            return same_text[0] if same_text else None
        if same_text and row_id not in same_text:
            raise W2SError(
                f"{where}: id {row_id!r} and the text name different questions of {self.place}; "
                "is this a file for another split?"
            )
        return row_id

    def _same_text(self, row: Row) -> list[str]:
        for text in self._texts(row):
            if found := self._by_text.get(_key(text)):
                return found
        return []

    def _texts(self, row: Row) -> Iterator[str]:
        """What may be the question's text: the row's, then what stands in the prompt between the
        template's words, the last first."""
        if isinstance(row.get("question"), str):
            yield row["question"]
        prompt = _prompt_text(row.get("prompt"))
        end = prompt.rfind(self._after) if self._after else len(prompt)
        start = prompt.rfind(self._before, 0, end) if end > 0 else -1
        while start >= 0:
            yield prompt[start + len(self._before) : end]
            start = prompt.rfind(self._before, 0, start) if self._before and start else -1


def _key(text: str) -> str:
    return digest(*text.split())[:32]


def _prompt_text(prompt: Any) -> str:
    """The prompt's text; of chat messages the user's last."""
    if isinstance(prompt, list):
        said = [m.get("content") for m in prompt if isinstance(m, dict) and m.get("role") == "user"]
        prompt = said[-1] if said else ""
    return prompt if isinstance(prompt, str) else ""
