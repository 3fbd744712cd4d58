"""The position in a formula's tokens, and the numbers and letters that are taken off them."""

from __future__ import annotations

from fractions import Fraction

from w2s_data.answers import functions as fn
from w2s_data.answers.integers import integer
from w2s_data.answers.nodes import E, I, Node, num, var
from w2s_data.answers.tokens import Token

_PLAIN_NAMES = (
    "sin cos tan cot sec csc asin acos atan arcsin arccos arctan sinh cosh tanh log ln lg exp sqrt "
    "pi infinity inf oo infty abs floor ceil factorial binomial sum prod integral limit"
)
WORDS = {*_PLAIN_NAMES.split(), *fn.OPAQUE}


class Malformed(Exception):
    """The text is not a formula that this reader knows."""


class Cursor:
    """The position in a formula's tokens; `matrices` and `bases` tell what was met on the way."""

    def __init__(self, found: list[Token]) -> None:
        self.found = found
        self.at = 0
        self.depth = 0
        self.bars = 0
        self.matrices = 0
        self.bases: list[tuple[str, int]] = []

    def peek(self) -> str:
        return self.found[self.at][1] if self.at < len(self.found) else ""

    def kind(self) -> str:
        return self.found[self.at][0] if self.at < len(self.found) else "end"

    def sign(self, *texts: str) -> bool:
        return self.kind() == "sign" and self.peek() in texts

    def command(self, *names: str) -> bool:
        return self.kind() == "command" and self.peek() in names

    def take(self) -> str:
        text = self.peek()
        self.at += 1
        return text

    def expect(self, text: str) -> None:
        if self.kind() == "end" or self.take() != text:
            raise Malformed(f"expected {text}")

    # numbers

    def mixed_number(self) -> Node | None:
        """`3 1/2` and `3\\frac12`: a whole number followed by a proper fraction of numbers."""
        if self.kind() != "number" or "." in self.peek() or self.at + 1 >= len(self.found):
            return None
        start, whole = self.at, integer(self.take())
        part = None
        if self.command("frac"):
            self.take()
            top, bottom = self.digits_argument(), self.digits_argument()
            part = (top, bottom) if top and bottom else None
        elif self.kind() == "number" and self.found[self.at][2]:
            ahead = self.found[self.at : self.at + 3]
            if [t[0] for t in ahead[::2]] == ["number"] * 2 and ahead[1][1] == "/":
                part = (ahead[0][1], ahead[2][1])
                self.at += 3
        if part and part[0].isdigit() and part[1].isdigit():
            top_n, bottom_n = integer(part[0]), integer(part[1])
            if 0 < top_n < bottom_n and not self.sign("^", "!"):
                return num(whole + Fraction(top_n, bottom_n))
        self.at = start
        return None

    def digits_argument(self) -> str | None:
        if self.sign("{"):
            ahead = self.found[self.at + 1 : self.at + 3]
            if len(ahead) == 2 and ahead[0][0] == "number" and ahead[1][1] == "}":
                self.at += 3
                return ahead[0][1]
            return None
        if self.kind() == "number" and self.peek().isdigit() and len(self.peek()) <= 2:
            text = self.peek()
            if len(text) == 2:
                before = self.found[self.at]
                self.found[self.at : self.at + 1] = [
                    (before[0], text[0], before[2]),
                    ("number", text[1], False),
                ]
            return self.take()
        return None

    def number(self) -> Node:
        text = self.take()
        if self.sign("_") and "." not in text:
            self.take()
            return self.in_base(text, self.subscript())
        whole, _, decimals = text.partition(".")
        return num(Fraction(integer((whole + decimals) or "0"), 10 ** len(decimals)))

    def in_base(self, digits: str, base: str) -> Node:
        if not base.isdigit() or not 2 <= int(base[:4]) <= 36 or len(digits) > 300:
            raise Malformed("a number in an unknown base")
        if any(int(d) >= int(base) for d in digits):
            raise Malformed(f"a digit that base {base} does not have")
        self.bases.append((digits, int(base)))
        return num(int(digits, int(base)))

    def subscript(self) -> str:
        if not self.sign("{"):
            if self.kind() in ("number", "word") and len(self.peek()) > 1:
                kind, text, blank = self.found[self.at]
                self.found[self.at : self.at + 1] = [
                    (kind, text[0], blank),
                    (kind, text[1:], False),
                ]
            return self.take()
        self.take()
        parts: list[str] = []
        while not self.sign("}") and self.kind() != "end" and len(parts) < 20:
            parts.append(self.take())
        self.expect("}")
        return "".join(parts)

    # letters

    def letter(self, subscripts: bool = True) -> Node:
        """One letter off a word token, with its subscript and primes."""
        kind, text, _ = self.found[self.at]
        if len(text) > 1:
            self.found[self.at] = (kind, text[1:], False)
            return constant(text[0])
        self.at += 1
        return self.decorated(text) if subscripts else constant(text)

    def decorated(self, name: str) -> Node:
        if self.sign("_"):
            self.take()
            name = f"{name}_{{{self.subscript()}}}"
        while self.sign("'"):
            name += self.take()
        return constant(name)


def constant(name: str) -> Node:
    return E if name == "e" else I if name == "i" else var(name)
