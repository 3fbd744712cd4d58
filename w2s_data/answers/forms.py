"""The form of an answer: a value, list, set, tuple, interval, relation or text, with its key."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from w2s_data.answers import units
from w2s_data.answers.nodes import Node, TooBig, add, mul, num, power
from w2s_data.answers.parse import Malformed, matrix, parse
from w2s_data.answers.tokens import MAX_CHARACTERS, clean


class Form(NamedTuple):
    """kind: empty, value, list, set, tuple, interval, union, relation, matrix, text or broken.

    parts: nested forms, or for an interval (low, high) nodes and for a relation its sides.
    mark: interval ends like "[)", or the relation's sign. label: x in `x = 5`.
    """

    kind: str
    key: str
    node: Node | None = None
    parts: tuple[Any, ...] = ()
    mark: str = ""
    unit: str = ""
    percent: bool = False
    label: str = ""
    bases: tuple[tuple[str, int], ...] = ()


EMPTY = Form("empty", "")
VERBATIM = "text: "
_PLAIN_NUMBER = re.compile(
    r"(?a:\s*\$?\s*([-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,300})(?:\.\d{1,300})?)\.?\s*)"
)
_SCIENTIFIC = re.compile(r"([-+]?\d+(?:\.\d+)?|[-+]?\.\d+)[eE]([-+]?\d{1,4})")
_REPEATING = re.compile(
    r"(\d*)\.(\d*)(?:\\overline\s*\{?\s*(\d+)\s*\}?|\\dot\s*\{?(\d)\}?|\((\d+)\))"
)
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?!,?\d)")
_SPACED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?: \d{3})+")
_NUMBERS_IN_A_ROW = re.compile(r"[-+]?\d+(?:\.\d+)?(?:\s+[-+]?\d+(?:\.\d+)?)+")
_TEXT = re.compile(r"\\(?:text|operatorname)\s*\*?\s*\{([^{}]*)\}")
_OPTION = re.compile(r"\(?\s*([A-Za-z])\s*[).:]?")
_WORD = re.compile(r"(?<!\\)(?<![a-zA-Z])[a-zA-Z]{2,}")
_MATH = re.compile(r"[\d^_=+*/\\<>|()\[\]{}]")
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
_JOIN = re.compile(
    r"\s*(?:,\s*)?(?:\"\s*(?:and|or)\s*\"|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])|\\lor)\s*"
)
_RELATION = re.compile(r"\\(?:le|ge|ne|in|approx|equiv|sim)(?![a-zA-Z])|<=|>=|!=|[=<>]")
_SIGN = {"\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\in": "in"}
_FLIP = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!="}


@lru_cache(maxsize=65536)
def form(answer: str, fold: bool = True) -> Form:
    """The form of an answer; `fold` compares words without regard to case. Never raises."""
    plain = _PLAIN_NUMBER.fullmatch(answer)
    if plain:
        return _plain_number(plain.group(1))
    if answer.startswith(VERBATIM):
        return Form("text", answer)
    text = _peeled(clean(answer))
    if not text or not re.search(r"\w|\\", text):
        return EMPTY if not text or not text.strip("{}() \"'") else _broken(text)
    if len(text) > MAX_CHARACTERS:
        return _too_big(text)
    try:
        return _form(text, fold)
    except Malformed:
        return _wordy(text, fold)
    except (TooBig, RecursionError):
        return _too_big(text)


def _too_big(text: str) -> Form:
    """A formula beyond the bounds: equal to its own spelling, undecided against the rest."""
    shown = "".join(text.split()) if _MATH.search(text) else " ".join(text.split())
    return Form("text", VERBATIM + shown, mark="too big" if _MATH.search(text) else "")


def _plain_number(text: str) -> Form:
    node = num(Fraction(text.replace(",", "")))
    return Form("value", node.key, node)


def _value(node: Node, **marks: Any) -> Form:
    found = Form("value", node.key, node, **marks)
    return found._replace(key=_value_key(found))


def _value_key(f: Form) -> str:
    key = f.key + ("%" if f.percent else "")
    if f.unit:
        wrapped = f"({key})" if f.node is not None and f.node.head == "+" else key
        key = f"{wrapped} \\text{{{f.unit}}}"
    for digits, base in f.bases[:1]:
        key = f"{digits}_{{{base}}}"
    return f"{f.label}={key}" if f.label else key


def _broken(text: str) -> Form:
    return Form("broken", VERBATIM + "".join(text.split()))


# --- wrappers ---------------------------------------------------------------------------------

_WRAPPERS = ("\\boxed", "\\fbox", "\\text", "\\operatorname", "\\ensuremath", "\\displaystyle", "")


def _peeled(text: str) -> str:
    """The text without the braces, boxes and \\text that hold all of it."""
    partner = _partners(text)
    low, high = 0, len(text)
    while True:
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
    return (
        _TEXT.sub(lambda m: f' "{m.group(1).strip()}" ', found).strip() if "\\" in found else found
    )


def _partners(text: str) -> dict[int, int]:
    open_at, partner = [], {}
    for mark in re.finditer(r"\\.|[{}]", text, re.DOTALL):
        if mark.group() == "{":
            open_at.append(mark.start())
        elif mark.group() == "}" and open_at:
            partner[open_at.pop()] = mark.start()
    return partner


# --- shapes -------------------------------------------------------------------------------------


def _form(text: str, fold: bool) -> Form:
    option = _OPTION.fullmatch(text)
    if option:
        letter = option.group(1)
        return Form("text", letter.lower() if fold else letter, mark="letter")
    if re.fullmatch(r"\"[^\"]*\"", text):
        return form(text.strip('"'), fold)
    if not _balanced(text):
        return _broken(text)
    for shape in (_number, _list, _relation, _union, _bracketed):
        found = shape(text, fold)
        if found is not None:
            return found
    if _is_wordy(text):
        return _wordy(text, fold)
    return _formula(text)


def _balanced(text: str) -> bool:
    depth = 0
    for mark in re.finditer(r"\\begin|\\end|\\.|[{}()\[\]]", text):
        sign = mark.group()
        if sign in ("(", "[", "{", "\\{", "\\begin"):
            depth += 1
        elif sign in (")", "]", "}", "\\}", "\\end"):
            depth -= 1
            if depth < 0:
                return False
    return depth == 0


def _number(text: str, fold: bool) -> Form | None:
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        node, _ = parse(f"{scientific.group(1)}*10^{{{scientific.group(2)}}}")
        return _value(node)
    if _SPACED_THOUSANDS.fullmatch(text):
        return _value(num(int(text.replace(" ", ""))))
    if _NUMBERS_IN_A_ROW.fullmatch(text):
        return Form("text", " ".join(text.split()), mark="row")
    return None


def _list(text: str, fold: bool) -> Form | None:
    text = _JOIN.sub(",", text) if _JOIN.search(text) else text
    text = _joined_thousands(text)
    parts = _split(text, ",;")
    if len(parts) == 1:
        return _plus_minus(text, fold)
    parts = [part for part in parts if part.strip()]
    if not parts:
        raise Malformed("only separators")
    if len(parts) == 1:
        return form(parts[0].strip(), fold)
    items = tuple(form(part.strip(), fold) for part in parts)
    flat = [i for item in items for i in (item.parts if item.kind == "list" else (item,))]
    return listed("list", _labelled(flat))


def _labelled(items: list[Form]) -> list[Form]:
    """`x = 1, 2` gives the label of the first item to the others that have none."""
    label = items[0].label
    if not label or any(i.label for i in items[1:]) or any(i.kind != "value" for i in items):
        return items
    return [i if i.label else i._replace(label=label, key=f"{label}={i.key}") for i in items]


def listed(kind: str, items: list[Form]) -> Form:
    ordered = items if kind == "tuple" else sorted(items, key=lambda i: i.key)
    if kind == "set":
        ordered = [i for k, i in enumerate(ordered) if k == 0 or i.key != ordered[k - 1].key]
    left, right = {"list": ("", ""), "set": ("\\{", "\\}"), "tuple": ("(", ")")}[kind]
    separator = ", " if kind == "list" else ","
    return Form(kind, left + separator.join(i.key for i in ordered) + right, parts=tuple(items))


def _joined_thousands(text: str) -> str:
    if "," not in text or any(mark in text for mark in ("(", "[", "\\{")):
        return text
    return _THOUSANDS.sub(lambda m: m.group().replace(",", ""), text)


def _split(text: str, marks: str) -> list[str]:
    """The text cut at marks that no bracket, brace or environment holds."""
    parts, depth, start = [], 0, 0
    for mark in re.finditer(r"\\begin|\\end|\\.|.", text, re.DOTALL):
        sign = mark.group()
        if sign in ("(", "[", "{", "\\{", "\\begin"):
            depth += 1
        elif sign in (")", "]", "}", "\\}", "\\end"):
            depth -= 1
        elif depth == 0 and sign in marks:
            parts.append(text[start : mark.start()])
            start = mark.end()
    return [*parts, text[start:]]


def _plus_minus(text: str, fold: bool) -> Form | None:
    if "\\pm" not in text and "\\mp" not in text and "+/-" not in text:
        return None
    text = text.replace("+/-", "\\pm ")
    signs = (("+", "-"), ("-", "+"))
    both = [text.replace("\\pm", plus).replace("\\mp", minus) for plus, minus in signs]
    if any(mark in text for mark in ("=", "<", ">")) and not re.match(r"\w+\s*=[^=]*$", text):
        raise Malformed("plus-minus in a relation")
    return listed("list", [form(one, fold) for one in both])


def _relation(text: str, fold: bool) -> Form | None:
    cuts = [m for m in _RELATION.finditer(text) if _outside(text, m.start())]
    if not cuts:
        return None
    from w2s_data.answers.relations import relation

    edges = [0, *(edge for m in cuts for edge in m.span()), len(text)]
    sides = [text[edges[k] : edges[k + 1]].strip() for k in range(0, len(edges), 2)]
    signs = [_SIGN.get(m.group(), m.group()) for m in cuts]
    return relation(sides, signs, lambda side: form(side, fold), text)


def _outside(text: str, position: int) -> bool:
    return len(_split(text[:position], "")) == 1 and _balanced(text[:position])


def _union(text: str, fold: bool) -> Form | None:
    if "\\cup" not in text and "\\setminus" not in text and "\\mathbb" not in text:
        if not re.search(r"[)\]]\s*[uU]\s*[(\[]", text):
            return None
        text = re.sub(r"([)\]])\s*[uU]\s*(?=[(\[])", r"\1\\cup ", text)
    from w2s_data.answers.intervals import union_of

    return union_of(text, lambda part: form(part, fold))


def _bracketed(text: str, fold: bool) -> Form | None:
    if text.startswith("\\{") and text.endswith("\\}"):
        inside = text[2:-2].strip()
        if not inside:
            return Form("set", "\\{\\}")
        if _balanced(inside):
            return listed("set", [form(p.strip(), fold) for p in _split(inside, ",;")])
    if text == "\\emptyset":
        return Form("set", "\\{\\}")
    if text[0] not in "([" or text[-1] not in ")]":
        return None
    inside = text[1:-1]
    parts = _split(inside, ",;")
    if len(parts) < 2 or not _balanced(inside):
        return None
    items = [form(p.strip(), fold) for p in parts]
    if text[0] + text[-1] == "()" or len(items) > 2:
        found = listed("tuple", items)
        return found if text[0] == "(" else found._replace(kind="tuple", key=f"[{found.key[1:-1]}]")
    from w2s_data.answers.intervals import interval

    if items[0].node is None or items[1].node is None:
        raise Malformed("an interval without ends")
    return interval(items[0].node, items[1].node, text[0] + text[-1])


# --- words and formulas ---------------------------------------------------------------------------


def _is_wordy(text: str) -> bool:
    if '"' in text:
        return not _QUOTED_UNIT.search(text)
    words = [w for w in _WORD.findall(text) if w.lower() not in _FUNCTION_WORDS]
    if not words:
        return False
    if not _MATH.search(text):
        return (
            len(words[0]) > 3
            or " " in text
            or words[0].lower() in _SHORT_WORDS
            or words[0].isupper()
        )
    return False


_QUOTED_UNIT = re.compile(r"[\d)}a-zA-Z]\s*\"[a-zA-Z ./^0-9]+\"\s*(\^\s*\{?\s*[23]\s*\}?)?$")


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


def _formula(text: str) -> Form:
    text, percent = units.take_percent(text)
    unit = ""
    if not percent:
        text, unit = units.take_unit(text)
        text, percent = units.take_percent(text) if unit else (text, percent)
    if any(len(w) > 3 and w.lower() not in _FUNCTION_WORDS for w in _WORD.findall(text)):
        raise Malformed("words")
    if '"' in text:
        raise Malformed("words inside a formula")
    node, bases, matrices = _parsed(_joined_thousands(text))
    if matrices:
        return _matrix_form(node)
    marks = tuple(bases) if len(bases) == 1 and re.fullmatch(r"\d+_\{?\d+\}?", text) else ()
    return _value(node, unit=unit, percent=percent, bases=marks)


def _parsed(text: str) -> tuple[Node, list[tuple[str, int]], int]:
    if "overline" in text or "dot" in text or "(" in text:
        text = _REPEATING.sub(_repeating, text)
    ratio = text.split(":")
    if len(ratio) == 2 and all(part.strip() for part in ratio):
        text = f"({ratio[0]})/({ratio[1]})"
    node, reader = parse(text)
    return node, reader.bases, reader.matrices


def _repeating(match: re.Match[str]) -> str:
    whole, start, *cycles = match.groups()
    cycle = next(c for c in cycles if c)
    if len(whole + start + cycle) > 300 or (match.group(5) and not start and not whole):
        raise Malformed("a repeating decimal")
    top = int((whole + start + cycle) or "0") - int((whole + start) or "0")
    return f"\\frac{{{top}}}{{{(10 ** len(cycle) - 1) * 10 ** len(start)}}}"


def _matrix_form(node: Node) -> Form:
    """A matrix, a multiple of one, or a sum of such; anything else is not understood."""
    if node.head == "+" and not node.args[0]:
        terms = [_rows(t if c == 1 else mul(num(c), t)) for t, c in node.args[1]]
        if len({(len(t), len(t[0])) for t in terms}) != 1:
            raise Malformed("matrices of different shapes")
        rows = [[add(*entries) for entries in zip(*lines)] for lines in zip(*terms)]
    else:
        rows = _rows(node)
    found = matrix(rows)
    return Form("matrix", found.key, found)


def _rows(node: Node) -> list[list[Node]]:
    if node.head == "m":
        return [list(row) for row in node.args]
    if node.head != "*":
        raise Malformed("a matrix inside a formula")
    inside = [b for b, e in node.args[1] if b.head == "m" and e.key == "1"]
    others = [(b, e) for b, e in node.args[1] if b.head != "m"]
    if len(inside) != 1 or len(others) + 1 != len(node.args[1]) or "pmatrix" in str(others):
        raise Malformed("a product of matrices")
    scale = mul(num(node.args[0]), *(power(b, e) for b, e in others))
    return [[mul(scale, entry) for entry in row] for row in inside[0].args]
