"""LaTeX, unicode and plain spelling brought to one alphabet, then cut into tokens."""

from __future__ import annotations

import re
import unicodedata

MAX_CHARACTERS = 20_000

_SIGNS = {
    **dict.fromkeys("−–—‒﹣－", "-"),
    **dict.fromkeys("×✕⨯", "\\times "),
    **dict.fromkeys("·⋅∙•", "\\cdot "),
    **dict.fromkeys("∪", "\\cup "),
    **dict.fromkeys("∩", "\\cap "),
    **dict.fromkeys("°º˚", "^\\circ "),
    **dict.fromkeys("≤⩽≦", "\\le "),
    **dict.fromkeys("≥⩾≧", "\\ge "),
    **dict.fromkeys("’′", "'"),
    **dict.fromkeys("“”„", '"'),
    **dict.fromkeys("∗＊", "*"),
    **{"÷": "/", "∕": "/", "⁄": "/", "√": "\\sqrt ", "∛": "\\sqrt[3]", "π": "\\pi "},
    **{"∞": "\\infty ", "∅": "\\emptyset ", "≠": "\\ne ", "±": "\\pm ", "∓": "\\mp "},
    **{"∈": "\\in ", "ℝ": "\\mathbb{R}", "ℤ": "\\mathbb{Z}", "ℕ": "\\mathbb{N}"},
    **{"ℚ": "\\mathbb{Q}", "ℂ": "\\mathbb{C}", "∖": "\\setminus ", "∣": "|", "…": "\\ldots "},
    **{"⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil ", "％": "%"},
    **{"→": "\\to ", "∑": "\\sum ", "∏": "\\prod ", "∫": "\\int ", "€": "\\euro ", "£": "\\pound "},
}
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega epsilon phi"
)
_GREEK = dict(zip("αβγδεζηθικλμνξρστυφχψωΓΔΘΛΞΠΣΦΨΩϵϕ", _GREEK_NAMES.split()))
_SIGNS |= {letter: f"\\{name} " for letter, name in _GREEK.items()}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n"))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
_FRACTIONS = {c: unicodedata.normalize("NFKC", c).split("⁄") for c in "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"}
_RAISED_RUN = re.compile(f"[{''.join(_RAISED)}]+")
_LOWERED_RUN = re.compile(f"[{''.join(_LOWERED)}]+")

_SPACING = re.compile(
    r"\\(?:[;:> ~]|quad|qquad|thinspace|enspace|displaystyle|textstyle|limits|nolimits|mathstrut"
    r"|hspace\*?\{[^{}]*\}|hfill|allowbreak|noindent|phantom\{[^{}]*\})(?![a-zA-Z])|~"
)
_DELIMITERS = re.compile(
    r"\\(?:left|right|bigg?[lrm]?|Bigg?[lrm]?|middle)(?![a-zA-Z])\s*(?P<dot>\.(?!\d))?"
)
_SPELLINGS = re.compile(r"\\(?P<name>[a-zA-Z]+)")
_RENAMED = {
    **dict.fromkeys(("dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"), "frac"),
    **dict.fromkeys(("dbinom", "tbinom"), "binom"),
    **dict.fromkeys(("leq", "leqslant"), "le"),
    **dict.fromkeys(("geq", "geqslant"), "ge"),
    **dict.fromkeys(("neq",), "ne"),
    **dict.fromkeys(("lt",), "<"),
    **dict.fromkeys(("gt",), ">"),
    **dict.fromkeys(("degree", "deg"), "circ"),
    **dict.fromkeys(("mbox", "textnormal", "textrm", "mathrm", "textbf", "textit"), "text"),
    **dict.fromkeys(("texttt", "textsf", "mathit", "mathsf", "hbox", "emph", "textup"), "text"),
    **dict.fromkeys(("operatorname", "mathop"), "operatorname"),
    **dict.fromkeys(("bf", "rm", "it", "bm", "boldsymbol", "mathbf", "mathcal", "mathfrak"), ""),
    **dict.fromkeys(("varnothing",), "emptyset"),
    **dict.fromkeys(("lbrace",), "{"),
    **dict.fromkeys(("rbrace",), "}"),
    **dict.fromkeys(("lbrack",), "["),
    **dict.fromkeys(("rbrack",), "]"),
    **dict.fromkeys(("vert", "lvert", "rvert", "mid"), "|"),
    **dict.fromkeys(("backslash",), "setminus"),
    **dict.fromkeys(("dots", "cdots", "dotsc", "dotsb", "vdots", "ddots"), "ldots"),
    **dict.fromkeys(("land", "wedge"), "land"),
    **dict.fromkeys(("varphi",), "phi"),
    **dict.fromkeys(("varepsilon",), "epsilon"),
    **dict.fromkeys(("vartheta",), "theta"),
    **dict.fromkeys(("bmatrix", "matrix", "array", "Bmatrix", "smallmatrix"), "pmatrix"),
    **dict.fromkeys(("ast", "star"), "cdot"),
    **dict.fromkeys(("div",), "slash"),
    **dict.fromkeys(("rightarrow", "longrightarrow"), "to"),
    **dict.fromkeys(("arcsin",), "asin"),
    **dict.fromkeys(("arccos",), "acos"),
    **dict.fromkeys(("arctan",), "atan"),
}
_LITERAL = {"<", ">", "{", "}", "[", "]", "|", ""}
_ENVIRONMENT = re.compile(r"\\(begin|end)\s*\{(?:bmatrix|matrix|Bmatrix|smallmatrix|array)\}")
_ARRAY_COLUMNS = re.compile(r"(\\begin\{pmatrix\})\s*\{[clr|\s]*\}")
_ENDINGS = re.compile(r"(?:</s>|<\|[a-z_]{2,20}\|>|<eos>)\s*$")
_JOINED = re.compile(r"(?<=\d)(?:\{,\}|,\s?\\!|\\,|\\!,?)\s*(?=\d{3}(?!\d))")
_TIMES = re.compile(r"(?<=\d)\s*[xX]\s*(?=\d)")
_PLAIN = re.compile(r"[-+0-9./ ]*")


