"""Weights as copies: the laws of systematic resampling, and what becomes of rows."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_data.errors import W2SError
from w2s_data.rows import drop, keep
from w2s_data.steps.weights import NO_COPY, ZERO, _Drawn, compile_rows, copies, hold_out, weigh

WEIGHT = st.floats(0, 1e6, allow_subnormal=True) | st.sampled_from([0.0, 0.25, 1.0, 1e-300])
WEIGHTS = st.lists(WEIGHT, min_size=1, max_size=30).filter(lambda found: sum(found) > 1e-290)
BUDGET = st.integers(1, 200)
SEED = st.integers(0, 2**32)


def keyed(weights):
    return [(f"row {i}", weight) for i, weight in enumerate(weights)]


@settings(deadline=None)
@given(WEIGHTS, BUDGET, SEED)
def test_copies_sum_to_the_budget_and_stay_within_one_of_the_weight(weights, budget, seed):
    notes = {}
    counts = list(copies(keyed(weights), budget=budget, seed=seed, notes=notes))
    assert sum(counts) == budget
    total = sum(map(Fraction, weights))
    off = [abs(c - budget * Fraction(w) / total) for c, w in zip(counts, weights)]
    assert max(off) < 1
    assert notes["largest_deviation"] == pytest.approx(float(max(off)))
    assert notes["mean_deviation"] == pytest.approx(float(sum(off) / len(off)))
    assert notes["copies_per_weight"] == pytest.approx(float(budget / total))
    assert notes["items_by_copies"] == {str(c): n for c, n in sorted(Counter(counts).items())}
    assert all(c == 0 for c, w in zip(counts, weights) if w == 0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any), st.integers(1, 20))
def test_the_expectation_over_the_offset_is_the_weight(units, budget):
    total = sum(units)
    seen = [Fraction(0)] * len(units)
    for offset in range(total):
        drawn = _Drawn(total, budget, seed=0)
        drawn.offset = offset
        counts = [drawn.step(unit) for unit in units]
        assert sum(counts) == budget
        seen = [before + Fraction(count, total) for before, count in zip(seen, counts)]
    assert seen == [Fraction(unit * budget, total) for unit in units]


def test_the_mean_over_seeds_comes_near_the_weight():
    weights = [0.05, 1.0, 0.4, 2.3, 0.25]
    sums = Counter()
    for seed in range(2000):
        for i, count in enumerate(copies(keyed(weights), budget=8, seed=seed)):
            sums[i] += count
    means = [sums[i] / 2000 for i in range(5)]
    assert means == pytest.approx([8 * w / 4 for w in weights], abs=0.05)


@settings(deadline=None)
@given(WEIGHTS, BUDGET, SEED, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(weights, budget, seed, random):
    given_order = keyed(weights)
    shuffled = random.sample(given_order, len(given_order))
    counted = dict(zip((k for k, _ in given_order), copies(given_order, budget=budget, seed=seed)))
    again = dict(zip((k for k, _ in shuffled), copies(shuffled, budget=budget, seed=seed)))
    assert counted == again


@settings(deadline=None)
@given(st.integers(1, 30), st.floats(1e-6, 1e6), SEED)
def test_equal_weights_are_no_weights(n, weight, seed):
    assert list(copies(keyed([weight] * n), seed=seed)) == [1] * n


def test_whole_targets_are_met_exactly():
    weights = [0.1] * 30 + [0.3] * 10
    assert list(copies(keyed(weights), budget=60, seed=3)) == [1] * 30 + [3] * 10


WRONG = {"negative": -0.1, "not a number": float("nan"), "infinite": float("inf")}
WRONG |= {"text": "1", "bool": True}


@pytest.mark.parametrize("weight", WRONG.values(), ids=WRONG)
def test_what_is_no_weight_is_refused_by_name(weight):
    with pytest.raises(W2SError, match="row 'b': a weight must be a number >= 0"):
        list(copies([("a", 1.0), ("b", weight)], budget=3))


def test_nothing_to_draw_from():
    assert list(copies([])) == []
    with pytest.raises(W2SError, match="no row has a positive weight"):
        list(copies(keyed([0.0, 0.0])))
    with pytest.raises(W2SError, match="no row has a positive weight"):
        list(copies(keyed([5e-324])))
    with pytest.raises(W2SError, match="budget must be >= 1, was: 0"):
        list(copies(keyed([1.0]), budget=0))


def ended(number, *weights, **more):
    row = {"id": f"q{number}", "prompt": f"Question {number}"}
    return keep(row, *({"response": str(i), "w": w} | more for i, w in enumerate(weights)))


def test_rows_keep_their_order_and_drops_their_reasons():
    lost = drop({"id": "lost", "prompt": "p"}, "weak: no answer")
    rows = [ended(1, 1.0, 0.5), lost, ended(2, 0.0), ended(3, 0.001), ended(4, 2.0)]
    notes = {}
    found = list(compile_rows(rows, "column:w", budget=7, seed=1, notes=notes))
    assert [row["id"] for row in found] == ["q1", "lost", "q2", "q3", "q4"]
    assert found[1] == lost
    assert [row.get("dropped") for row in found] == [None, "weak: no answer", ZERO, NO_COPY, None]
    counts = Counter((r["id"], e["response"]) for r in found for e in r.get("endings", ()))
    assert sum(counts.values()) == notes["budget"] == 7
    assert counts["q1", "0"] in (1, 2, 3)
    assert counts["q4", "0"] in (3, 4, 5)
    assert {e["weight"] for r in found for e in r.get("endings", ())} <= {1.0, 0.5, 2.0}
    assert "weight" not in rows[0]["endings"][0], "the input stays as it is"


@settings(deadline=None)
@given(st.lists(st.lists(WEIGHT, max_size=3), min_size=1, max_size=12), SEED, st.randoms())
def test_every_row_is_accounted_for_in_any_order(weights, seed, random):
    rows = [ended(i, *w) if w else drop({"id": f"q{i}"}, "x") for i, w in enumerate(weights)]
    if sum(map(sum, weights)) < 1e-290:
        return

    def outcome(rows):
        found = list(compile_rows(rows, "column:w", seed=seed))
        assert [row["id"] for row in found] == [row["id"] for row in rows]
        assert all(("dropped" in row) != ("endings" in row) for row in found)
        return {r["id"]: r.get("dropped") or [e["response"] for e in r["endings"]] for r in found}

    assert outcome(rows) == outcome(random.sample(rows, len(rows)))


COLUMNS = {
    "score": ({"score": 0.7}, {}, 0.7),
    "share": ({}, {"share": 0.4}, 0.4),
    "entropy": ({}, {"entropy_normalised": 0.75}, 0.25),
    "column:level": ({}, {"meta": {"level": 3}}, 3.0),
}


@pytest.mark.parametrize("weights", COLUMNS)
def test_the_weight_is_found_on_the_ending_the_row_or_its_meta(weights):
    ending, row, weight = COLUMNS[weights]
    (found,) = weigh([keep({"id": "a", "prompt": "p"} | row, {"response": "r"} | ending)], weights)
    assert found["endings"][0]["weight"] == weight


def test_a_column_that_is_not_there_is_named_with_those_that_are():
    message = r"row 'q1' has no 'score'; columns with numbers: w; name one with --weights"
    with pytest.raises(W2SError, match=message):
        list(compile_rows([ended(1, 1.0)], "score"))
    with pytest.raises(W2SError, match="unknown weights 'shares': did you mean 'share'"):
        list(compile_rows([ended(1, 1.0)], "shares"))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.floats(0, 0.9), SEED)
def test_rows_that_share_a_prompt_are_held_out_together(prompts, share, seed):
    rows = [ended(i, 1.0) | {"prompt": f"Question {p}"} for i, p in enumerate(prompts)]
    found = list(hold_out(rows, share, seed))
    sides = {(row["prompt"], row.get("held_out", False)) for row in found}
    assert len(sides) == len(set(prompts))
    assert share or not any(row.get("held_out") for row in found)
    compiled = list(compile_rows(found, "column:w", budget=100, seed=seed)) if share else []
    for row in compiled:
        assert not row.get("held_out") or len(row["endings"]) == 1


def test_the_share_held_out_is_the_share_asked_for():
    rows = (ended(i, 1.0) for i in range(4000))
    assert sum("held_out" in row for row in hold_out(rows, 0.1)) == pytest.approx(400, abs=60)


@settings(deadline=None)
@given(st.lists(WEIGHT, min_size=1, max_size=4), SEED)
def test_a_row_held_out_stands_for_the_weights_of_its_endings(weights, seed):
    """Beside any other rows: as many copies as positive weights, each within one of its share."""
    rows = [ended(0, *weights) | {"held_out": True}, ended(1, 3.0), ended(2, 1.0)]
    held, *_ = compile_rows(rows, "column:w", budget=50, seed=seed)
    positive = sum(weight > 0 for weight in weights)
    if not positive:
        assert held["dropped"] == ZERO
        return
    counted = Counter(ending["response"] for ending in held["endings"])
    assert counted.total() == positive
    total = sum(map(Fraction, weights))
    for i, weight in enumerate(weights):
        assert abs(counted[str(i)] - positive * Fraction(weight) / total) < 1


def test_soft_labels_held_out_are_soft_on_the_mean():
    """Not coin flips: over many rows each label has the share that its weights say."""
    rows = [ended(i, 0.2, 0.8) | {"held_out": True} for i in range(1000)]
    found = list(compile_rows(rows, "column:w", seed=7))
    counted = Counter(ending["response"] for row in found for ending in row["endings"])
    assert counted.total() == 2000
    assert counted["0"] == pytest.approx(400, abs=60)
