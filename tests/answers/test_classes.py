"""Classes and votes."""

from __future__ import annotations

import itertools
import math

import pytest

from w2s_data.answers import PUBLISHED, classes, vote


def test_classes_go_by_value_not_by_spelling_or_order() -> None:
    answers = ["1/2", "3", "0.5", None, "\\frac12", "", "3.0"]
    found = classes(answers)
    assert found.groups == ((0, 2, 4), (1, 6))
    assert found.keys == ("1/2", "3")
    assert found.undecided == ()


def test_ten_per_cent_does_not_depend_on_the_order() -> None:
    answers = ["10%", "0.1", "10", "1/10"]
    seen = set()
    for order in itertools.permutations(range(4)):
        found = classes([answers[i] for i in order])
        seen.add(frozenset(frozenset(answers[order[i]] for i in group) for group in found.groups))
    assert seen == {frozenset({frozenset({"10%", "10"}), frozenset({"0.1", "1/10"})})}


def test_what_stays_undecided_is_told() -> None:
    found = classes(["5 m", "5 mi"])
    assert set(found.groups) == {(0,), (1,)}
    assert found.undecided == ((0, 1, "units m and mi"),)


def test_vote() -> None:
    found = vote(["0.5", "1/2", None, "3", "1/2"])
    assert (found.answer, found.key, found.votes, found.n, found.parsed) == ("1/2", "1/2", 3, 5, 4)
    assert found.confidence == 0.6
    assert found.confidence_parsed == 0.75
    assert found.margin == pytest.approx(0.4)
    assert found.entropy == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    assert not found.tied


def test_a_tie_is_broken_the_same_way_in_any_order() -> None:
    first, second = vote(["7", "5"]), vote(["5", "7"])
    assert first.answer == second.answer == "5"
    assert first.tied
    assert first.margin == 0


@pytest.mark.parametrize("samples", [[], [None], ["", None]])
def test_no_parsed_sample_is_no_answer(samples: list[str | None]) -> None:
    found = vote(samples)
    assert found.answer is None
    assert (found.votes, found.n, found.parsed, found.confidence) == (0, len(samples), 0, 0.0)


def test_empty_answers_vote_in_compat_mode_only() -> None:
    samples = ["", None, "", "5"]
    assert vote(samples, compat=PUBLISHED).answer == ""
    assert vote(samples, compat=PUBLISHED).confidence == 0.75
    assert vote(samples).answer == "5"


def test_compat_classes_are_strings() -> None:
    assert classes(["1/2", "0.5"], compat=PUBLISHED).groups == ((1,), (0,))
    assert classes(["3,000", "3000.0"], compat=PUBLISHED).groups == ((0, 1),)
