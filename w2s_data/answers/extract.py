"""The final answer that a response declares, or none, and where it was found."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from w2s_data.answers import compat as paper1
from w2s_data.answers.policy import published
from w2s_data.errors import unknown


class Extracted(NamedTuple):
    """A declared answer: its text, the pattern that found it, and text[start:end] it came from."""

    answer: str
    where: str
    start: int
    end: int


Rule = Callable[[str], Extracted | None]

_RUN_ON = re.compile(r"\n[^\S\n]*(?:Question|Q|Problem|User|Human|### ?Instruction)\s*:")
_ENDS = re.compile(r"</s>|<eos>|<\|(?:endoftext|im_end|eot_id|end_of_text)\|>")
_LOOP_REPEATS = 8
_LOOP_PERIOD = 400
_LONGEST_LEAD = 60
_MOST_LINES = 100  # that an answer may run over, and sentence ends looked at within it


def extract(rule: str, text: str, *, compat: str | None = None) -> Extracted | None:
    """The answer `text` declares under the rule of a task (a name in RULES), or None.

    A response that was cut off before or inside its declaration, or that repeats the declaration
    in an endless loop, declares nothing. With compat="w2s-reasoning" the answer is the published
    string of paper 1 (arXiv 2407.13647), empty where nothing was declared, and never None.
    Raises W2SError for an unknown rule.
    """
    found = RULES.get(rule)
    if found is None:
        raise unknown("answer rule", rule, RULES)
    if compat is not None and published(compat):
        return Extracted(paper1.published_answer(rule, text), f"compat {compat}", 0, len(text))
    return found(_said(text))


def _said(text: str) -> str:
    """The part of a response before it invents another question, ends, or starts to loop."""
    for sign, stop in ((":", _RUN_ON), (">", _ENDS)):
        found = stop.search(text) if sign in text else None
        text = text[: found.start()] if found else text
    return text[: _loop_start(text)]


def _loop_start(text: str) -> int:
    """Where a tail of at least eight repeats of one block begins; len(text) without one."""
    end = len(text)
    if end < 64:
        return end
    probe = text[-24:]
    before = text.rfind(probe, max(0, end - 24 - _LOOP_PERIOD), end - 1)
    period = end - 24 - before
    if before < 0 or period * _LOOP_REPEATS > end:
        return end
    start = end
    while start - 2 * period >= 0 and _same_block(text, start, period):
        start -= period
    if end - start < period * (_LOOP_REPEATS - 1):
        return end
    start -= period
    while start > 0 and text[start - 1] == text[start - 1 + period]:
        start -= 1
    return start


def _same_block(text: str, end: int, period: int) -> bool:
    return text[end - period : end] == text[end - 2 * period : end - period]


# --- declarations that are followed by the answer -------------------------------------------

_HASHES = re.compile(r"####[ \t]*:?[ \t]*")
# After a colon the answer may stand below, were it in a code block; a list is no answer.
_COLON = r":\**[ \t]*(?:\n\s*+(?![-*•][ \t])(?:```\w*\s*)?)?"
_THE_ANSWER = re.compile(
    r"\b(?i:(?:the|my)\s+(?:final\s+|correct\s+)?answer\s+is)\**\s*(?:" + _COLON + r"|[ \t]*)"
)
_ANSWER = re.compile(r"(?im)^[ \t]*\**(?:final\s+)?answer\**[ \t]*" + _COLON)
_LEAD = re.compile(r"\**\s*")
_NEXT_SENTENCE = re.compile(r"\.\s+(?=[A-Z$\\])|(?<=[.!?])\s+(?=[A-Z])")
# In names a dot follows initials and titles: "J. R. R. Tolkien", "St. Louis".
_NEXT_IN_WORDS = re.compile(r"(?<=[^\W_]{4})(?<!Prof)(?<!Capt)\.\s+(?=[A-Z])|(?<=[!?])\s+(?=[A-Z])")
_CUT_OFF = re.compile(r"(?:[-+*/=^_\\(\[{<>,:]|\\(?:frac|sqrt|times|cdot|left|cup))\s*$")


def _after(
    pattern: re.Pattern[str],
    where: str,
    sign: str,
    next_sentence: re.Pattern[str] = _NEXT_SENTENCE,
) -> Rule:
    """What follows the last match of a pattern; every match has `sign` within its first part. What
    stands below it yields to a box further on."""

    def rule(text: str) -> Extracted | None:
        signs = [at for at in (text.find(sign), text.find(sign.upper())) if at >= 0]
        if not signs:
            return None
        marks = pattern.finditer(text, max(0, min(signs) - _LONGEST_LEAD))
        mark = next(iter(deque(marks, maxlen=1)), None)
        if mark is None or ("\n" in mark.group() and "\\boxed" in text[mark.end() :]):
            return None
        return _declared(text, mark.end(), where, next_sentence)

    return rule


def _after_hashes(text: str) -> Extracted | None:
    at = text.rfind("####")
    mark = _HASHES.match(text, at) if at >= 0 else None
    return _declared(text, mark.end(), "####") if mark else None


def _declared(
    text: str, start: int, where: str, next_sentence: re.Pattern[str] = _NEXT_SENTENCE
) -> Extracted | None:
    """The answer that begins at `start`; a line that is all digits needs no further look."""
    line = text[start : _line_end(text, start)]
    if line.isdecimal():
        return Extracted(line, where, start, start + len(line))
    end = _declared_end(text, start, next_sentence)
    return _trimmed(text, start, _bold_end(text, start, end), where)


def _bold_end(text: str, start: int, end: int) -> int:
    """Where the bold ends in which the answer stands; `end` for none."""
    first = start + 2 * text.startswith("**", start)
    close = text.find("**", first, end)
    if close < 0:
        return end
    line = text[text.rfind("\n", 0, start) + 1 : first]
    return close if line.count("**") % 2 else end


def answer_line_end(text: str, start: int) -> int:
    """The end of the line on which the answer after `start` ends; it may stand below, or be a
    formula over several lines."""
    other = _RUN_ON.search(text, start)
    text = text[: other.start()] if other else text
    lead = _LEAD.match(text, start)
    return _line_end(text, _declared_end(text, lead.end() if lead else start))


def _declared_end(text: str, start: int, next_sentence: re.Pattern[str] = _NEXT_SENTENCE) -> int:
    """The end of the answer that begins at `start`: of its line, or of the formula it opens."""
    if text.startswith(("$$", "\\[", "\\("), start):
        close = {"$$": "$$", "\\[": "\\]", "\\(": "\\)"}[text[start : start + 2]]
        found = text.find(close, start + 2)
        return len(text) if found < 0 else found + 2
    end = _line_end(text, start)
    for _ in range(_MOST_LINES):
        if end == len(text) or not _open_brackets(text[start:end]):
            break
        end = _line_end(text, end + 1)
    return _sentence_end(text, start, end, next_sentence)


def _sentence_end(text: str, start: int, end: int, next_sentence: re.Pattern[str]) -> int:
    for stop in islice(next_sentence.finditer(text, start, end), _MOST_LINES):
        if not _open_brackets(text[start : stop.start()]):
            return stop.start()
    return end


def _open_brackets(text: str) -> bool:
    """Whether a brace or an environment is still open at the end of the text."""
    if "{" not in text:
        return False
    plain = text.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
    begun, ended = plain.count("\\begin{"), plain.count("\\end{")
    return plain.count("{") > plain.count("}") or begun > ended


def _trimmed(text: str, start: int, end: int, where: str) -> Extracted | None:
    answer = text[start:end]
    if _open_brackets(answer):
        return None
    start += len(answer) - len(answer.lstrip())
    answer = answer.strip().strip("*").strip()
    if answer.endswith(".") and not answer.endswith(".."):
        answer = answer[:-1].rstrip()
    if not answer.strip("$") or (_CUT_OFF.search(answer) and not answer.endswith(("\\)", "\\]"))):
        return None
    start = text.find(answer, start)
    return Extracted(answer, where, start, start + len(answer))


# --- \boxed ----------------------------------------------------------------------------------

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=[{\s\d\w\\])")


def _boxed(text: str) -> Extracted | None:
    """The last outermost box; one that never closes was cut off and declares nothing."""
    found, covered = None, 0
    if "box" not in text:
        return None
    for mark in _BOX.finditer(text):
        if mark.start() < covered:
            continue
        start, end = _box_content(text, mark.end())
        if end < 0:
            return None
        found, covered = (start, end), end
    return _trimmed(text, *found, "\\boxed") if found else None


def _box_content(text: str, at: int) -> tuple[int, int]:
    if at >= len(text):
        return at, -1
    if text[at] != "{":
        bare = re.compile(r"\s*(\\[a-zA-Z]+|\S)").match(text, at - 1 if text[at - 1] == " " else at)
        return (bare.start(1), bare.end(1)) if bare else (at, -1)
    depth, position = 0, at
    for bracket in re.compile(r"\\.|[{}]", re.DOTALL).finditer(text, at):
        depth += {"{": 1, "}": -1}.get(bracket.group(), 0)
        position = bracket.start()
        if depth == 0:
            return at + 1, position
    return at, -1


# --- choices, yes and no, open answers --------------------------------------------------------

_LETTER = r"[\(\[\s*$]*+(?:\\text(?:bf)?\{)?\(?([A-Z]|[1-9])\)?(?![A-Za-z0-9'’])"
_CHOICE_MARKS = (
    (re.compile(r"(?i:my choice is)\s*+:?" + _LETTER), "My choice is"),
    (re.compile(r"(?i:\bthe (?:correct |final )?answer is)\s*+:?" + _LETTER), "The answer is"),
    (re.compile(r"####" + _LETTER), "####"),
    (re.compile(r"\\boxed\{" + _LETTER), "\\boxed"),
    (re.compile(r"(?im:^[ \t]*\**(?:final )?answer\**)[ \t]*:\**" + _LETTER), "Answer:"),
    (re.compile(r"(?m)^[ \t]*[\(\[*]*([A-Z])[\)\].:*]+(?=\s|$)"), "option letter"),
    (re.compile(r"^\s*([A-Z]|[1-9])\s*$"), "option letter"),
)


def _choice(text: str) -> Extracted | None:
    for pattern, where in _CHOICE_MARKS:
        marks = list(pattern.finditer(text))
        if marks and not (where == "option letter" and len({m.group(1) for m in marks}) > 1):
            mark = marks[-1]
            return Extracted(mark.group(1), where, mark.start(1), mark.end(1))
    return None


_VERDICTS = re.compile(
    r"(?i)\b(?:(not|n't)\s+)?(?:morally\s+|ethically\s+)?"
    r"(yes|no|true|false|acceptable|unacceptable|right|wrong|correct|incorrect|positive|negative)\b"
)
_OPPOSITE = {"acceptable": "unacceptable", "right": "wrong", "true": "false", "yes": "no"}
_OPPOSITE |= {"correct": "incorrect", "positive": "negative"}
_OPPOSITE |= {after: before for before, after in _OPPOSITE.items()}
_JUDGED = re.compile(
    r"(?i)(?:\b(?:my choice is|(?:the|my) (?:final )?answer is|answer)\s*:?|####|\\boxed)\s*"
)


def _yes_no(text: str) -> Extracted | None:
    """The verdict after the last declaration, or the one verdict of a one-line answer."""
    marks = list(_JUDGED.finditer(text))
    if marks:
        verdict = _VERDICTS.search(text, marks[-1].end(), _line_end(text, marks[-1].end()))
        return _verdict(verdict, marks[-1].group().rstrip().strip(" :")) if verdict else None
    line = re.compile(r"\s*").match(text)
    begin = line.end() if line else 0
    verdict = _VERDICTS.search(text, begin, _line_end(text, begin))
    return _verdict(verdict, "first line") if verdict else None


def _verdict(match: re.Match[str], where: str) -> Extracted:
    word = match.group(2).lower()
    answer = _OPPOSITE[word] if match.group(1) else word
    return Extracted(answer, where, match.start(), match.end())


def _line_end(text: str, start: int) -> int:
    found = text.find("\n", start)
    return len(text) if found < 0 else found


def _first_line(text: str) -> Extracted | None:
    start = len(text) - len(text.lstrip())
    return _trimmed(text, start, _line_end(text, start), "first line")


def _undeclared(text: str) -> Extracted | None:
    """The first line of a response that speaks of no answer."""
    return None if _THE_ANSWER.search(text) or _ANSWER.search(text) else _first_line(text)


def _first_of(*rules: Rule) -> Rule:
    def rule(text: str) -> Extracted | None:
        for attempt in rules:
            found = attempt(text)
            if found is not None:
                return found
        return None

    return rule


_DECLARED = _after(_THE_ANSWER, "The answer is", "nswer")
_GSM8K = _first_of(_after_hashes, _DECLARED)
_MATH = _first_of(_DECLARED, _boxed, _after_hashes)
_OPEN = _first_of(
    _after(_THE_ANSWER, "The answer is", "nswer", _NEXT_IN_WORDS),
    _after(_ANSWER, "Answer:", "nswer", _NEXT_IN_WORDS),
    _undeclared,
)

RULES: dict[str, Rule] = {
    "gsm8k": _GSM8K,
    "math": _MATH,
    "boxed": _boxed,
    "choice": _choice,
    "arc_challenge": _choice,
    "mmlu": _choice,
    "hellaswag": _choice,
    "yesno": _yes_no,
    "ethics": _yes_no,
    "openqa": _OPEN,
    "hotpotqa": _OPEN,
    "triviaqa": _OPEN,
    "first_line": _first_line,
}


def rules() -> Iterator[str]:
    """The names that `extract` knows."""
    return iter(RULES)
