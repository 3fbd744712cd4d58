"""Laws that hold for every input."""

from __future__ import annotations

import ast
import re
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import w2s_data.answers as answers_package
from w2s_data.answers import PUBLISHED, RULES, canonical, classes, equal, extract, vote

SLOW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

_PIECES = (
    r"1 2 10 0.5 x y n e i \pi + - * / = < , ( ) [ ] { } ^ _ ! | . : % \% $ \$ \frac \sqrt \left( "
    r"\right) \le \in \cup \infty \pm \{ \} \text{cm} sin \sin \log \boxed{ \begin{pmatrix} "
    r"\end{pmatrix} & \\ or and cat √ ² ½ π °"
)
PIECES = [*_PIECES.split(), " "]
FORMULAS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ANSWERS = st.one_of(st.text(max_size=30), FORMULAS)

_POOL = r"""
10% 10 0.1 1/10 \frac{1}{10} 5\text{m} 5\text{mi} 5 x=5 y=5 r=5 1,2 2,1 \{1,2\} (1,2) 1<x<2
x\in(1,2) x<5 (-\infty,5) y=2x 2x 2x-y=0 x-5=0 B b (B) 90^\circ \frac{\pi}{2} 90
1.5707963267948966192313 1.570796326794896619231321 101_2 101 1,1,2 \{1,1,2\} $5 \sqrt{4} 2
\frac{0}{0} 500\% cat \infty x^2=25 x=\pm5 0.5% 1:2 1/2 0.50 [1,2] 1\le\ x\le2 f(x)=2x g(x)=2x
\begin{pmatrix}1\\2\end{pmatrix} 1:2:3 2:4:6 5\text{\ miles\ per\ hour} text:\ 5 B)\ 5
"""
POOL = st.sampled_from(
    [text.replace("\\ ", " ") for text in re.split(r"(?<!\\)\s+", _POOL.strip())]
)


@SLOW
@given(ANSWERS, ANSWERS)
def test_equal_is_reflexive_and_symmetric_and_never_raises(a: str, b: str) -> None:
    assert equal(a, b).kind == equal(b, a).kind
    for answer in (a, b):
        if canonical(answer):
            assert equal(answer, answer).kind == "equal"
        else:
            assert equal(answer, answer).kind == "different"


@SLOW
@given(ANSWERS)
def test_canonical_is_idempotent_and_keeps_the_answer(answer: str) -> None:
    key = canonical(answer)
    assert canonical(key) == key
    if key:
        assert equal(answer, key).kind == "equal"


@settings(max_examples=1500, deadline=None)
@given(POOL, POOL, POOL)
def test_equal_is_transitive_over_decided_pairs(a: str, b: str, c: str) -> None:
    if equal(a, b) and equal(b, c):
        assert equal(a, c).kind != "different", (a, b, c, equal(a, c))


