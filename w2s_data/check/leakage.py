"""Questions that stand on both sides of a wall: in a training set and in one to be tested on.

A question is found whole, or by 13 words in a row, the length of GPT-3's decontamination (Brown et
al., arXiv 2005.14165, appendix C).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from w2s_data.check.content import Texts
from w2s_data.check.entries import Entry
from w2s_data.check.findings import Findings
from w2s_data.check.survey import Seen

GRAM = 13
TOKEN = re.compile(r"\w+|[^\w\s]")
FRAME = re.compile(r"^\s*(?:question|problem|q)\s*:|(?:answer|solution|a)\s*:\s*$", re.IGNORECASE)


class Tested:
    """The questions of an evaluation set or of a task's test set. Memory: some 100 B a word.

    `about` is the name of the only set that they are to be looked for in, "" for all."""

    def __init__(self, name: str, code: str, questions: Iterable[str] = (), about: str = ""):
        self.name, self.code, self.about = name, code, about
        self._whole: set[int] = set()
        self._starts: set[int] = set()
        self._lengths: set[int] = set()
        self._grams: set[int] = set()
        for question in questions:
            self.add(question)

    def add(self, question: str) -> None:
        words = _words(question)
        if not words:
            return
        self._whole.add(hash(words))
        if len(words) >= GRAM:
            self._lengths.add(len(words))
            self._starts.add(hash(words[:GRAM]))
        self._grams.update(_grams(words))

    def look(self, entry: Entry, found: Findings, seen: Seen, has: Texts) -> None:
        """Find the questions in a row of a training set."""
        if any(self._holds(_words(text)) for text in has.prompt):
            message = f"questions of {self.name} stand in the set"
            found.add(self.code, entry.name, message, seen.place)
        elif found.wants("W914"):
            texts = [*has.prompt, *has.responses.values()]
            if any(not self._grams.isdisjoint(_grams(_words(text))) for text in texts):
                message = f"{GRAM} words in a row stand in a question of {self.name}, too"
                found.add("W914", entry.name, message, seen.place)

    def _holds(self, words: tuple[str, ...]) -> bool:
        """Whether a question of the test is the text, or, from 13 words and signs on, a part."""
        if hash(words) in self._whole:
            return True
        for start in range(len(words) - GRAM + 1):
            if hash(words[start : start + GRAM]) in self._starts:
                rest = words[start:]
                if any(hash(rest[:size]) in self._whole for size in self._lengths):
                    return True
        return False


def _words(text: str) -> tuple[str, ...]:
    """Words and signs, without the frame that a prompt puts around a question."""
    return tuple(TOKEN.findall(FRAME.sub(" ", text).casefold()))


def _grams(words: tuple[str, ...]) -> set[int]:
    """Runs of words alone: in formulas, signs would make runs of next to nothing."""
    words = tuple(word for word in words if word[0].isalnum())
    return {hash(words[i : i + GRAM]) for i in range(len(words) - GRAM + 1)}
