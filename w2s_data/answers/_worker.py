"""The worker process of `prove`: reads questions as JSON lines, answers with symbolic proofs.

Expressions come as keys of our own parser and are built into sympy objects node by node; no text
ever reaches sympy's parsers.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from w2s_data.answers.nodes import Node
from w2s_data.answers.numeric import variables
from w2s_data.answers.parse import parse
from w2s_data.answers.workers import READY, questions, say


def main() -> None:
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    _limit_memory(memory)
    most = _most_resident() + memory
    asked = questions(lambda: os._exit(1) if _most_resident() > most else None)
    import sympy  # noqa: F401 (the import is most of the start)

    say(READY)
    for question in asked:
        _limit_time(3 * seconds)
        say(_answer(question))


def _limit_memory(limit: int) -> None:
    import resource

    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (ValueError, OSError):
            continue


def _most_resident() -> int:
    """The most bytes resident so far: what to watch on macOS, which ignores the limit above."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _limit_time(seconds: float) -> None:
    """A limit on processor time, for a worker whose parent can no longer kill it."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    except (ValueError, OSError):
        return


def _answer(question: dict[str, str]) -> dict[str, str]:
    try:
        if question["op"] == "digits":
            return _digits(question["a"], int(question["places"]))
        return _zero(question["a"], question["b"])
    except MemoryError:
        return {"kind": "memory"}
    except Exception as problem:
        return {"kind": "unproved", "why": type(problem).__name__}


def _digits(text: str, places: int) -> dict[str, str]:
    import sympy

    found = sympy_of(parse(text)[0])
    if found.free_symbols or not found.is_real:
        return {"kind": "unproved"}
    size = max(0, int(sympy.log(abs(found.evalf(5)) + 1, 10).evalf(5)))
    shown = found.evalf(places + size + 15)
    value = sympy.Rational(shown)
    return {"kind": "digits", "value": f"{value.p}/{value.q}"}


def _zero(a: str, b: str) -> dict[str, str]:
    left, right = parse(a)[0], parse(b)[0]
    found = _decided(sympy_of(left), sympy_of(right))
    if found["kind"] == "unproved" and variables(left) | variables(right):
        return _decided(sympy_of(left, positive=True), sympy_of(right, positive=True))
    return found


def _decided(x: Any, y: Any) -> dict[str, str]:
    difference = _settled(x) - _settled(y)
    if difference == 0:
        return {"kind": "equal", "why": "symbolic"}
    if not difference.free_symbols:
        apart = _apart(difference)
        if apart:
            return {"kind": "different", "why": apart}
    return _proof(difference)


def _apart(difference: Any) -> str:
    """Why a constant is certainly not zero, or ""."""
    if difference.has(_sympy().nan, _sympy().zoo, _sympy().oo):
        return ""
    try:
        shown = difference.evalf(50, maxn=400, strict=True)
    except ArithmeticError:
        return ""
    if shown.is_number and abs(shown) > _sympy().Float("1e-40"):
        return "50 digits"
    return ""


def _proof(difference: Any) -> dict[str, str]:
    s = _sympy()
    steps = [
        ("expand", s.expand),
        ("root denesting", lambda d: s.sqrtdenest(s.expand(d))),
        ("minimal polynomial", _minimal),
        ("rational form", lambda d: s.ratsimp(s.together(d))),
        ("simplify", s.simplify),
        ("trigonometry", lambda d: s.trigsimp(s.expand_trig(d))),
        ("exponentials", lambda d: s.simplify(d.rewrite(s.exp))),
        ("logarithms", lambda d: s.simplify(s.expand_log(d, force=False))),
        ("gamma functions", lambda d: s.gammasimp(d.rewrite(s.gamma))),
    ]
    for why, step in steps:
        try:
            found = step(difference)
        except (NotImplementedError, ValueError, TypeError, AttributeError, ArithmeticError):
            continue
        if found == 0:
            return {"kind": "equal", "why": why}
    return {"kind": "unproved"}


def _minimal(difference: Any) -> Any:
    s = _sympy()
    if difference.free_symbols or not difference.is_algebraic:
        return difference
    x = s.Symbol("x")
    return 0 if s.minimal_polynomial(difference, x) == x else difference


def _settled(x: Any) -> Any:
    return x.doit() if x.has(_sympy().Integral, _sympy().Sum, _sympy().Product) else x


def _sympy() -> Any:
    import sympy

    return sympy


def sympy_of(node: Node, **assumed: bool) -> Any:
    """The sympy object of a node; variables are real and as assumed, those of a sum whole."""
    s = _sympy()
    head = node.head
    if head == "n":
        return s.Rational(node.args[0].numerator, node.args[0].denominator)
    if head == "v":
        return s.Symbol(node.key, real=True, **assumed)
    if head == "c":
        return {"pi": s.pi, "e": s.E, "i": s.I, "oo": s.oo}[node.key]
    if head == "+":
        terms = (_rational(c) * sympy_of(t, **assumed) for t, c in node.args[1])
        return s.Add(_rational(node.args[0]), *terms)
    if head == "*":
        factors = (s.Pow(sympy_of(b, **assumed), sympy_of(e, **assumed)) for b, e in node.args[1])
        return s.Mul(_rational(node.args[0]), *factors)
    if head == "^":
        return s.Pow(sympy_of(node.args[0], **assumed), sympy_of(node.args[1], **assumed))
    if head == "f":
        return _function(node, **assumed)
    raise ValueError(f"no sympy object for {head}")


_SAME_NAME = "sin cos tan sinh cosh tanh asin acos atan floor factorial binomial gcd lcm"


def _rational(value: Any) -> Any:
    return _sympy().Rational(value.numerator, value.denominator)


def _function(node: Node, **assumed: bool) -> Any:
    s = _sympy()
    name, *arguments = node.args
    given = [sympy_of(argument, **assumed) for argument in arguments]
    if name == "integral":
        return s.Integral(given[-1], (given[0], *given[1:-1]) if len(given) > 2 else given[0])
    if name == "limit":
        return s.limit(given[2], given[0], given[1])
    if name in ("sum", "prod"):
        whole = s.Symbol(arguments[0].key, integer=True)
        series = s.Sum if name == "sum" else s.Product
        return series(given[3].subs(given[0], whole), (whole, given[1], given[2]))
    known = {"ln": s.log, "abs": s.Abs, "ceil": s.ceiling, "Re": s.re, "Im": s.im}
    if name in known:
        return known[name](*given)
    if name in _SAME_NAME.split():
        return getattr(s, name)(*given)
    return s.Function(name)(*given)


if __name__ == "__main__":
    main()
