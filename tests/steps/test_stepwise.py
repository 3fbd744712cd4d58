"""Which steps of a solution are wrong, and by which measure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data import world
from w2s_data.steps.stepwise import checked, severity, steps

REFERENCE = (
    r"We have $33 + 22 = 55$. Then $3 \times 4 = 12$. Then $55 - 12 = 43$. So we get "
    r"$\boxed{43}$. The answer is: 43"
)


@pytest.mark.parametrize(
    ("solution", "expected"),
    [
        (REFERENCE.replace("- 12 = 43", "- 12 = 44"), ("arithmetic", 1, 3)),
        (REFERENCE.replace("= 55", "= 56").replace("= 12", "= 13"), ("arithmetic", 2, 3)),
        (REFERENCE.replace("33 + 22 = 55", "33 - 22 = 11"), ("reference", 3, 3)),
        (REFERENCE.replace("55 - 12 = 43", "55 + 12 = 67"), ("reference", 1, 3)),
        ("We have $33 + 22 = 55$. The answer is: 55", ("reference", 1, 2)),
        ("From $x = 3$ we get $2x = 6$. The answer is: 6", ("reference", 2, 2)),
        ("I guess. The answer is: 5", ("unmeasured", 0, 0)),
        ("She packs 3 * 12 = <<3*12=36>>37.\n37 - 5 = 31 stay.\n#### 31", ("arithmetic", 1, 2)),
        (r"$17 \bmod 5 = 3$. The answer is: 3", ("arithmetic", 1, 1)),
    ],
)
def test_severity(solution, expected):
    assert severity(solution, REFERENCE) == expected


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("$2x + 3x = 5x$", "right"),
        ("$(x + 1)^2 = x^2 + 2x + 1$", "right"),
        ("$x + 3 = 5$", "open"),
        ("$x = 5 + 2 = 7$", "right"),
        ("$x = 5 + 2 = 8$", "wrong"),
        ("$1/3 = 0.33$", "open"),
        (r"$12 \div 5 = \frac{12}{5}$", "right"),
        (r"\(2 \cdot 3 = 7\)", "wrong"),
        ("so 10 - 4 = 7 of them", "wrong"),
        (r"$17 \bmod 0 = 3$", "open"),
    ],
)
def test_an_equation_is_checked_where_it_can_be(equation, expected):
    assert [checked(step) for step in steps(equation)] == [expected]


@given(st.integers(0, 400), st.data())
def test_a_broken_step_of_a_known_problem_is_located_exactly(index, data):
    row = world.problem("train_2", index)
    at = data.draw(st.integers(0, len(row["steps"]) - 1))
    left = row["steps"][at].rpartition("=")[0]
    broken = [*row["steps"][:at], f"{left}= 997$", *row["steps"][at + 1 :]]
    found = severity(" Then ".join(broken), row["solution"])
    assert found == ("arithmetic", 1, len(row["steps"]))


@given(st.text(alphabet="$=1+x\\(). \n", max_size=200))
def test_any_text_is_read(text):
    found = severity(text, REFERENCE)
    assert 0 <= found.wrong <= found.steps


def test_long_texts_are_read_in_no_time():
    for text in ("1" * 10_000, "$1=" * 3_000, "(1" * 5_000 + "=", "1 " * 5_000):
        list(steps(text))
