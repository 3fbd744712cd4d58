"""From the text of an answer to its form: wrappers off, shapes, then words or a formula."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from w2s_data.answers import units
from w2s_data.answers.cursor import Malformed
from w2s_data.answers.form import EMPTY, VERBATIM, Form, keyed_value, value
from w2s_data.answers.integers import TooBig
from w2s_data.answers.matrices import matrix_form
from w2s_data.answers.nodes import num
from w2s_data.answers.parse import parse
from w2s_data.answers.scan import balanced, partners
from w2s_data.answers.shapes import joined_thousands, shape
from w2s_data.answers.tokens import MAX_CHARACTERS, clean

_PLAIN_NUMBER = re.compile(
    r"(?a:\s*(?:\$\s*)?([-+]?)(?:(\d{1,3}(?:,\d{3})+|\d{1,300})(?:\.(\d{1,300}))?\.?"
    r"|\\[dt]?frac\{(\d{1,300})\}\{(\d{1,300})\})\s*)"
)
_REPEATING = re.compile(
    r"(\d*)\.(\d*)(?:\\overline\s*\{?\s*(\d+)\s*\}?|\\dot\s*\{?(\d)\}?|\((\d+)\))"
)
_TEXT = re.compile(r"\\(?:text|operatorname)\s*\*?\s*\{([^{}]*)\}")
_PREAMBLE = re.compile(r"(?i)(?:the |my )?(?:final |correct )?answer(?: is|:)\s*:?\s*")
_DERIVATIVE = re.compile(r"\\frac\s*\{\s*d\s*(?:\^\s*\{?\d\}?)?\s*\w?\s*\}\s*\{\s*d\s*\w|\\partial")
_WORD = re.compile(r"(?<!\\)(?<![a-zA-Z])[a-zA-Z]{2,}")
_MATH = re.compile(r"[\d^_=+*/\\<>|()\[\]{}]")
_SIGNED_LETTERS = re.compile(r"-?\s*[a-zA-Z]{1,3}(?:\s*[-+]\s*[a-zA-Z]{1,3})+|-\s*[a-zA-Z]{1,3}")
_QUOTED_UNIT = re.compile(r"[\d)}a-zA-Z]\s*\"[a-zA-Z ./^0-9]+\"\s*(\^\s*\{?\s*[23]\s*\}?)?$")
_SHORT = (
    "no on or of to in is it at as an by do go he if me my so up us we be am ok yes all any and "
    "the not odd one two six ten red day who why how out man cat dog new now old own few tom bob"
)
_SHORT_WORDS = set(_SHORT.split())
_PLAIN = (
    "sin cos tan cot sec csc log ln exp sqrt pi arcsin arccos arctan sinh cosh tanh inf oo "
    "infinity infty asin acos atan abs floor ceil factorial binomial integral limit "
    "prod pmatrix vmatrix"
)
_FUNCTION_WORDS = {*_PLAIN.split(), "dx", "dy", "dt", "du"}
CACHED_CHARACTERS = 200
_WRAPPERS = ("\\boxed", "\\fbox", "\\text", "\\operatorname", "\\ensuremath", "\\displaystyle", "")


def form(answer: str, fold: bool = True, ordered: bool = False) -> Form:
    """The form of an answer; never raises.

    fold: words are compared without regard to case. ordered: `1, 2` keeps its order.
    """
    if len(answer) > CACHED_CHARACTERS:
        return _fresh(answer, fold, ordered)
    return _cached(answer, fold, ordered)


def _fresh(answer: str, fold: bool, ordered: bool) -> Form:
    plain = _PLAIN_NUMBER.fullmatch(answer)
    number = _plain_number(*plain.groups()) if plain else None
    if number is not None:
        return keyed_value(num(number))
    if answer.startswith(VERBATIM):
        return Form("text", answer)
    text = _peeled(clean(answer))
    if not text or not re.search(r"\w|\\", text):
        return EMPTY if not text or not text.strip("{}() \"'") else _broken(text)
    if len(text) > MAX_CHARACTERS:
        return _too_big(text)
    try:
        return _form(text, fold, ordered)
    except Malformed:
        return _wordy(text, fold)
    except (TooBig, RecursionError):
        return _too_big(text)


def _plain_number(
    sign: str, whole: str | None, decimals: str | None, top: str | None, bottom: str | None
) -> Fraction | int | None:
    """The number of a match of _PLAIN_NUMBER; None where the denominator is zero."""
    if whole is not None:
        digits = int(whole.replace(",", "") + (decimals or ""))
        number = Fraction(digits, 10 ** len(decimals)) if decimals else digits
    elif int(bottom or 0):
        number = Fraction(int(top or 0), int(bottom or 0))
    else:
        return None
    return -number if sign == "-" else number


_cached = lru_cache(maxsize=32768)(_fresh)


def _form(text: str, fold: bool, ordered: bool) -> Form:
    def read(part: str) -> Form:
        return form(part, fold, ordered)

    if re.fullmatch(r"\"[^\"]*\"", text):
        return read(text.strip('"'))
    preamble = _PREAMBLE.match(text)
    if preamble and preamble.end() < len(text):
        return read(text[preamble.end() :])
    found = shape(text, read, fold, ordered) if balanced(text) or len(text) < 8 else _broken(text)
    if found is not None:
        return found
    if not balanced(text):
        return _broken(text)
    return _wordy(text, fold) if _is_wordy(text) else _formula(text)


def _too_big(text: str) -> Form:
    """A formula beyond the bounds: equal to its own spelling, undecided against the rest."""
    shown = "".join(text.split()) if _MATH.search(text) else " ".join(text.split())
    return Form("text", VERBATIM + shown, mark="too big" if _MATH.search(text) else "")


def _broken(text: str) -> Form:
    return Form("broken", VERBATIM + "".join(text.split()))


def _peeled(text: str) -> str:
    """The text without the braces, boxes and \\text that hold all of it; other \\text in quotes."""
    partner = partners(text) if "{" in text else {}
    low, high = 0, len(text)
    while partner:
        while low < high and text[low].isspace():
            low += 1
        while high > low and text[high - 1].isspace():
            high -= 1
        for wrapper in _WRAPPERS:
            at = low + len(wrapper)
            if text.startswith(wrapper + "{", low) and partner.get(at) == high - 1:
                low, high = at + 1, high - 1
                break
        else:
            break
    found = text[low:high]
    return _TEXT.sub(lambda m: f' "{m.group(1).strip()}" ', found).strip()


# --- words ------------------------------------------------------------------------------------


def _is_wordy(text: str) -> bool:
    if '"' in text:
        return not _QUOTED_UNIT.search(text)
    words = [w for w in _WORD.findall(text) if w.lower() not in _FUNCTION_WORDS]
    if not words or _MATH.search(text):
        return False
    if _SIGNED_LETTERS.fullmatch(text):
        return any(w.lower() in _SHORT_WORDS for w in words)
    first = words[0]
    return len(first) > 3 or " " in text or first.lower() in _SHORT_WORDS or first.isupper()


def _wordy(text: str, fold: bool) -> Form:
    """Words: compared as they stand, apart from case, blanks and a final dot."""
    words = " ".join(text.replace('"', " ").split()).strip("'`.!: ")
    folded = words.lower() if fold else words
    if not folded:
        return EMPTY
    plain = not re.search(r"\\|\^|_", folded) and not _MATH.search(folded)
    if plain and _is_wordy(folded):
        return Form("text", folded)
    return Form("text", VERBATIM + folded, mark="" if plain else "formula")


# --- formulas ---------------------------------------------------------------------------------


def _formula(text: str) -> Form:
    text, percent = units.take_percent(text)
    unit = ""
    if not percent:
        text, unit = units.take_unit(text)
        text, percent = units.take_percent(text) if unit else (text, percent)
    if any(len(w) > 3 and w.lower() not in _FUNCTION_WORDS for w in _WORD.findall(text)):
        raise Malformed("words")
    if '"' in text or _DERIVATIVE.search(text):
        raise Malformed("words or a derivative in a formula")
    text = joined_thousands(text)
    if "overline" in text or "dot" in text or "(" in text:
        text = _REPEATING.sub(_repeating, text)
    node, reader = parse(text)
    if reader.matrices:
        return matrix_form(node)
    alone = len(reader.bases) == 1 and re.fullmatch(r"\d+_\{?\d+\}?", text)
    return value(node, unit=unit, percent=percent, bases=tuple(reader.bases) if alone else ())


def _repeating(match: re.Match[str]) -> str:
    whole, start, *cycles = match.groups()
    cycle = next(c for c in cycles if c)
    if len(whole + start + cycle) > 300 or (match.group(5) and not start and not whole):
        raise Malformed("a repeating decimal")
    top = int((whole + start + cycle) or "0") - int((whole + start) or "0")
    return f"\\frac{{{top}}}{{{(10 ** len(cycle) - 1) * 10 ** len(start)}}}"
