"""Paper 1's published answer strings (arXiv 2407.13647), defects and all.

Published verdicts are plain equality of these strings, and an empty answer takes part like any
other. Known defects, kept on purpose: the text left of the last `=` is dropped, `ft` is deleted
inside `\\left` and `\\infty`, commas vanish from `1,2`, `27 1/2` becomes `271/2`.
"""

from __future__ import annotations

import re

ANSWER_KEYS = {"gsm8k": "####", "math": "The answer is:"}

_REWRITES = (
    ("an ", ""),
    ("a ", ""),
    (".$", "$"),
    ("\\$", ""),
    ("\\ ", ""),
    ("\\%", "%"),
    (" ", ""),
    ("mbox", "text"),
    (",\\text{and}", ","),
    ("\\text{and}", ","),
    ("\\text{m}", "\\text{}"),
)
_WORDS = (
    "square ways integers dollars mph inches ft hours km units \\ldots sue points feet minutes "
    "digits cents degrees cm gm pounds meters meals edges students childrentickets multiples"
)
_MARKS = [
    *("\\text{s}", "\\text{.}", "\\text{\ns}", "\\text{}^2", "\\text{}^3", "\\text{\n}"),
    *("\\text{}", "\\mathrm{th}", "^\\circ", "^{\\circ}", "\\;", ",\\!", "{,}", '"', "\\dots"),
]
_UNWRAPPED = (
    (re.compile(r".*?\$(.*?)\$.*"), r"$\1$"),
    (re.compile(r"\\text\{(.*?)\}"), r"\1"),
    (re.compile(r"\\textbf\{(.*?)\}"), r"\1"),
    (re.compile(r"\\overline\{(.*?)\}"), r"\1"),
    (re.compile(r"\\boxed\{(.*)\}"), r"\1"),
    (re.compile(r"frac([^{])(.)"), r"frac{\1}{\2}"),
    (re.compile(r"sqrt([^{])"), r"sqrt{\1}"),
)
_NUMBER = re.compile(r"-?\d+\.?\d*")


def published_answer(rule: str, text: str) -> str:
    """The published `pred` of a response: possibly the empty string."""
    key = ANSWER_KEYS.get(rule, ANSWER_KEYS["math"])
    text = text.split("Question", 1)[0].strip()
    declared = _last_line_after(key, text) or _number_after_the_answer_is(text)
    if "</s>" in declared:
        declared = declared[:-4]
    return published_string(declared)


def published_string(answer: str) -> str:
    """The published normal form of an answer."""
    text = answer.rsplit("=", 1)[-1]
    for before, after in _REWRITES:
        text = text.replace(before, after)
    for removed in (*_WORDS.split(), *_MARKS):
        text = text.replace(removed, "")
    for pattern, kept in _UNWRAPPED:
        text = pattern.sub(kept, text)
    return _plain_number(text.replace("$", ""))


def _last_line_after(key: str, text: str) -> str:
    found = re.findall(f"{key} (.*)$", text)
    return found[-1] if found else ""


def _number_after_the_answer_is(text: str) -> str:
    numbers = _NUMBER.findall(_last_line_after("The answer is", text).replace(",", ""))
    return numbers[0].removesuffix(".") if numbers else ""


def _plain_number(text: str) -> str:
    if text.replace(",", "").isdigit():
        text = text.replace(",", "")
    for ending in (".0", ".00", "%"):
        if text.endswith(ending) and text[: -len(ending)].isdigit():
            text = text[: -len(ending)]
    return text.lower() if text.lower() in {*"abcdefg"} else text
