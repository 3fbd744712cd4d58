"""What open-question tasks share: answers in words, with aliases, and how they are compared."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from w2s_data.errors import W2SError
from w2s_data.rows import Row
from w2s_data.tasks.choice import parsed

RULES = ("openqa", "hotpotqa", "triviaqa")
ANSWER_KEY = "The answer is:"
STOP = ("Question:", "Answer:")
POLAR = ("yes", "no", "noanswer")

_REPR = re.compile(r"\s*(?:\{'\w+':|\[['\"].*['\"]\]\s*$)", re.DOTALL)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")


def response(solution: str | None, answer: str) -> str:
    """The gold response: the solution, then `The answer is: answer`."""
    return f"{solution or ''}\n{ANSWER_KEY} {answer}".lstrip()


def read_gold(record: Row) -> Row:
    """The record's answer and its aliases, each once.

    The answer is a text, a list of texts of which the first is the answer, or trivia_qa's
    {"value": ..., "aliases": [...]}, each also as JSON in a text (csv).
    """
    answer = parsed(record.get("answer"))
    if isinstance(answer, str) and _REPR.match(answer):
        raise W2SError(
            f"{record['where']}: the answer is a Python value written as text; save the file as "
            f"jsonl or parquet, was: {answer[:80]!r}"
        )
    if isinstance(answer, dict) and isinstance(answer.get("value"), str):
        names = [answer["value"], *(answer.get("aliases") or [])]
    elif isinstance(answer, list | tuple) and answer:
        names = list(answer)
    else:
        return {}
    if not all(isinstance(name, str) for name in names):
        raise W2SError(f"{record['where']}: the answers must be texts, was: {answer!r}")
    found = list(dict.fromkeys(name for name in names if name.strip()))
    return {"answer": found[0], "aliases": found[1:]} if found else {"answer": ""}


def normalise(text: str) -> str:
    """Lower case without punctuation, articles and repeated blanks.

    Apostrophes and dots vanish (`U.S.` is `us`), other punctuation parts words (`Spider-Man`). As
    the scripts of SQuAD and TriviaQA do it, but for accents: they are dropped, too. A text of which
    nothing would be left keeps its articles and signs.
    """
    plain = unicodedata.normalize("NFKD", text).casefold()
    words = "".join(map(_kept, plain))
    return " ".join(_ARTICLE.sub(" ", words).split()) or " ".join(plain.split())


def _kept(character: str) -> str:
    kind = unicodedata.category(character)
    if kind == "Mn" or character in ".'’‘`´":
        return ""
    return " " if kind[0] in "PZC" else character


def exact(answer: str, names: Sequence[str]) -> bool:
    """Whether the answer is one of the names, normalised."""
    return normalise(answer) in set(map(normalise, names))


def contained(answer: str, names: Sequence[str]) -> bool:
    """Whether one of the names stands in the answer as whole words, both normalised."""
    padded = f" {normalise(answer)} "
    return any(f" {name} " in padded for name in map(normalise, names) if name)


def f1(answer: str, names: Sequence[str]) -> float:
    """The best F1 of the answer's words against a name's, normalised (arXiv 1606.05250).

    For yes and no it is the exact match (arXiv 1809.09600).
    """
    return max(_f1(normalise(answer), normalise(name)) for name in names)


def _f1(answer: str, name: str) -> float:
    if answer in POLAR or name in POLAR:
        return float(answer == name)
    mine, known = answer.split(), name.split()
    shared = sum((Counter(mine) & Counter(known)).values())
    return 2 * shared / (len(mine) + len(known)) if shared else 0.0
