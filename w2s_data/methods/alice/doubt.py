"""Round 2: what the teacher is unsure about, in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from w2s_data.answers import classes
from w2s_data.methods.alice.replies import going_on, shown, without
from w2s_data.prompts import render
from w2s_data.rows import Row, drop
from w2s_data.steps.faults import LONGEST, fault
from w2s_data.steps.sample import Sampler
from w2s_data.tasks import Task, judge
from w2s_data.tasks.choice import listed

QUOTED = 160  # characters of a step within a statement


def summarised(
    rows: Iterable[Row], summarizer: Sampler, sentences: int, words: int, count: Counter[str]
) -> Iterator[Row]:
    """Rows with the summarizer's statement as `doubt`; a statement that breaks the rules is asked
    for once more, then the row is dropped."""

    def prompt(row: Row) -> str:
        slots = {
            "attempts": list(map(shown, row["attempts"])),
            "sentences": sentences,
            "words": words,
        }
        broken = row.get("broken", "")
        return render("alice_summary", question=listed(row), broken=broken, **slots)

    def asking(waiting: Iterable[Row]) -> Iterator[Row]:
        for row in summarizer(waiting, "summary", prompt=prompt, stop=()):
            (sample,) = row["summary"]
            row = without(row, "summary") | {"doubt": " ".join(sample["text"][:LONGEST].split())}
            broken = fault(sample, row["question"]) or _broken(row, sentences, words)
            yield row | {"broken": "" if summarizer.dry_run else broken}

    def counted(answered: Iterable[Row]) -> Iterator[Row]:
        for row in answered:
            count["statements asked for again"] += bool(row["broken"])
            yield row

    for row in going_on(counted(asking(rows)), asking, lambda row: bool(row["broken"])):
        broken = row["broken"]
        yield drop(row, f"summarizer: {broken}") if broken else row


_SPEAKS_OF = re.compile(r"(?i)\b(?:responses?|attempts?|samples?|clusters?)\b")
_SENTENCE_END = re.compile(r"(?:(?<!\b[A-Z])(?<!\b[DMS][rt])\.|[!?])(?=\s+[A-Z]|\s*$)")


def _broken(row: Row, sentences: int, words: int) -> str:
    """The rule that the row's statement breaks, "" for none. A word of the question or its options
    is no sign that it speaks of responses."""
    doubt, known = row["doubt"], listed(row).casefold()
    if re.fullmatch(r"(?i)\W*(?:n/?a|not applicable)\W*", doubt):
        return "N/A"
    if len(doubt.split()) > words or len(_SENTENCE_END.findall(doubt)) > sentences:
        return "longer than asked"
    spoken = (mark.group().casefold() for mark in _SPEAKS_OF.finditer(doubt))
    return "speaks of responses" if any(word not in known for word in spoken) else ""


def extracted(row: Row, task: Task, steps: bool = True) -> Row:
    """`row` with the competing answers, and the step where the two largest clusters part, as its
    `doubt`."""
    known = [answer for answer in row["answers"] if answer]
    groups = classes([judge.comparable(task, answer) for answer in known]).groups
    named = [known[i] for i in sorted(group[0] for group in groups)][:3]
    answers = [answer[:QUOTED] for answer in named]
    parting = _parting(*row["attempts"][:2]) if steps else None
    return row | {"doubt": render("alice_doubt", answers=answers, steps=parting)}


def _parting(one: str, other: str) -> tuple[str, str] | None:
    """The first step at which two derivations part; None when one of them ends there."""
    steps = [re.split(r"(?<=[.!?;])\s+|\n+", text) for text in (one, other)]
    pairs = ((a, b) for a, b in zip(*steps) if _gist(a) != _gist(b))
    return next(((a[:QUOTED], b[:QUOTED]) for a, b in pairs), None)


def _gist(step: str) -> list[str]:
    """A step's numbers and signs; its words when it has none."""
    return re.findall(r"\d+(?:\.\d+)?|\\[a-z]+|[-+*/=<>^]", step) or step.casefold().split()
