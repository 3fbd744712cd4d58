"""The shapes that hold values: options, lists, sets, tuples, ratios, intervals and relations."""

from __future__ import annotations

import re
from collections.abc import Callable

from w2s_data.answers import intervals, relations
from w2s_data.answers.cursor import Malformed
from w2s_data.answers.form import Form, keyed_value, value
from w2s_data.answers.nodes import Node, div, num
from w2s_data.answers.parse import parse
from w2s_data.answers.scan import balanced, outside, split

Read = Callable[[str], Form]

_LETTER = re.compile(r"\(?\s*\"?\(?([A-Za-z])\)?\"?\s*[).:]?\"?")
_OPTION = re.compile(r"\"?\(?([A-Z])\)[.:]?\"?\s+(\S.*)|\"?([A-Z])[.:]\"?\s+(\S.*)", re.DOTALL)
_SCIENTIFIC = re.compile(r"([-+]?\d+(?:\.\d+)?|[-+]?\.\d+)[eE]([-+]?\d{1,4})")
_IN_BASE = re.compile(r"([0-9A-Z]{2,60})_\{?(\d\d)\}?")
_THOUSANDS = re.compile(r"(?<![\d.,])(\d{1,3}(?:,\d{3})+)(?!,?\d)")
_SPACED_THOUSANDS = re.compile(r"[-+]?\d{1,3}(?: \d{3})+")
_NUMBERS_IN_A_ROW = re.compile(r"[-+]?\d+(?:\.\d+)?(?:\s+[-+]?\d+(?:\.\d+)?)+")
_JOIN = re.compile(
    r"\s*(?:,\s*)?(?:\"\s*(?:and|or)\s*\"|(?<![a-zA-Z\\])(?:and|or)(?![a-zA-Z])|\\lor)\s*"
)
_OR = re.compile(r"\bor\b|\\lor")
_SEPARATOR = re.compile(r"[,;]")
_COLON = re.compile(r":")
_RELATION = re.compile(r"\\(?:le|ge|ne|in|approx|equiv|sim)(?![a-zA-Z])|<=|>=|!=|[=<>]")
_SIGN = {"\\le": "<=", "\\ge": ">=", "\\ne": "!=", "\\in": "in"}
_BUILDER = re.compile(r"\s*([a-zA-Z])\s*(?:\\in\s*\\mathbb\s*\{?R\}?\s*)?[|:]\s*(.+)", re.DOTALL)


def shape(text: str, read: Read, fold: bool, ordered: bool) -> Form | None:
    """The form of a text that is one of these shapes, else None. `read` reads its parts."""
    for kind in (_option, _number, _list, _relation, _union, _bracketed, _ratio):
        found = kind(text, read, fold)
        if found is not None:
            return _in_its_order(found) if ordered and found.kind == "list" else found
    return None


def _in_its_order(found: Form) -> Form:
    return found._replace(key=", ".join(item.key for item in found.parts))


def _option(text: str, read: Read, fold: bool) -> Form | None:
    letter = _LETTER.fullmatch(text)
    if (letter and text.count("(") == text.count(")")) or (letter and text.endswith(")")):
        name = letter.group(1)
        return Form("text", name.lower() if fold else name, mark="letter")
    option = _OPTION.fullmatch(text)
    if option and balanced(text.split(")", 1)[-1]):
        name, content = (g for g in option.groups() if g)
        name = name.lower() if fold else name
        inner = read(content.strip())
        return Form("option", f"{name.upper()}) {inner.key}", parts=(inner,), label=name)
    return None


def _number(text: str, read: Read, fold: bool) -> Form | None:
    scientific = _SCIENTIFIC.fullmatch(text)
    if scientific:
        node, _ = parse(f"{scientific.group(1)}*10^{{{scientific.group(2)}}}")
        return value(node)
    if _SPACED_THOUSANDS.fullmatch(text):
        return value(num(int(text.replace(" ", ""))))
    if _NUMBERS_IN_A_ROW.fullmatch(text):
        return Form("text", " ".join(text.split()), mark="row")
    based = _IN_BASE.fullmatch(text)
    if based and any(c.isalpha() for c in based.group(1)):
        digits, base = based.group(1), int(based.group(2))
        if base <= 36 and all(int(d, 36) < base for d in digits):
            return value(num(int(digits, base)), bases=((digits, base),))
    return None


# --- lists ------------------------------------------------------------------------------------


def _list(text: str, read: Read, fold: bool) -> Form | None:
    joined = _JOIN.sub(",", text)
    parts = split(joined_thousands(joined), _SEPARATOR)
    if len(parts) == 1:
        return _plus_minus(text, read)
    parts = [part.strip() for part in parts if part.strip()]
    if not parts:
        raise Malformed("only separators")
    if len(parts) == 1:
        return read(parts[0])
    items = [read(part) for part in parts]
    flat = [i for item in items for i in (item.parts if item.kind == "list" else (item,))]
    return _either(flat) if _OR.search(text) else listed("list", _labelled(flat))