def clean(text: str) -> str:
    """The answer in ASCII LaTeX without spacing, sizing and `$`; linear in its length."""
    if _PLAIN.fullmatch(text):
        return _trim(text)
    text = _ENDINGS.sub("", text)
    if not text.isascii():
        text = _ascii(text)
    text = "".join(c if c >= " " else " " for c in text) if not text.isprintable() else text
    if "\\" in text or "~" in text:
        text = _JOINED.sub("", text)
        text = text.replace("\\!", "").replace("\\,", " ").replace("\\$", "\\dollar ")
        text = _ENVIRONMENT.sub(r"\\\1{pmatrix}", text)
        text = _ARRAY_COLUMNS.sub(r"\1", text)
        text = _DELIMITERS.sub("", text)
        text = _SPACING.sub(" ", text.replace("\\\\", "\\newline ")).replace("\\newline ", "\\\\")
        text = _SPELLINGS.sub(_spelled, text)
        for mark in ("\\(", "\\)", "\\[", "\\]"):
            text = text.replace(mark, " ")
    elif "{,}" in text:
        text = _JOINED.sub("", text)
    text = _TIMES.sub("*", text) if "x" in text or "X" in text else text
    return _trim(text.replace("$", " " if " $" in text else ""))


def _trim(text: str) -> str:
    text = text.strip()
    while text.endswith("\\"):
        text = text[:-1].rstrip()
    while text[-1:] in (".", ",", ";", ":") and text[-2:-1] != "." and len(text) > 1:
        text = text[:-1].rstrip()
    return text


def _spelled(match: re.Match[str]) -> str:
    name = match.group("name")
    new = _RENAMED.get(name, name)
    return new + (" " if new in ("<", ">") else "") if new in _LITERAL else "\\" + new


def _ascii(text: str) -> str:
    text = _RAISED_RUN.sub(lambda m: "^{" + "".join(_RAISED[c] for c in m.group()) + "}", text)
    text = _LOWERED_RUN.sub(lambda m: "_{" + "".join(_LOWERED[c] for c in m.group()) + "}", text)
    return "".join(_ascii_character(c) for c in text)


def _ascii_character(c: str) -> str:
    if c < "\x80":
        return c
    if c in _SIGNS:
        return _SIGNS[c]
    if c in _FRACTIONS:
        top, bottom = _FRACTIONS[c]
        return f"\\frac{{{top}}}{{{bottom}}}"
    kind = unicodedata.category(c)
    if kind == "Nd":
        return str(unicodedata.decimal(c))
    if kind in ("Cf", "Cc", "Mn"):
        return ""
    if kind.startswith("Z"):
        return " "
    if kind == "Cs":
        return "?"
    plain = unicodedata.normalize("NFKC", c)
    if plain != c and len(plain) <= 4:
        return "".join(_SIGNS.get(p, p) for p in plain)
    return c


_TOKEN = re.compile(
    r"\s*(?:(\d+(?:\.\d+)?|\.\d+)|\\([a-zA-Z]+)|([a-zA-Z]+)|(\\.|\*\*|\S))", re.DOTALL
)

Token = tuple[str, str, bool]


def tokens(text: str) -> list[Token]:
    """(kind, text, whether a blank precedes): kinds are number, command, word and sign."""
    found = []
    for match in _TOKEN.finditer(text):
        group = match.lastindex or 4
        blank = match.start(group) > match.start()
        found.append((("number", "command", "word", "sign")[group - 1], match.group(group), blank))
    return found
