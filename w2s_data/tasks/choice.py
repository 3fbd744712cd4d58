"""What choice tasks share: options of any shape read, letters and texts, the choice of a response.

A choice question's row has the stem as `question` and the option texts as `choices`, in order;
they are labelled A, B, ... by position. Gold is the letter, the response `My choice is B.`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from w2s_data.answers import extract
from w2s_data.errors import W2SError, out_of_range
from w2s_data.rows import Row

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
RULES = ("choice", "arc_challenge", "mmlu", "hellaswag")
ANSWER_KEY = "My choice is"
STOP = ("Question:", "Answer:")

By = Literal["both", "letter", "text"]

_OPTION_LINE = re.compile(r"^[ \t]*\(?([A-Z1-9])[.):][ \t]*(\S.*)$", re.MULTILINE)
_LABEL = re.compile(r"^\s*\(?([A-Z1-9])[.):]\s*(?=\S)")
_DECLARATION = re.compile(
    r"(?im)(?:my choice is|\bthe (?:correct |final )?answer is|^[ \t]*(?:final )?answer(?=:))"
    r"[ \t]*(?::\s*)?"
)


def response(solution: str | None, answer: str) -> str:
    """The gold response: the solution, then `My choice is B.`"""
    return f"{solution or ''}\n{ANSWER_KEY} {answer}.".lstrip()


def listed(row: Row) -> str:
    """The question as it is read: the stem and, on lines of their own, the labelled options."""
    options = (f"{letter}. {text}" for letter, text in zip(LETTERS, row.get("choices", ())))
    return "\n".join([row["question"], *options])


# --- from a source's record to the house's row ------------------------------------------------


def shape(record: Row) -> Row:
    """The record's stem and its options as a list of texts.

    Options may be a list of texts, a list of {label, text}, {"text": [...], "label": [...]}
    (ai2_arc), a map from label to text, each also as JSON in a text (csv); or lines `A. ...`, or
    `1. ...`, at the end of the question. Raises W2SError naming file and line for anything else.
    """
    given = parsed(record.get("choices"))
    if given is None:
        found = _options_of(record["question"])
        if found is None:
            raise W2SError(
                f"{record['where']}: no options (looked for a field of them, and for lines "
                f"`A. ...` at the end of the question); fields there: {record['there']}; "
                "name it with --field choices=NAME"
            )
        return found
    labels, texts = _labelled(given, record["where"])
    if not 2 <= len(texts) <= len(LETTERS) or not all(map(str.strip, texts)):
        raise W2SError(
            f"{record['where']}: the options must be 2 to {len(LETTERS)} texts that are not "
            f"empty, was: {given!r}"
        )
    return {"choices": texts, "labels": labels}


def read_gold(record: Row) -> Row:
    """The record's answer as a letter.

    It may be a label, an option's text, both (`D. text`), a position from 0 (mmlu, hellaswag), or
    a whole response. In a text a label comes before an option's text, this before a position.
    """
    answer = record.get("answer")
    if answer is None or ANSWER_KEY in str(answer) or not str(answer).strip():
        return {}
    letter = _gold_letter(answer, record["choices"], record.get("labels") or LETTERS)
    if letter is None:
        raise W2SError(
            f"{record['where']}: the answer must be an option's label, text or position, "
            f"was: {answer!r}"
        )
    return {"answer": letter}


def parsed(given: Any) -> Any:
    """A list or an object that stands as JSON in a text (csv), as such; anything else as it is."""
    if isinstance(given, str) and given.strip()[:1] in ("[", "{"):
        try:
            return json.loads(given)
        except ValueError:
            return given
    return given


def _options_of(question: str) -> Row | None:
    """Stem and options of a question that ends in lines A., B., ... or 1., 2., ...; else None."""
    lines = list(_OPTION_LINE.finditer(question))
    firsts = [i for i, line in enumerate(lines) if line.group(1) in "A1"]
    lines = lines[firsts[-1] :] if firsts else []
    labels = [line.group(1) for line in lines]
    in_order = "".join(labels) in (LETTERS[: len(lines)], "123456789"[: len(lines)])
    stem = question[: lines[0].start()].strip() if lines else ""
    if len(lines) < 2 or not in_order or not stem or question[lines[-1].end() :].strip():
        return None
    texts = [line.group(2).strip() for line in lines]
    return {"question": stem, "choices": texts, "labels": labels}


def _labelled(given: Any, where: str) -> tuple[list[str] | None, list[str]]:
    """(labels, texts); labels are None where the source has none."""
    labels: Any = None
    texts = given
    if isinstance(given, dict) and isinstance(given.get("text"), list | tuple):
        labels, texts = given.get("label"), given["text"]
    elif isinstance(given, dict):
        labels, texts = list(given), list(given.values())
    elif isinstance(given, list | tuple) and all(isinstance(one, dict) for one in given):
        labels, texts = ([one.get(name) for one in given] for name in ("label", "text"))
    wrong = not isinstance(texts, list | tuple) or not all(isinstance(t, str) for t in texts)
    if wrong or (labels is not None and len(labels) != len(texts)):
        raise W2SError(
            f"{where}: the options must be a list of texts, or labels with texts, was: {given!r}"
        )
    return (None if labels is None else list(map(str, labels))), list(texts)


def _gold_letter(answer: Any, choices: Sequence[str], labels: Sequence[str]) -> str | None:
    named = list(labels[: len(choices)])
    if isinstance(answer, int) and not isinstance(answer, bool) and str(answer) not in named:
        return LETTERS[answer] if 0 <= answer < len(choices) else None
    text = str(answer).strip()
    if text in named:
        return LETTERS[named.index(text)]
    same = [i for i, choice in enumerate(choices) if choice.strip() == text]
    if len(same) == 1:
        return LETTERS[same[0]]
    label = _LABEL.match(text)
    if label and label.group(1) in named:
        position = named.index(label.group(1))
        return LETTERS[position] if choices[position].strip() == text[label.end() :] else None
    return LETTERS[int(text)] if text.isdecimal() and int(text) < len(choices) else None


# --- from a response to its choice ------------------------------------------------------------


class Choice(NamedTuple):
    """What a response chooses: the letter it names, and the letter of the option it spells out."""

    by_letter: str | None
    by_text: str | None

    @property
    def both(self) -> str | None:
        """The option on which letter and text agree; one of them is enough, two that
        contradict each other choose nothing."""
        if self.by_letter and self.by_text and self.by_letter != self.by_text:
            return None
        return self.by_letter or self.by_text


def read(text: str, choices: Sequence[str]) -> Choice:
    """What the response `text` chooses among the options.

    A digit that is no option's text is a position from 1. The spelled option stands after the
    last declaration (`My choice is`, `The answer is`, `Answer:`), or is the whole response.
    """
    if not 2 <= len(choices) <= len(LETTERS):
        raise out_of_range("the number of choices", f"in [2, {len(LETTERS)}]", len(choices))
    found = extract("choice", text)
    letter = found.answer if found else None
    if letter and letter.isdecimal():
        letter = None if letter_of(letter, choices) else LETTERS[int(letter) - 1]
    by_letter = letter if letter and LETTERS.index(letter) < len(choices) else None
    return Choice(by_letter, _spelled(_declared_line(text), choices))


def chosen(text: str, choices: Sequence[str], by: By = "both") -> str | None:
    """The letter of the option that the response chooses, None for none."""
    choice = read(text, choices)
    return {"both": choice.both, "letter": choice.by_letter, "text": choice.by_text}[by]


def letter_of(text: str, choices: Sequence[str]) -> str | None:
    """The letter of the one option with this text, but for case, blanks and a final dot."""
    same = [i for i, choice in enumerate(choices) if _plain(choice) == _plain(text)]
    return LETTERS[same[0]] if len(same) == 1 else None


def text_of(letter: str, choices: Sequence[str]) -> str:
    """The text of the option with this letter."""
    position = LETTERS.find(letter)
    if not 0 <= position < len(choices):
        raise out_of_range("letter", f"one of {', '.join(LETTERS[: len(choices)])}", letter)
    return choices[position]


def _declared_line(text: str) -> str:
    """The rest of the line after the last declaration; the whole text without one."""
    marks = list(_DECLARATION.finditer(text))
    line = text[marks[-1].end() :].partition("\n")[0] if marks else text
    return _LABEL.sub("", line.strip(" *$"))


def _spelled(line: str, choices: Sequence[str]) -> str | None:
    """The option that a declared line spells: all of it or, within it, the longest."""
    plain = _plain(line)
    label = len(plain) == 1 and plain.upper() in LETTERS[: len(choices)]
    if label or len(plain) > 4 * max(map(len, choices)) + 80:
        return None
    if letter := letter_of(line, choices):
        return letter
    inside = [i for i, choice in enumerate(choices) if _holds(plain, _plain(choice))]
    longest = max(inside, key=lambda i: len(choices[i]), default=0)
    covered = all(_holds(_plain(choices[longest]), _plain(choices[i])) for i in inside)
    return LETTERS[longest] if inside and covered else None


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(" .\"'*$")


def _holds(text: str, part: str) -> bool:
    """Whether `part`, of three or more characters, stands in the text as whole words."""
    pattern = rf"(?<![\w.+-]){re.escape(part)}(?!\w)"
    return len(part) > 2 and re.search(pattern, text) is not None