def _either(items: list[Form]) -> Form:
    """`x < 2 or x > 3` as a union, other alternatives as a list."""
    labels = {item.label for item in items}
    pieces = [intervals.pieces_of(item) for item in items]
    if len(labels) == 1 and all(pieces) and "" not in labels:
        (label,) = labels
        found = intervals.union([p for some in pieces for p in some or []], label)
        return found._replace(key=f"{label} \\in {found.key}")
    return listed("list", _labelled(items))


def _labelled(items: list[Form]) -> list[Form]:
    """`x = 1, 2` gives the label of the first item to the others that have none."""
    label = items[0].label
    if not label or any(i.label for i in items[1:]) or any(i.kind != "value" for i in items):
        return items
    return [i if i.label else i._replace(label=label, key=f"{label}={i.key}") for i in items]


def listed(kind: str, items: list[Form]) -> Form:
    """A list, set or tuple of forms; the key of the first two is sorted."""
    ordered = items if kind == "tuple" else sorted(items, key=lambda i: i.key)
    if kind == "set":
        ordered = [i for k, i in enumerate(ordered) if k == 0 or i.key != ordered[k - 1].key]
    left, right = {"list": ("", ""), "set": ("\\{", "\\}"), "tuple": ("(", ")")}[kind]
    separator = ", " if kind == "list" else ","
    return Form(kind, left + separator.join(i.key for i in ordered) + right, parts=tuple(items))


def joined_thousands(text: str) -> str:
    """`1,234` as `1234`, but not inside brackets, where a comma parts."""
    if "," not in text or any(mark in text for mark in ("(", "[", "\\{")):
        return text
    return _THOUSANDS.sub(lambda m: m.group().replace(",", ""), text)


def _plus_minus(text: str, read: Read) -> Form | None:
    if "\\pm" not in text and "\\mp" not in text and "+/-" not in text:
        return None
    text = text.replace("+/-", "\\pm ")
    signs = (("+", "-"), ("-", "+"))
    both = [text.replace("\\pm", plus).replace("\\mp", minus) for plus, minus in signs]
    if any(mark in text for mark in ("=", "<", ">")) and not re.match(r"\w+\s*=[^=]*$", text):
        raise Malformed("plus-minus in a relation")
    return listed("list", [read(one) for one in both])


# --- relations, brackets, ratios --------------------------------------------------------------


def _relation(text: str, read: Read, fold: bool) -> Form | None:
    cuts = outside(text, _RELATION)
    if not cuts or len(cuts) > 50:
        return None
    edges = [0, *(edge for m in cuts for edge in m.span()), len(text)]
    sides = [text[edges[k] : edges[k + 1]].strip() for k in range(0, len(edges), 2)]
    return relations.relation(sides, [_SIGN.get(m.group(), m.group()) for m in cuts], read)


def _union(text: str, read: Read, fold: bool) -> Form | None:
    if "\\cup" not in text and "\\setminus" not in text and "\\mathbb" not in text:
        if not re.search(r"[)\]]\s*[uU]\s*[(\[]", text):
            return None
        text = re.sub(r"([)\]])\s*[uU]\s*(?=[(\[])", r"\1\\cup ", text)
    return intervals.union_of(text, read)


def _bracketed(text: str, read: Read, fold: bool) -> Form | None:
    if text == "\\emptyset":
        return Form("set", "\\{\\}")
    if text.startswith("\\{") and text.endswith("\\}") and balanced(text[2:-2]):
        return _braced(text[2:-2].strip(), read)
    if text[0] not in "([" or text[-1] not in ")]" or not balanced(text[1:-1]):
        return None
    parts = split(text[1:-1], _SEPARATOR)
    if len(parts) < 2:
        return None
    items = [read(p.strip()) for p in parts]
    if text[0] + text[-1] == "()" or len(items) > 2:
        found = listed("tuple", items)
        return found if text[0] == "(" else found._replace(key=f"[{found.key[1:-1]}]")
    low, high = (item.node for item in items)
    if low is None or high is None:
        raise Malformed("an interval without ends")
    return intervals.interval(low, high, text[0] + text[-1])


def _braced(inside: str, read: Read) -> Form:
    if not inside:
        return Form("set", "\\{\\}")
    builder = _BUILDER.fullmatch(inside)
    if builder:
        found = read(builder.group(2))
        if found.label == builder.group(1):
            return found
    return listed("set", [read(p.strip()) for p in split(inside, _SEPARATOR)])


def _ratio(text: str, read: Read, fold: bool) -> Form | None:
    """`2:4` is the value 1/2; three and more parts are divided by the first."""
    parts = split(text, _COLON)
    if len(parts) < 2 or not all(part.strip() for part in parts):
        return None
    nodes: list[Node] = [parse(part)[0] for part in parts]
    if len(nodes) == 2:
        return value(div(nodes[0], nodes[1]))
    scaled = [keyed_value(div(node, nodes[0])) for node in nodes]
    return Form("ratio", ":".join(part.key for part in scaled), parts=tuple(scaled))
