"""Draws at an exact error rate: the laws of `steps.mix`."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data.errors import W2SError
from w2s_data.steps import mix
from w2s_data.steps.interval import wilson

COSTS = st.one_of(st.none(), st.integers(1, 50))
TASKS = st.lists(st.tuples(COSTS, COSTS), min_size=1, max_size=40)
RATES = st.integers(0, 100).map(lambda n: n / 100)


def pool(tasks, names=None):
    made = mix.Pool(7, "tasks")
    for name, (right, wrong) in zip(names or map(str, range(len(tasks))), tasks):
        made.add(name, right, wrong)
    return made


def possible(tasks, rows, rate):
    """By brute force: can `rows` tasks be taken with exactly the rate's wrong ones?"""
    bad = mix.wrong_rows(rows, rate)
    has = [(right is not None, wrong is not None) for right, wrong in tasks]
    usable = sum(right or wrong for right, wrong in has)
    return (
        bad <= sum(wrong for _, wrong in has)
        and rows - bad <= sum(right for right, _ in has)
        and rows <= usable
    )


@given(TASKS, st.integers(1, 45), RATES)
def test_the_rate_is_the_asked_one_to_the_row(tasks, rows, rate):
    if not possible(tasks, rows, rate):
        with pytest.raises(W2SError, match=r"must be at (most|least)"):
            mix.draw(pool(tasks), rows, rate)
        return
    drawn = mix.draw(pool(tasks), rows, rate)
    wrong = int((drawn == mix.WRONG).sum())
    assert int((drawn != mix.NONE).sum()) == rows
    assert abs(wrong - Fraction(str(rate)) * rows) <= Fraction(1, 2)
    for (right, bad), choice in zip(tasks, drawn):
        assert choice != mix.RIGHT or right is not None
        assert choice != mix.WRONG or bad is not None


@given(TASKS, st.integers(1, 45), RATES, st.randoms(use_true_random=False))
def test_the_order_of_the_tasks_changes_nothing_but_order(tasks, rows, rate, shuffled):
    if not possible(tasks, rows, rate):
        return
    order = list(range(len(tasks)))
    shuffled.shuffle(order)
    before = mix.draw(pool(tasks), rows, rate)
    after = mix.draw(pool([tasks[i] for i in order], map(str, order)), rows, rate)
    assert [before[i] for i in order] == list(after)


@given(st.integers(1, 30), st.integers(1, 30), st.tuples(RATES, RATES))
def test_tasks_with_both_solutions_are_the_same_at_every_rate(spare, rows, rates):
    both = [(1, 1)] * (rows + spare)
    low, high = (mix.draw(pool(both), rows, rate) for rate in sorted(rates))
    assert np.array_equal(low != mix.NONE, high != mix.NONE)
    assert np.all((high == mix.WRONG)[low == mix.WRONG])


@given(TASKS, st.integers(1, 45), RATES)
def test_the_refusal_names_the_largest_possible_rate(tasks, rows, rate):
    has_wrong = sum(wrong is not None for _, wrong in tasks)
    usable = sum(right is not None or wrong is not None for right, wrong in tasks)
    if rows > usable or mix.wrong_rows(rows, rate) <= has_wrong:
        return
    with pytest.raises(W2SError) as error:
        mix.draw(pool(tasks), rows, rate)
    named = float(str(error.value).split("at most ")[1].split(" for")[0])
    assert mix.wrong_rows(rows, named) <= has_wrong
    assert has_wrong / rows - named < 0.0001


def test_a_refusal_reads():
    with pytest.raises(W2SError) as error:
        mix.draw(pool([(1, 1)] * 6 + [(1, None)] * 4), 10, 0.9)
    assert str(error.value) == (
        "the error rate of tasks must be at most 0.6 for 10 rows, was: 0.9; only 6 have a wrong "
        "solution, enough for 7 rows at this rate"
    )


@given(st.integers(0, 300), st.integers(0, 300))
def test_largest_is_the_largest_that_fits(limit, below):
    assert mix.largest(lambda n: n <= limit, below) == min(limit, below)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share(drawn):
    wrong, rows = drawn
    low, high = wilson(wrong / rows, rows)
    assert 0 <= low <= wrong / rows + 1e-9
    assert wrong / rows - 1e-9 <= high <= 1


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("two words", 2), ("$12 + x = 7$", 8), ("It's 3.5%", 7)]
)
def test_tokens_are_words_digits_and_signs(text, count):
    assert mix.tokens(text) == count