@SLOW
@given(st.lists(st.one_of(st.none(), POOL), max_size=8), st.randoms(use_true_random=False))
def test_classes_do_not_depend_on_order_or_duplication(
    answers: list[str | None], random: object
) -> None:
    order = list(range(len(answers)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first, second = classes(answers), classes([answers[i] for i in order])
    moved = {frozenset(order[i] for i in group) for group in second.groups}
    assert {frozenset(group) for group in first.groups} == moved
    assert set(first.keys) == set(second.keys)
    doubled = classes([*answers, *answers])
    half = [tuple(i for i in group if i < len(answers)) for group in doubled.groups]
    assert {frozenset(group) for group in half} == {frozenset(group) for group in first.groups}
    votes = vote(answers), vote([answers[i] for i in order])
    assert (votes[0].key, votes[0].answer, votes[0].entropy) == (
        votes[1].key,
        votes[1].answer,
        pytest.approx(votes[0].entropy),
    )


def expressions() -> st.SearchStrategy[tuple[str, Fraction]]:
    """Formulas of known value, spelled in several ways."""
    whole = st.integers(-999, 999).map(lambda n: (f"({n})" if n < 0 else str(n), Fraction(n)))
    decimal = st.decimals(0, 999, places=2).map(lambda d: (str(d), Fraction(d)))
    leaves = st.one_of(whole, decimal)

    def grow(
        inner: st.SearchStrategy[tuple[str, Fraction]],
    ) -> st.SearchStrategy[tuple[str, Fraction]]:
        pairs = st.tuples(inner, inner)
        return st.one_of(
            pairs.map(lambda p: (f"({p[0][0]}+{p[1][0]})", p[0][1] + p[1][1])),
            pairs.map(lambda p: (f"({p[0][0]} - {p[1][0]})", p[0][1] - p[1][1])),
            pairs.map(lambda p: (f"({p[0][0]} \\cdot {p[1][0]})", p[0][1] * p[1][1])),
            pairs.filter(lambda p: p[1][1] != 0).map(
                lambda p: (f"\\frac{{{p[0][0]}}}{{{p[1][0]}}}", p[0][1] / p[1][1])
            ),
            inner.map(lambda p: (f"{{{p[0]}}}^2", p[1] ** 2)),
        )

    return st.recursive(leaves, grow, max_leaves=6)


@settings(max_examples=300, deadline=None)
@given(expressions(), expressions())
def test_keys_and_verdicts_agree_with_known_values(
    a: tuple[str, Fraction], b: tuple[str, Fraction]
) -> None:
    assert canonical(a[0]) == str(a[1])
    assert (equal(a[0], b[0]).kind == "equal") == (a[1] == b[1])


@SLOW
@given(st.sampled_from(sorted(RULES)), st.one_of(st.text(max_size=200), FORMULAS))
def test_extract_never_raises(rule: str, text: str) -> None:
    found = extract(rule, text)
    assert found is None or (found.answer and 0 <= found.start <= found.end <= len(text))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.one_of(st.none(), ANSWERS), max_size=4), st.sampled_from([None, PUBLISHED]))
def test_classes_and_votes_never_raise_and_account_for_every_answer(
    answers: list[str | None], compat: str | None
) -> None:
    found = classes(answers, compat=compat)
    placed = sorted(index for group in found.groups for index in group)
    keyed = [i for i, a in enumerate(answers) if a is not None and (compat or canonical(a))]
    assert placed == keyed
    votes = vote(answers, compat=compat)
    assert votes.n == len(answers)
    assert 0 <= votes.confidence <= votes.confidence_parsed <= 1


CALLS = (
    "__import__('pathlib').Path({0!r}).touch()",
    "open({0!r}, 'w')",
    "exec('''open({0!r}, 'w')''')",
)
FRAMES = ("{}", "\\boxed{{{}}}", "$[{} for x in (1,)]$", "f({})+1", "\\text{{{}}}", "{{{}}}.pop()")


@SLOW
@given(st.sampled_from(CALLS), st.sampled_from(FRAMES), ANSWERS, st.booleans())
def test_no_input_is_evaluated(call: str, frame: str, other: str, proof: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        answer = frame.format(call.format(str(made)))
        if proof:
            answer = f"\\int_0^1 {answer} dx"
        equal(answer, other)
        canonical(answer)
        classes([answer, other])
        for rule in RULES:
            extract(rule, f"The answer is: {answer}")
        assert not made.exists()


def test_nothing_that_evaluates_text_is_called() -> None:
    """No eval, exec, compile, sympify or parser of sympy's, nor `import` by a name at run time."""
    banned = {"eval", "exec", "compile", "sympify", "S", "parse_expr", "parse_latex", "lambdify"}
    found = []
    for path in Path(answers_package.__file__ or "").parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                plain = isinstance(function, ast.Name) and function.id in banned | {"__import__"}
                other = isinstance(function, ast.Attribute) and function.attr in banned
                if plain or (other and ast.unparse(function) != "re.compile"):
                    found.append((path.name, ast.unparse(node)))
    assert found == []
