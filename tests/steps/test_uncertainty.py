"""Entropies, shares and scores: laws, and values worked out by hand."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_data.steps.uncertainty import (
    calibrated,
    calibration,
    entropies,
    shares,
    softmax_scores,
)

ANSWERS = st.lists(st.sampled_from("abcde"), min_size=1, max_size=8)
LOGPROBS = st.lists(st.floats(-300, 0), min_size=8, max_size=8)


def grouped(answers):
    return [[i for i, a in enumerate(answers) if a == one] for one in dict.fromkeys(answers)]


@settings(deadline=None)
@given(ANSWERS, LOGPROBS, st.randoms(use_true_random=False))
def test_entropy_forgets_names_and_order(answers, logprobs, random):
    logprobs = logprobs[: len(answers)]
    known = entropies(grouped(answers), logprobs)
    order = random.sample(range(len(answers)), len(answers))
    names = dict(zip("abcde", random.sample("vwxyz", 5)))
    shuffled = [names[answers[i]] for i in order]
    assert entropies(grouped(shuffled), [logprobs[i] for i in order]) == known


@settings(deadline=None)
@given(ANSWERS, LOGPROBS)
def test_entropy_lies_between_none_and_all_different(answers, logprobs):
    n, kinds = len(answers), len(set(answers))
    known = entropies(grouped(answers), logprobs[:n])
    assert 0 <= known["entropy"] <= math.log(kinds) + 1e-12 <= math.log(n) + 2e-12
    assert 0 <= known["entropy_normalised"] <= 1
    assert 0 <= known["entropy_weighted"] <= math.log(kinds) + 1e-12
    assert known["entropy_semantic"] >= 0
    assert (known["entropy"] == 0) == (kinds == 1)
    if kinds == n:
        assert known["entropy"] == pytest.approx(math.log(n))


@settings(deadline=None)
@given(ANSWERS)
def test_equally_likely_answers_weigh_as_they_count(answers):
    known = entropies(grouped(answers), [-2.5] * len(answers))
    assert known["entropy_weighted"] == pytest.approx(known["entropy"], abs=1e-12)


def test_values_by_hand():
    known = entropies([[0, 1, 2], [3], [4]], [math.log(p) for p in (0.3, 0.2, 0.1, 0.2, 0.2)])
    assert known["entropy"] == pytest.approx(0.9502705)
    assert known["entropy_normalised"] == pytest.approx(0.9502705 / math.log(5))
    parts = (0.6, 0.2, 0.2)
    assert known["entropy_weighted"] == pytest.approx(-sum(p * math.log(p) for p in parts))
    assert known["entropy_semantic"] == pytest.approx(-sum(math.log(p / 5) for p in parts) / 3)
    assert entropies([[0]])["entropy_normalised"] == 0


@settings(deadline=None)
@given(ANSWERS, st.floats(0.01, 10))
def test_scores_of_the_answers_sum_to_one_and_follow_their_shares(answers, temperature):
    groups = grouped(answers)
    parts, scores = shares(groups), softmax_scores(groups, temperature)
    firsts = [group[0] for group in groups]
    assert sum(parts[i] for i in firsts) == pytest.approx(1)
    assert sum(scores[i] for i in firsts) == pytest.approx(1)
    for i in firsts:
        for j in firsts:
            assert parts[i] > parts[j] or scores[i] <= scores[j] + 1e-12


def test_the_papers_score_by_hand():
    scores = softmax_scores([[0, 1, 2, 3], [4]], 0.2)
    high, low = math.exp(0.8 / 0.2), math.exp(0.2 / 0.2)
    assert scores[0] == scores[3] == pytest.approx(high / (high + low))
    assert scores[4] == pytest.approx(low / (high + low))


POINTS = st.lists(
    st.tuples(st.sampled_from([0.2, 0.4, 0.6, 0.8, 1.0]), st.integers(0, 1)), min_size=1
)


@settings(deadline=None)
@given(POINTS)
def test_calibration_never_falls_and_keeps_the_mean(points):
    curve = calibration(points)
    values = [value for _, value in curve]
    assert values == sorted(values)
    assert [share for share, _ in curve] == sorted({share for share, _ in points})
    fitted = sum(calibrated(share, curve) for share, _ in points)
    assert fitted == pytest.approx(sum(right for _, right in points))


def test_calibration_by_hand():
    counts = {0.2: (1, 4), 0.4: (3, 4), 0.6: (1, 4), 1.0: (4, 4)}
    points = [(s, int(i < right)) for s, (right, n) in counts.items() for i in range(n)]
    curve = calibration(points)
    assert curve == [(0.2, 0.25), (0.4, 0.5), (0.6, 0.5), (1.0, 1.0)]
    assert calibrated(0.8, curve) == 0.5
    assert calibrated(0.1, curve) == 0.25
