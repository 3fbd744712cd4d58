"""The seeded world and the question files made from it."""

import json
import re
from collections import Counter
from fractions import Fraction

import pytest

from w2s_data import world

EQUATION = re.compile(r"\$(\S+) (\S+) (\S+) = (\S+)\$")
WORDS = {"+": "add", "-": "sub", r"\times": "mul", r"\div": "div", r"\bmod": "mod"}


def bundled(split):
    text = (world.QUESTIONS / f"math_{split}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def rows():
    return [row for split in world.SPLITS for row in bundled(split)]


def number(text):
    found = re.fullmatch(r"\\frac\{(\d+)\}\{(\d+)\}", text)
    return Fraction(int(found[1]), int(found[2])) if found else Fraction(text)


def check(row):
    """Every step's arithmetic holds, the last step gives the answer, the solution boxes it."""
    for step in row["steps"]:
        x, sign, y, z = EQUATION.fullmatch(step).groups()
        assert world.OPERATE[WORDS[sign]](number(x), number(y)) == number(z), row
        assert step in row["solution"]
    assert row["steps"][-1].endswith(f"= {row['answer']}$")
    assert row["solution"].endswith(rf"$\boxed{{{row['answer']}}}$.")
    assert row["level"] == f"Level {len(row['steps'])}"


@pytest.mark.parametrize("split", world.SPLITS)
def test_the_files_are_what_the_generator_writes(split):
    path = world.QUESTIONS / f"math_{split}.jsonl"
    assert path.read_text(encoding="utf-8") == world.dumps(world.build()[split])


def test_a_row_depends_on_seed_split_and_index_alone(rows):
    for row in rows[::97]:
        split, index = row["id"].split("/")
        assert world.problem(split, int(index)) == row
    assert world.problem("test", 0, seed=8) != world.problem("test", 0)


def test_sizes_levels_and_subjects(rows):
    assert {split: len(bundled(split)) for split in world.SPLITS} == world.SPLITS
    levels = Counter(row["level"] for row in rows)
    assert set(levels) == {f"Level {n}" for n in range(1, 6)}
    assert min(levels.values()) > 0.17 * len(rows)
    assert set(Counter(row["type"] for row in rows)) == set(world.WORDING["openings"])


def test_no_question_and_no_id_occurs_twice(rows):
    assert len({row["problem"] for row in rows}) == len(rows)
    assert len({row["id"] for row in rows}) == len(rows)


def test_every_step_is_right_and_the_answer_is_boxed(rows):
    for row in rows:
        check(row)


def test_no_slot_is_left_open(rows):
    assert not [row["id"] for row in rows if re.search(r"(?<!frac)\{[a-zA-Z]\}", row["problem"])]


def test_most_answers_are_integers_and_some_are_fractions_in_both_spellings(rows):
    kinds = Counter(
        "\\" if "\\" in r["answer"] else "." if "." in r["answer"] else "1" for r in rows
    )
    assert kinds["1"] > 0.9 * len(rows)
    assert min(kinds["\\"], kinds["."]) > 0.02 * len(rows)


def test_a_paraphrase_keeps_numbers_and_steps(rows):
    changed = 0
    for row in rows[::23]:
        other = world.paraphrase(row, 1)
        check(other)
        assert (other["steps"], other["answer"]) == (row["steps"], row["answer"])
        assert sorted(re.findall(r"\d+", other["problem"])) == sorted(
            re.findall(r"\d+", row["problem"])
        )
        assert other == world.paraphrase(row["id"], 1)
        changed += other["problem"] != row["problem"]
    assert changed > 0.9 * len(rows[::23])


@pytest.mark.parametrize("k", [2, 3])
def test_subtasks_split_the_steps(rows, k):
    split = 0
    for row in rows[::23]:
        parts = world.subtasks(row, k)
        if not parts:
            assert int(row["level"][-1]) <= k + 2
            continue
        split += 1
        assert len(parts) == k
        assert [step for part in parts for step in part["steps"]] == row["steps"]
        for part in parts:
            check(part)
    assert split > 0.3 * len(rows[::23])
