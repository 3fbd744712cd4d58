"""Round 4: the student's final response, fit to be learnt or dropped with the reason."""

from __future__ import annotations

import re

from w2s_data.methods.alice.replies import Reply, read, without
from w2s_data.rows import Row, drop, keep
from w2s_data.tasks import Task
from w2s_data.tasks.choice import listed

_REFUSES = re.compile(
    r"(?i)\bI(?: am|'m) (?:sorry(?:[,.!]| but| that| for| to| about)|unable|not able)(?!\w)"
    r"|\bas an AI\b"
    r"|\bI (?:can(?:no|')t|won't|will not)"
    r" (?:answer|assist|comply|decide|determine|help|provide|say|solve|tell)\b"
)
_OTHERS = re.compile(
    r"(?i)\b(?:weaker|previous|earlier|own|proposed|suggested)"
    r" (?:model|person|solver|solution|attempt|try|answer|response)s?\b"
    r"|\b(?:other|another) (?:model|person|solver|attempt|try|response)s?\b"
    r"|\bthe other answer(?! choice)\b|\binitial (?:attempt|try|answer|response)s?\b"
    r"|\b(?:first|given) (?:solver|attempt|try|answer|response)s?\b"
    r"|\bboth (?:tries|attempts|answers|responses)\b|\bth(?:at|is) (?:person|solver)\b"
    r"|\b(?:teacher|student)(?:'s (?:answer|attempt|response|solution|try)| (?:said|says|wrote)\b"
    r"| (?:is|was) (?:right|wrong|correct|mistaken|unsure)\b)"
    r"|\bsomeone who knows\b|\bthe doubt\b"
)


def final(row: Row, task: Task) -> Row:
    (sample,) = row["final"]
    reply = read(sample, row, task)
    row = without(row, "final") | {"label": "new", "answer": reply.answer}
    wrong = reply.fault or _unfit(reply, listed(row))
    if wrong:
        return drop(row, f"final: {wrong}")
    return keep(row, {"response": reply.text, "label": "new", "entropy": row["entropy"]})


def _unfit(reply: Reply, question: str) -> str:
    """Why a final response cannot be learnt as an answer to the question alone."""
    if _REFUSES.search(reply.text):
        return "refuses"
    known = question.casefold()
    if any(mark.group().casefold() not in known for mark in _OTHERS.finditer(reply.text)):
        return "talks about another answer"
    return "" if reply.formatted else "no answer in the format"
