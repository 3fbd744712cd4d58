"""Choice questions: options of every shape, gold as a letter, and what a response chooses."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data import tasks
from w2s_data.errors import W2SError
from w2s_data.inputs import Questions
from w2s_data.tasks import choice
from w2s_data.tasks.match import Matcher

ARC = tasks.get("arc_challenge")
SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
TEXTS = ["fog", "light rain", "drought"]


def jsonl(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


SHAPES = {
    "ai2_arc": {"choices": {"text": TEXTS, "label": ["A", "B", "C"]}, "answerKey": "B"},
    "numbered": {"choices": {"text": TEXTS, "label": ["1", "2", "3"]}, "answerKey": "2"},
    "a list and a position": {"options": TEXTS, "answer": 1},
    "a list and a written position": {"choices": TEXTS, "answer": "1"},
    "a list and a letter": {"choices": TEXTS, "answer": "B"},
    "a list and a text": {"choices": TEXTS, "answer": "light rain"},
    "label and text": {"choices": TEXTS, "answer": "B. light rain"},
    "objects": {
        "choices": [{"label": x, "text": y} for x, y in zip("ABC", TEXTS)],
        "answer": "(B) light rain",
    },
    "a map": {"choices": dict(zip("ABC", TEXTS)), "answer": "B"},
    "json in a text": {"choices": json.dumps(TEXTS), "answer": "B"},
    "a whole response": {"choices": TEXTS, "answer": "It is wet. My choice is B."},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_options_of_every_shape(kind, tmp_path):
    path = jsonl(tmp_path / "q.jsonl", {"question": "What next?", "id": "7"} | SHAPES[kind])
    (row,) = tasks.questions(ARC, "test", file=path)
    assert (row["question"], row["choices"]) == ("What next?", TEXTS)
    assert row.keys() == {"id", "task", "question", "meta", "choices"}
    gold = tasks.gold(ARC, "test", file=path)["7"]
    assert gold["answer"] == "B"
    assert gold["response"].endswith("My choice is B.")


@pytest.mark.parametrize("labels", ["ABC", "123"])
def test_options_in_the_question(labels, tmp_path):
    lines = [f"{label}. {text}" for label, text in zip(labels, TEXTS)]
    row = {"question": "\n".join(["What next?", *lines]), "answer": lines[1], "id": "7"}
    path = jsonl(tmp_path / "q.jsonl", row)
    (found,) = tasks.questions(ARC, "test", file=path)
    assert (found["question"], found["choices"]) == ("What next?", TEXTS)
    assert tasks.gold(ARC, "test", file=path)["7"]["answer"] == "B"


def test_the_prompt_lists_the_options(tmp_path):
    path = jsonl(tmp_path / "q.jsonl", {"question": "What next?", "choices": TEXTS})
    (row,) = Questions(ARC, file=path).rows()
    expected = "Question: What next?\nA. fog\nB. light rain\nC. drought\nAnswer:"
    assert row["prompt"] == expected
    shown = tasks.ask(ARC, row, demonstrations=[(choice.listed(row), "My choice is A.")])
    assert shown == expected + " My choice is A.\n\n" + expected


def test_the_same_stem_with_other_options_is_another_question(tmp_path):
    rows = [
        {"question": "Which?", "choices": TEXTS},
        {"question": "Which?", "choices": TEXTS[::-1]},
    ]
    path = jsonl(tmp_path / "q.jsonl", *rows)
    ids = [row["id"] for row in tasks.questions(ARC, "test", file=path)]
    again = jsonl(tmp_path / "r.jsonl", *rows[::-1])
    assert ids == [row["id"] for row in tasks.questions(ARC, "test", file=again)][::-1]


def test_a_response_is_matched_by_prompt_stem_or_listed_question(tmp_path):
    path = jsonl(tmp_path / "q.jsonl", {"question": "What next?", "choices": TEXTS, "id": "7"})
    rows = list(Questions(ARC, file=path).rows())
    matcher = Matcher(ARC, rows, "q.jsonl")
    for foreign in (
        {"prompt": rows[0]["prompt"]},
        {"question": "What next?"},
        {"question": choice.listed(rows[0])},
    ):
        assert matcher.find(foreign, "here") == "7"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "no options"),
        ({"choices": "fog"}, "must be a list of texts"),
        ({"choices": ["fog"]}, "must be 2 to 26 texts"),
        ({"choices": ["fog", " "]}, "must be 2 to 26 texts"),
        ({"choices": ["fog", 3]}, "must be a list of texts"),
        ({"choices": {"text": TEXTS, "label": ["A"]}}, "must be a list of texts"),
    ],
)
def test_bad_options(row, message, tmp_path):
    path = jsonl(tmp_path / "q.jsonl", {"question": "What next?"} | row)
    with pytest.raises(W2SError, match=message):
        list(tasks.questions(ARC, "test", file=path))


@pytest.mark.parametrize("answer", ["D", "hail", 3, -1, "B. fog", "7"])
def test_bad_gold_is_seen_by_gold_alone(answer, tmp_path):
    row = {"question": "What next?", "choices": TEXTS, "answer": answer}
    path = jsonl(tmp_path / "q.jsonl", row)
    assert list(tasks.questions(ARC, "test", file=path))
    with pytest.raises(W2SError, match=r"q.jsonl:1: the answer must be an option's label"):
        tasks.gold(ARC, "test", file=path)


@pytest.mark.parametrize(
    ("text", "letter", "spelled", "both"),
    [
        ("My choice is B.", "B", None, "B"),
        ("It is dry. My choice is (C) drought.", "C", "C", "C"),
        ("My choice is light rain", None, "B", "B"),
        ("drought", None, "C", "C"),
        ("The answer is: B. Light  rain.", "B", "B", "B"),
        ("My choice is A. drought", "A", "C", None),
        ("My choice is the drought, not hail", None, "C", "C"),
        ("My choice is fog or drought", None, None, None),
        ("The fog goes. The answer is: 3", "C", None, "C"),
        ("My choice is Z.", None, None, None),
        ("I like fog. My choice is", None, None, None),
        ("", None, None, None),
        ("fog " * 250_000, None, None, None),
    ],
)
def test_what_a_response_chooses(text, letter, spelled, both):
    assert choice.read(text, TEXTS) == (letter, spelled)
    found = [choice.chosen(text, TEXTS, by) for by in ("letter", "text", "both")]
    assert found == [letter, spelled, both]


def test_a_digit_is_an_options_text_before_it_is_a_position():
    assert choice.read("My choice is 2.", ["2", "3", "4"]) == (None, "A")
    assert choice.read("My choice is 2.", ["5", "6", "7"]) == ("B", None)
    assert choice.read("My choice is 5.", ["4", "5"]) == (None, "B")


@given(st.lists(st.text("ab 5-", min_size=1, max_size=6), min_size=2, max_size=8), st.data())
def test_a_written_response_is_read_back(texts, data):
    position = data.draw(st.integers(0, len(texts) - 1))
    letter = choice.LETTERS[position]
    assert choice.chosen(choice.response("So.", letter), texts) == letter
    assert choice.text_of(letter, texts) == texts[position]
    assert choice.letter_of(texts[position], texts) in (letter, None)


@pytest.mark.golden
@pytest.mark.skipif(not SHARED.is_dir(), reason="the published data is not here")
def test_published_rows():
    """Every row of ARC-Challenge as Alice publishes it: options out of the text, gold a letter."""
    path = SHARED / "golden/rows/arc_challenge_validation.jsonl"
    rows = list(tasks.questions(ARC, "test", file=path))
    gold = tasks.gold(ARC, "test", file=path)
    assert len(rows) == len(gold) == 299
    published = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for row, given_row in zip(rows, published):
        text = choice.text_of(gold[row["id"]]["answer"], row["choices"])
        assert given_row["answer"].partition(". ")[2].strip() == text
        assert given_row["question"].startswith(row["question"])
