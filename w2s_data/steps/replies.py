"""What a decomposer, a paraphraser or a judge wrote, read strictly.

Each reader gives what was asked for, or the reason (a string) why the reply is of no use.
"""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import NamedTuple

from w2s_data.answers import equal, extract
from w2s_data.rows import Sample

NEAR_COPY = 0.9
LONGEST = 20_000  # characters of a reply: a longer one is not read
_PART = re.compile(
    r"(?m)^[ \t*#]*(Subtask|Solution) (\d{1,3})(?: \(steps? (\d{1,4})(?:[ ]?[-–][ ]?(\d{1,4}))?\))?"
    r"[ \t*]*:[ \t*]*"
)
_PARAPHRASE = re.compile(
    r"(?m)^[ \t*#]*(Problem|Correct solution|Incorrect solution)[ \t*]*:[ \t*]*"
)
_REFERS = re.compile(
    r"(?i)\bsub-?tasks?\b|\b(?:previous|earlier|above) (?:part|step|problem|answer|result|solution)"
    r"|\b(?:part|step) \d"
)
_VERDICT = re.compile(r"(?i)\s*(?:right\s*:)?\s*(yes|no)\W*")
_FIRST_WRONG = re.compile(r"(?i)\s*(?:first wrong step\s*:)?\s*(\d{1,4}|none)\W*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_MATH = re.compile(r"\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_SYMBOL = re.compile(r"\\[A-Za-z]+|[A-Za-z]|[^\sA-Za-z\d{}.,$]")
_SENTENCE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_SIGN = re.compile(r"[+*=<>^%€£]")


class Subtask(NamedTuple):
    """A subtask, its solution, and the first and last step of the full solution it covers."""

    question: str
    solution: str
    first: int
    last: int


class Paraphrase(NamedTuple):
    """A problem and its right and wrong solution in other words."""

    question: str
    right: str | None
    wrong: str | None


def subtasks(sample: Sample, count: int, steps: int) -> list[Subtask] | str:
    """The `count` subtasks of a decomposer's reply, or what is wrong with it.

    A subtask reads `Subtask 1 (steps 1-2): ...`, then `Solution 1: ...`; the ranges ascend within
    the full solution's `steps`, and none covers all of them. What stands before is not read.
    """
    if sample["finish"] != "stop" or len(sample["text"]) > LONGEST:
        return "truncated"
    parts = _sections(_PART, sample["text"])
    if len([head for head, _ in parts if head[1] == "Subtask"]) not in (0, count):
        return "wrong count"
    wanted = [(kind, str(k)) for k in range(1, count + 1) for kind in ("Subtask", "Solution")]
    if [(head[1], head[2]) for head, _ in parts] != wanted:
        return "missing heading"
    if not all(text for _, text in parts):
        return "empty section"
    found, last = [], 0
    for (head, question), (_, solution) in zip(parts[::2], parts[1::2]):
        if not head[3]:
            return "no step range"
        low, high = int(head[3]), int(head[4] or head[3])
        if not last < low <= high <= steps or high - low + 1 == steps > 1:
            return "impossible step range"
        found.append(Subtask(question, solution, low, high))
        last = high
    return found


def unsound(part: Subtask, question: str, solution: str, rule: str) -> str:
    """Why a subtask of the full task is none, "" if it is: the paper's checks (section 4)."""
    if extract(rule, part.solution) is None:
        return "subtask without an answer"
    if _REFERS.search(part.question):
        return "subtask refers to another"
    if numbers(part.question).keys() - numbers(question + "\n" + solution).keys():
        return "subtask has a condition of its own"
    if alike(part.question, question) >= NEAR_COPY:
        return "subtask is a near copy of the task"
    return ""


def paraphrase(sample: Sample, asked: Paraphrase, rule: str) -> Paraphrase | str:
    """The reply's paraphrase of what was `asked`, or why it is none.

    Numbers, symbols and final answers must be the same, the words must not.
    """
    if sample["finish"] != "stop" or len(sample["text"]) > LONGEST:
        return "truncated"
    parts = _sections(_PARAPHRASE, sample["text"])
    given = {"Problem": asked.question}
    given |= {"Correct solution": asked.right} if asked.right else {}
    given |= {"Incorrect solution": asked.wrong} if asked.wrong else {}
    if len(parts) != len({head[1] for head, _ in parts}):
        return "wrong count"
    if [head[1] for head, _ in parts] != list(given):
        return "missing heading"
    if not all(text for _, text in parts):
        return "empty section"
    texts = {head[1]: text for head, text in parts}
    for name, before in given.items():
        if reason := restated(before, texts[name], "" if name == "Problem" else rule):
            return reason
    return Paraphrase(
        texts["Problem"], texts.get("Correct solution"), texts.get("Incorrect solution")
    )


def restated(before: str, after: str, rule: str) -> str:
    """Why `after` does not restate `before`, "" if it does."""
    if numbers(before) != numbers(after):
        return "numbers changed"
    if symbols(before) != symbols(after):
        return "symbols changed"
    if rule:
        old, new = extract(rule, before), extract(rule, after)
        if not old or not new or equal(old.answer, new.answer).kind != "equal":
            return "answer changed"
    return "words are the same" if words(before) == words(after) else ""


def rewritten(sample: Sample, answer: str, rule: str) -> str:
    """Why a solution rewritten in a sampler's style is of no use, "" if it is of use."""
    found = extract(rule, sample["text"])
    if sample["finish"] != "stop" or len(sample["text"]) > LONGEST:
        return "truncated"
    if not found or equal(found.answer, answer).kind != "equal":
        return "answer changed"
    return ""


def verdict(sample: Sample) -> bool | str:
    """A judge's yes or no."""
    match = _VERDICT.fullmatch(sample["text"]) if sample["finish"] == "stop" else None
    return match[1].lower() == "yes" if match else "unreadable verdict"


def first_wrong(sample: Sample, steps: int) -> int | str:
    """The first wrong step, from 1, that a judge names; `steps` + 1 for none of them."""
    match = _FIRST_WRONG.fullmatch(sample["text"]) if sample["finish"] == "stop" else None
    if not match:
        return "unreadable step"
    step = steps + 1 if match[1].lower() == "none" else int(match[1])
    return step if 1 <= step <= steps + 1 else "unreadable step"


def numbers(text: str) -> Counter[str]:
    """The numbers of a text, thousands unmarked."""
    return Counter(_NUMBER.findall(_THOUSANDS.sub("", text)))


def symbols(text: str) -> Counter[str]:
    """Commands, letters and signs of the formulas; of plain text its mathematical signs."""
    found, plain, position = Counter[str](), [], 0
    for match in _MATH.finditer(text):
        inner = next(filter(None, match.groups()), "")
        if _SENTENCE.search(inner):  # prose between two dollar signs
            continue
        found.update(_SYMBOL.findall(inner))
        plain.append(text[position : match.start()])
        position = match.end()
    return found + Counter(_SIGN.findall("".join([*plain, text[position:]])))


def words(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def alike(a: str, b: str) -> float:
    """How alike two texts are by their words, numbers and signs in order, from 0 to 1."""
    return SequenceMatcher(None, _pieces(a), _pieces(b), autojunk=False).ratio()


def _pieces(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d+|[^\w\s]", text.lower())[:500]


def _sections(heading: re.Pattern[str], text: str) -> list[tuple[re.Match[str], str]]:
    """The headings, each with the text up to the next."""
    heads = list(heading.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return [(head, text[head.end() : end].strip()) for head, end in zip(heads, ends)]
