"""A recursive-descent reader of LaTeX and plain formulas into exact nodes; nothing is evaluated.

Bounds hold before any arithmetic: tokens, nesting, digits and exponents (see nodes.FOLD_BITS).
"""

from __future__ import annotations

import math
from fractions import Fraction

from w2s_data.answers import functions as fn
from w2s_data.answers.cursor import WORDS, Cursor, Malformed
from w2s_data.answers.integers import TooBig
from w2s_data.answers.matrices import determinant, matrix
from w2s_data.answers.nodes import (
    INFINITY,
    MINUS,
    ONE,
    PI,
    Node,
    add,
    func,
    mul,
    negative,
    num,
    power,
    root,
    var,
)
from w2s_data.answers.numeric import real_sign
from w2s_data.answers.tokens import Token, tokens

MAX_TOKENS = 12_000
MAX_DEPTH = 48
_DEGREE = mul(num(Fraction(1, 180)), PI)
_APPLIED = {*fn.FUNCTIONS, *fn.OPAQUE, "log", "lg", "binomial", "integral", "limit"}
_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau "
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar"
)
_NAMES = set(_GREEK.split(" "))
_MARKED = {"bar", "vec", "hat", "overline", "tilde", "overrightarrow", "underline", "widehat"}


class Reader(Cursor):
    """The grammar of formulas: each method takes one construct off the tokens."""

    # sums and products

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooBig("nested too deep")
        terms = [self.signed_term()]
        while self.sign("+", "-"):
            terms.append(self.signed_term())
        self.depth -= 1
        return terms[0] if len(terms) == 1 else add(*terms)

    def signed_term(self) -> Node:
        minus = False
        while self.sign("+", "-"):
            minus ^= self.take() == "-"
        term = self.term()
        return negative(term) if minus else term

    def term(self) -> Node:
        factors = [self.factor()]
        while True:
            if self.sign("*") or self.command("cdot", "times"):
                self.take()
                factors.append(self.signed_factor())
            elif self.sign("/") or self.command("slash"):
                self.take()
                factors.append(power(self.signed_factor(), MINUS))
            elif self.begins_factor():
                before = self.found[self.at - 1]
                plain = before[0] in ("number", "word") or before[1] == "pi"
                if self.kind() == "number" and plain and factors[-1].head in "nvc":
                    raise Malformed("a number right after a number or a letter")
                factors.append(self.factor())
            else:
                break
        return factors[0] if len(factors) == 1 else mul(*factors)

    def signed_factor(self) -> Node:
        if self.sign("-", "+"):
            minus = self.take() == "-"
            inner = self.signed_factor()
            return negative(inner) if minus else inner
        return self.factor()

    def begins_factor(self) -> bool:
        kind, text = self.kind(), self.peek()
        if kind in ("number", "word"):
            return True
        if kind == "command":
            return text in _STARTS or text in _APPLIED or text in _NAMES or text in _MARKED
        return kind == "sign" and (text in "([{" or (text == "|" and not self.bars))

    # powers and postfixes

    def factor(self) -> Node:
        value = self.mixed_number() or self.atom()
        while True:
            if self.sign("^", "**"):
                self.take()
                if self.degree_sign():
                    value = mul(value, _DEGREE)
                else:
                    value = power(value, self.exponent())
            elif self.sign("!"):
                self.take()
                value = self.double_factorial(value) if self.sign("!") else fn.factorial(value)
            elif self.sign("\\%", "%"):
                self.take()
                value = mul(value, num(Fraction(1, 100)))
            else:
                return value

    def double_factorial(self, value: Node) -> Node:
        self.take()
        if value.head != "n" or value.args[0].denominator != 1 or not 0 <= value.args[0] <= 1000:
            raise Malformed("a double factorial")
        return num(math.prod(range(int(value.args[0]), 0, -2)))

    def degree_sign(self) -> bool:
        if self.command("circ"):
            self.take()
            return True
        ahead = [text for _, text, _ in self.found[self.at : self.at + 3]]
        if ahead == ["{", "circ", "}"]:
            self.at += 3
            return True
        return False

    def exponent(self) -> Node:
        if self.sign("-", "+"):
            minus = self.take() == "-"
            value = self.exponent()
            return negative(value) if minus else value
        if self.sign("{"):
            value = self.group("{", "}")
        else:
            value = self.single()
        if self.sign("^", "**"):
            self.take()
            value = power(value, self.exponent())
        return value

    def single(self) -> Node:
        """One number, letter, command or bracket: what an unbraced exponent takes."""
        if self.kind() == "word" and self.peek() not in WORDS:
            return self.letter(subscripts=False)
        return self.atom()

    # atoms

    def atom(self) -> Node:
        kind, text = self.kind(), self.peek()
        if kind == "number":
            return self.number()
        if kind == "word":
            if text in WORDS:
                return self.named(self.take())
            return self.letter()
        if kind == "command":
            return self.named(self.take())
        if text == "(":
            return self.group("(", ")")
        if text == "[":
            return self.group("[", "]")
        if text == "{":
            return self.group("{", "}")
        if text == "|" and not self.bars:
            return self.absolute()
        raise Malformed(f"unexpected {text or 'end'}")

    def group(self, opening: str, closing: str) -> Node:
        self.expect(opening)
        bars, self.bars = self.bars, 0
        value = self.sum()
        self.bars = bars
        self.expect(closing)
        return value

    def absolute(self) -> Node:
        self.expect("|")
        self.bars += 1
        value = self.sum()
        self.bars -= 1
        self.expect("|")
        return fn.absolute(value)

    def named(self, name: str) -> Node:
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in _APPLIED:
            return self.applied(name)
        if name in ("sum", "prod"):
            return self.series(name)
        special = _SPECIAL.get(name)
        if special:
            return special(self)
        if name in _NAMES:
            return self.decorated("\\" + name)
        if name in _MARKED:
            return var(f"\\{name}{{{self.argument().key}}}")
        raise Malformed(f"unknown command {name}")

    def argument(self) -> Node:
        """A braced group, or a single token as TeX takes it."""
        if self.sign("{"):
            return self.group("{", "}")
        if self.kind() == "number" and len(self.peek()) > 1 and self.peek().isdigit():
            kind, text, _ = self.found[self.at]
            self.found[self.at] = (kind, text[1:], False)
            return num(int(text[0]))
        if self.kind() == "word" and self.peek() not in WORDS:
            return self.letter(subscripts=False)
        return self.atom()

    def fraction(self) -> Node:
        top, bottom = self.argument(), self.argument()
        return mul(top, power(bottom, MINUS))

    def square_root(self) -> Node:
        index = 2
        if self.sign("["):
            self.take()
            found = self.sum()
            self.expect("]")
            if found.head != "n" or found.args[0].denominator != 1 or not 1 < found.args[0] < 1000:
                return power(self.argument(), power(found, MINUS))
            index = int(found.args[0])
        inner = self.atom() if self.kind() == "number" else self.argument()
        if index % 2 and inner.head != "n" and real_sign(inner) == -1:
            return negative(root(negative(inner), index))
        return root(inner, index)

    def applied(self, name: str) -> Node:
        name = "log" if name == "lg" else name
        base, exponent = num(10), None
        while self.sign("_", "^"):
            if self.take() == "_":
                if name != "log":
                    raise Malformed(f"a subscript on {name}")
                base = self.exponent() if self.sign("{") else self.argument()
            else:
                exponent = self.exponent()
        arguments = self.arguments()
        if exponent is not None and exponent.key == "-1" and name in ("sin", "cos", "tan"):
            name, exponent = "a" + name, None
        if name == "log" and len(arguments) == 1:
            value = fn.log(arguments[0], base)
        else:
            value = fn.apply(name, *arguments)
        return value if exponent is None else power(value, exponent)

    def arguments(self) -> list[Node]:
        if self.sign("("):
            self.take()
            found = [self.sum()]
            while self.sign(","):
                self.take()
                found.append(self.sum())
            self.expect(")")
            return found
        if self.sign("{", "["):
            return [self.argument() if self.sign("{") else self.group("[", "]")]
        factors = [self.factor()]
        while self.begins_factor() and not self.sign("(", "[", "|") and self.peek() not in _APPLIED:
            factors.append(self.factor())
        return [mul(*factors)]

    def series(self, name: str) -> Node:
        if self.sign("("):
            return func(name, *self.arguments())
        self.expect("_")
        self.expect("{")
        index = self.take()
        self.expect("=")
        low = self.sum()
        self.expect("}")
        self.expect("^")
        high = self.exponent()
        return fn.folded(name, index, low, high, self.term())

    def integral(self) -> Node:
        bounds: list[Node] = []
        while self.sign("_", "^"):
            self.take()
            bounds.append(self.group("{", "}") if self.sign("{") else self.single())
        end = next(
            (
                k
                for k in range(len(self.found) - 1, self.at - 1, -1)
                if _differential(self.found[k])
            ),
            None,
        )
        if end is None or len(bounds) not in (0, 2):
            raise Malformed("an integral without its differential")
        name = self.found[end][1][-1]
        body_tokens = self.found[self.at : end]
        if len(self.found[end][1]) > 2:
            body_tokens.append(("word", self.found[end][1][:-2], False))
        inner = Reader(body_tokens)
        body = inner.sum() if body_tokens else ONE
        if inner.at != len(inner.found):
            raise Malformed("an integrand that goes on")
        self.at = end + 1
        return func("integral", var(name), *bounds, body)

    def limit(self) -> Node:
        self.expect("_")
        self.expect("{")
        name = self.take()
        self.expect("to")
        point = self.sum()
        self.expect("}")
        return func("limit", var(name), point, self.term())

    def binomial(self) -> Node:
        return fn.binomial(self.argument(), self.argument())

    def rounded(self, close: str) -> Node:
        value = self.sum()
        self.expect(close)
        return fn.floor(value) if close == "rfloor" else fn.ceil(value)

    def environment(self) -> Node:
        self.expect("{")
        name = self.take()
        self.expect("}")
        rows: list[list[Node]] = [[self.sum()]]
        while not self.command("end"):
            if self.sign("&"):
                self.take()
                rows[-1].append(self.sum())
            else:
                self.expect("\\\\")
                if self.command("end"):
                    break
                rows.append([self.sum()])
        for text in ("end", "{", name, "}"):
            self.expect(text)
        if len({len(row) for row in rows}) != 1:
            raise Malformed("a matrix with rows of unequal length")
        if name == "vmatrix":
            return determinant(rows)
        if name != "pmatrix":
            raise Malformed(f"unknown environment {name}")
        self.matrices += 1
        return matrix(rows)


def _differential(token: Token) -> bool:
    return token[0] == "word" and len(token[1]) >= 2 and token[1][-2] == "d"


_CONSTANTS = {
    "pi": PI,
    **dict.fromkeys(("infty", "infinity", "inf", "oo"), INFINITY),
}
_SPECIAL = {
    "frac": Reader.fraction,
    "sqrt": Reader.square_root,
    "binom": Reader.binomial,
    "int": Reader.integral,
    "lim": Reader.limit,
    "lfloor": lambda reader: reader.rounded("rfloor"),
    "lceil": lambda reader: reader.rounded("rceil"),
    "begin": Reader.environment,
}
_STARTS = {*_CONSTANTS, *_SPECIAL, "sum", "prod"}


def parse(text: str) -> tuple[Node, Reader]:
    """The node of a formula and the reader that met it.

    Raises Malformed for anything else and TooBig beyond the bounds; both mean: not a formula.
    """
    found = tokens(text)
    if not found or len(found) > MAX_TOKENS:
        raise Malformed("empty") if not found else TooBig("too many tokens")
    reader = Reader(found)
    node = reader.sum()
    if reader.at != len(found):
        raise Malformed(f"unexpected {reader.peek()}")
    return node, reader
