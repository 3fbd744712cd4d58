"""What is wrong with a reply before anyone reads its answer: nothing, or a reason to drop it."""

from __future__ import annotations

import unicodedata
from collections import Counter

from w2s_data.rows import Sample

LONGEST = 20_000  # characters of a reply: a longer one is not read
ECHO = 20  # characters from which a question is known by itself, not by `Question:` before it


def fault(sample: Sample, question: str, *, declares: bool = False) -> str:
    """Why the reply to `question` is of no use, "" when nothing speaks against it.

    A reply that `declares` its answer may be cut off after it. "other language" is seen by the
    script alone: more than half of its letters are of scripts that the question does not use.
    """
    text = sample["text"]
    if not text.strip():
        return "empty"
    if len(text) > LONGEST:
        return "too long"
    asked = question if len(question) >= ECHO else f"Question: {question}"
    if " ".join(asked.split()) in " ".join(text.split()):
        return "repeats the question"
    if _foreign(text, question):
        return "other language"
    return "cut off" if sample["finish"] == "length" and not declares else ""


def _foreign(text: str, question: str) -> bool:
    known = _scripts(question) | Counter({"LATIN": 1})
    found = _scripts(text)
    return 2 * sum(n for script, n in found.items() if script not in known) > found.total()


def _scripts(text: str) -> Counter[str]:
    """The letters of the first 2,000 characters by script, for instance LATIN or CYRILLIC."""
    letters = (character for character in text[:2000] if character.isalpha())
    return Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in letters)
