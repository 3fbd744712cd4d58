"""Units and percent signs at the end of an answer, taken off before the formula is read."""

from __future__ import annotations

import re
from fractions import Fraction

_SPELLED = {
    "cm": "centimeter centimeters centimetre centimetres cms",
    "m": "meter meters metre metres",
    "km": "kilometer kilometers kilometre kilometres kms",
    "mm": "millimeter millimeters millimetre millimetres",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards yds",
    "mi": "mile miles",
    "s": "sec secs second seconds",
    "min": "minute minutes mins",
    "h": "hour hours hr hrs",
    "day": "days",
    "week": "weeks wk wks",
    "month": "months",
    "year": "years yr yrs",
    "degree": "degrees",
    "radian": "radians rad",
    "dollar": "dollars USD usd bucks",
    "cent": "cents",
    "euro": "euros EUR",
    "pound": "pounds lbs lb",
    "oz": "ounce ounces",
    "kg": "kilogram kilograms kgs",
    "g": "gram grams",
    "ton": "tons tonne tonnes",
    "l": "L liter liters litre litres",
    "ml": "milliliter milliliters mL",
    "gal": "gallon gallons",
    "mph": "",
    "unit": "units",
    "way": "ways",
    "person": "people persons",
    "child": "children",
}
_NAMES = {name: unit for unit, names in _SPELLED.items() for name in (unit, *names.split())}
_LONG = {name for name in _NAMES if len(name) > 1}

_FACTORS: dict[str, tuple[str, Fraction]] = {
    **{u: ("length", Fraction(f)) for u, f in (("m", "1"), ("cm", "0.01"), ("km", "1000"))},
    **{u: ("length", Fraction(f)) for u, f in (("mm", "0.001"), ("in", "0.0254"))},
    **{u: ("length", Fraction(f)) for u, f in (("ft", "0.3048"), ("yd", "0.9144"))},
    "mi": ("length", Fraction("1609.344")),
    **{u: ("time", Fraction(f)) for u, f in (("s", 1), ("min", 60), ("h", 3600), ("day", 86400))},
    "week": ("time", Fraction(604800)),
    **{u: ("money", Fraction(f)) for u, f in (("dollar", 1), ("cent", "0.01"))},
    **{u: ("mass", Fraction(f)) for u, f in (("g", 1), ("kg", 1000))},
    **{u: ("volume", Fraction(f)) for u, f in (("l", 1), ("ml", "0.001"))},
}

_PERCENT = re.compile(r"\s*(?:\\%|%|\"?\s*\bper\s?cent\b\s*\"?)$", re.IGNORECASE)
_DEGREES = re.compile(r"\s*\^\s*(?:\\circ|\{\s*\\circ\s*\})\s*$")
_SCALE = re.compile(r"\s*\^\s*(?:\\circ|\{\s*\\circ\s*\})\s*\"?\s*([CF])\s*\"?$")
_MONEY = re.compile(
    r"^([-+]?)\s*(?:(?:US)?\s*\\(dollar|euro|pound)|(USD|EUR)(?=\s))\s*(?=[-\d.\\(])"
)
_QUOTED = re.compile(r"\s*\"([^\"]*)\"\s*(?:\^\s*(?:\{\s*([23])\s*\}|([23])))?$")
_WORDS = re.compile(
    r"(?<=[\d)}\s])\s*(?<![a-zA-Z\\])((?:(?:square|sq|cubic|cu)\.?\s+)?[a-zA-Z]+(?:\s+[a-zA-Z]+){0,5}"
    r"(?:\s*/\s*[a-zA-Z]+)?)\.?\s*(?:\^\s*(?:\{\s*([23])\s*\}|([23])))?$"
)
_SHORT_UNIT = re.compile(r"([-+]?[\d.,/]+) ([mshglL])")
_NOT_UNITS = {
    "and",
    "or",
    "sqrt",
    "pi",
    "sin",
    "cos",
    "tan",
    "log",
    "ln",
    "if",
    "for",
    "x",
    "i",
    "e",
}


