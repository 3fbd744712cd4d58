"""Ways to ask a question: distinct, seeded, and answers brought back to its own terms."""

import hashlib
import json
import math
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_data import prompts, tasks
from w2s_data.steps.vary import original, own_paraphrases, vary, wordings
from w2s_data.tasks.choice import LETTERS

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).parents[3] / "shared"))
ROWS = SHARED / "golden" / "rows"
MMLU, ETHICS, GSM8K, MATH = map(tasks.get, ("mmlu", "ethics", "gsm8k", "math"))

CHOICES = st.lists(st.text("abcd ", min_size=1).filter(str.strip), min_size=2, max_size=7)


def question(choices, row_id="q"):
    return {"id": row_id, "task": "mmlu", "question": "Which?", "choices": choices}


@settings(deadline=None)
@given(CHOICES, st.integers(2, 8), st.integers(0, 99))
def test_permutations_are_distinct_seeded_and_lose_no_option(choices, n, seed):
    ways = vary(question(choices), MMLU, n, seed)
    assert len(ways) == min(n, math.factorial(len(choices)))
    assert len({tuple(way["order"]) for way in ways}) == len(ways)
    assert ways[0]["choices"] == choices
    assert ways == vary(question(choices), MMLU, n, seed)
    for way in ways:
        assert sorted(way["choices"]) == sorted(choices)
        assert way["prompt"] == tasks.ask(MMLU, way)
        for letter, text in zip(LETTERS, way["choices"]):
            answer = original(way, MMLU, f"My choice is {letter}.")
            assert choices[LETTERS.index(answer)] == text


def test_another_seed_or_id_gives_other_permutations():
    choices = list("abcdefg")
    orders = [
        [way["order"] for way in vary(question(choices, row_id), MMLU, 5, seed)]
        for row_id, seed in (("q", 1), ("q", 2), ("r", 1))
    ]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_an_answer_is_mapped_back_by_letter_and_by_text():
    (_, way, *_) = vary(question(["red", "green", "blue"]), MMLU, 3, seed=1)
    assert way["choices"] != ["red", "green", "blue"]
    assert original(way, MMLU, "The answer is green") == "B"
    place = LETTERS[way["choices"].index("blue")]
    assert original(way, MMLU, f"My choice is {place}. blue") == "C"
    assert original(way, MMLU, "I do not know.") is None


def test_wordings_are_the_templates_beside_the_prompt(tmp_path):
    assert wordings(ETHICS) == ["ethics", "ethics_2", "ethics_3", "ethics_4", "ethics_5"]
    assert wordings(GSM8K) == ["qa"]
    for name in ("mine", "mine_2"):
        (tmp_path / f"{name}.jinja").write_text(name + " {{ question }}")
    assert prompts.exists(str(tmp_path / "mine_2.jinja"))


@pytest.mark.parametrize("story", ["I left early.", "I left early. " * 40])
def test_wordings_share_their_verdicts(story):
    ways = vary({"id": "e", "task": "ethics", "question": story}, ETHICS, 5, seed=1)
    assert len({way["prompt"] for way in ways}) == 5
    for way in ways:
        asked = way["prompt"].replace(story, "")
        for good, bad in (("acceptable", "unacceptable"), ("right", "wrong"), ("yes", "no")):
            if re.search(rf"\b{good}\b.*\b{bad}\b", asked):
                assert original(way, ETHICS, good.capitalize()) == "acceptable"
                assert original(way, ETHICS, f"The answer is: {bad}") == "unacceptable"
                break
        else:
            pytest.fail(f"no pair of verdicts in {asked!r}")


def test_bundled_questions_bring_their_paraphrases():
    row = next(iter(tasks.questions(MATH, "train_2")))
    texts = list(own_paraphrases(row, 4))
    assert len({row["question"], *texts}) == 5
    numbers = sorted(re.findall(r"\d+", row["question"]))
    assert all(sorted(re.findall(r"\d+", text)) == numbers for text in texts)
    assert list(own_paraphrases(row | {"question": "Another?"}, 4)) == []
    assert list(own_paraphrases(row | {"id": "mine"}, 4)) == []


def test_paraphrases_that_repeat_are_one_way():
    row = {"id": "g", "task": "gsm8k", "question": "Add 1 and 2."}
    ways = vary(row, GSM8K, 3, 1, ["Add 1 and 2.", "Sum 1 and 2.", "Sum 1 and 2.", "1 plus 2?"])
    assert [way["question"] for way in ways] == ["Add 1 and 2.", "Sum 1 and 2.", "1 plus 2?"]


# --- published rows: nothing lost or garbled ---------------------------------------------------

# File -> (task, split's rows, SHA-256 of all rendered variations).
PUBLISHED = {
    "arc_challenge_validation.jsonl": (
        "arc_challenge",
        299,
        "911939bc5fe1ad71ac0c266e884626f2a40ff4c46d0aedc79993a43752064787",
    ),
    "ethics_commonsense_test_200.csv": (
        "ethics",
        191,
        "face2edeea9d79a182652df6560ecd74222019b2856eb7abccbbde8fcda127d4",
    ),
    "gsm8k_validation_200.csv": (
        "gsm8k",
        200,
        "f999adaaf89868c47a81d0b5ea6ddc6b7135826cb3667b966a8f267e9c05de93",
    ),
}


@pytest.mark.skipif(not ROWS.exists(), reason="the published rows are not here")
@pytest.mark.parametrize("file", PUBLISHED)
def test_published_rows_go_through_variations_whole(file):
    name, count, golden = PUBLISHED[file]
    task = tasks.get(name)
    rows = list(tasks.questions(task, "test", source="file", file=ROWS / file))
    gold = tasks.gold(task, "test", source="file", file=ROWS / file)
    assert len(rows) == len(gold) == count
    seen = hashlib.sha256()
    for row in rows:
        others = [f"{row['question']} (way {k})" for k in range(2, 6)]
        ways = vary(row, task, 5, 42, others if name == "gsm8k" else ())
        assert len(ways) == len({way["prompt"] for way in ways}) == 5
        for way in ways:
            assert way["prompt"].count(row["question"]) == 1
            parts = row.get("choices", ())
            assert all(f". {text}\n" in way["prompt"] for text in parts)
            answer = gold[row["id"]]["answer"]
            said = answer
            if parts:
                said = LETTERS[way["order"].index(LETTERS.index(answer))]
                assert way["choices"][LETTERS.index(said)] == parts[LETTERS.index(answer)]
            assert original(way, task, task.response(None, said)) == answer
            seen.update(json.dumps([way["id"], way["prompt"]]).encode())
    assert seen.hexdigest() == golden