def take_percent(text: str) -> tuple[str, bool]:
    """The text before a final percent sign, and whether there was one."""
    found = _PERCENT.search(text)
    return (text[: found.start()], True) if found and found.start() else (text, False)


def take_unit(text: str) -> tuple[str, str]:
    """The text without its unit, and the unit's one name ("" without a unit)."""
    money = _MONEY.match(text)
    if money:
        name = {"USD": "dollar", "EUR": "euro"}.get(money.group(3), money.group(2))
        return money.group(1) + text[money.end() :], name
    for pattern, name in ((_DEGREES, "degree"), (_SCALE, "")):
        found = pattern.search(text)
        if found and found.start() and not re.search(r"sin|cos|tan|sec|csc|cot", text):
            return text[: found.start()], name or "degree " + found.group(1)
    for take in (_quoted_unit, _word_unit):
        rest, unit = take(text)
        if unit:
            return rest, unit
    return text, ""


def _quoted_unit(text: str) -> tuple[str, str]:
    """A unit written as `\\text{ cm}^2`; the cleaned text has it in double quotes."""
    found = _QUOTED.search(text)
    if not found or not found.start() or not re.search(r"[\d)}a-zA-Z]\s*$", text[: found.start()]):
        return text, ""
    words = found.group(1).strip(" .")
    if not re.fullmatch(r"[a-zA-Z][a-zA-Z ./^0-9]*", words):
        return text, ""
    unit = _named(words, found.group(2) or found.group(3))
    if text[: found.start()].rstrip()[-1].isalpha() and words not in _NAMES:
        return text, ""
    return text[: found.start()], unit


def _word_unit(text: str) -> tuple[str, str]:
    short = _SHORT_UNIT.fullmatch(text)
    if short:
        return short.group(1), _named(short.group(2), None)
    found = _WORDS.search(text)
    if found and re.search(r"\d", text[: found.start()]):
        words = found.group(1)
        glued = text[found.start(1) - 1 : found.start(1)] not in (" ", "")
        if _is_unit(words, glued):
            return text[: found.start(1)].rstrip(), _named(words, found.group(2) or found.group(3))
    return text, ""


def _is_unit(words: str, glued: bool) -> bool:
    first = words.split()[0]
    if first.lower() in _NOT_UNITS or any(w.lower() in ("and", "or") for w in words.split()):
        return False
    if words in _LONG or first in ("square", "sq", "cubic"):
        return True
    return first in _LONG or (not glued and len(words) > 3)


def _named(words: str, exponent: str | None) -> str:
    words = " ".join(words.replace(".", " ").split())
    raised = re.fullmatch(r"(.*?)\s*\^\s*\{?([23])\}?", words)
    if raised:
        words, exponent = raised.group(1), raised.group(2)
    for prefix, power in (("square ", "2"), ("sq ", "2"), ("cubic ", "3"), ("cu ", "3")):
        if words.lower().startswith(prefix):
            words, exponent = words[len(prefix) :], power
    for suffix, power in ((" squared", "2"), (" cubed", "3")):
        if words.lower().endswith(suffix):
            words, exponent = words[: -len(suffix)], power
    rate = re.split(r"\s*/\s*|\s+per\s+", words)
    name = "/".join(_one(part) for part in rate)
    name = {"mph": "mi/h"}.get(name, name)
    return f"{name}^{exponent}" if exponent else name


def _one(words: str) -> str:
    words = words.strip()
    known = _NAMES.get(words) or _NAMES.get(words.lower())
    if known:
        return known
    words = words.lower()
    return words[:-1] if len(words) > 3 and words.endswith("s") and words[-2] != "s" else words


def conversion(unit: str, other: str) -> Fraction | None:
    """How many of `other` one `unit` is, None when they do not measure the same."""
    base, _, power = unit.partition("^")
    other_base, _, other_power = other.partition("^")
    a, b = _FACTORS.get(base), _FACTORS.get(other_base)
    if a is None or b is None or a[0] != b[0] or power != other_power:
        return None
    return (a[1] / b[1]) ** int(power or 1)
