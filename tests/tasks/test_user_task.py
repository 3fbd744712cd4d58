"""A task the user writes as a file works like those in TASKS."""

import json

import pytest

from w2s_data import tasks
from w2s_data.errors import W2SError
from w2s_data.prompts import render

WHOLE = """
name: riddles
title: Riddles with a number for an answer
rule: gsm8k
answer_key: "####"
prompt: riddle.jinja
stop: [Riddle]
max_tokens: 64
fields: {question: riddle, answer: solved}
files: {train_2: riddles.jsonl}
hub: {test: {path: me/riddles, split: test}, train_1: {path: me/riddles, half: 1}}
roles: {weak: "hf:me/small"}
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "riddles.yaml"
        path.write_text(text)
        return path

    (tmp_path / "riddle.jinja").write_text("Riddle: {{ question }}\nSolved:\n")
    row = {"riddle": "Legs of a fly?", "solved": 6, "answer": "SECRET"}
    (tmp_path / "riddles.jsonl").write_text(json.dumps(row) + "\n")
    return write


def test_whole(written):
    task = tasks.from_file(written(WHOLE))
    (row,) = tasks.questions(task, "train_2")
    assert row["question"] == "Legs of a fly?"
    assert render(task.prompt, question=row["question"]) == "Riddle: Legs of a fly?\nSolved:"
    assert tasks.gold(task, "train_2") == {
        row["id"]: {"answer": "6", "solution": None, "response": "#### 6"}
    }
    assert (task.stop, task.max_tokens, task.roles) == (("Riddle",), 64, {"weak": "hf:me/small"})
    assert task.hub["train_1"] == tasks.Hub("me/riddles", half=1)


def test_least(written):
    task = tasks.from_file(written("{name: least, rule: math}"))
    assert (task.title, task.prompt, task.stop) == ("least", "qa", ("Question", "Answer:"))
    assert task.response("a", "5") == "a\nThe answer is: 5"
    with pytest.raises(W2SError, match="no bundled questions"):
        tasks.questions(task, "train_1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule: math", "field 'name' is missing"),
        ("{name: a b, rule: math}", "name: String should match"),
        ("{name: a, rule: mth}", "unknown extraction rule 'mth': did you mean 'math'?"),
        ("{name: a, rule: math, stops: [x]}", "unknown field 'stops': did you mean 'stop'?"),
        ("{name: a, rule: math, max_tokens: 0}", "max_tokens: Input should be greater than"),
        ("{name: a, rule: math, max_tokens: many}", "max_tokens: Input should be a valid integer"),
        ("{name: a, rule: math, stop: x}", "stop: Input should be a valid list, was: 'x'"),
        ("{name: a, rule: math, prompt: qb}", "unknown prompt 'qb'"),
        ("{name: a, rule: math, prompt: gone.jinja}", "gone.jinja: cannot be read"),
        ("{name: a, rule: math, fields: {questoin: q}}", "unknown field 'questoin'"),
        ("{name: a, rule: math, hub: {test: {split: x}}}", "field 'hub.test.path' is missing"),
        ("{name: a, rule: math, hub: {test: {path: x, half: 3}}}", "hub.test.half: Input should"),
        ("", "expected fields (name,"),
        ("[1]", "expected fields (name,"),
        ("{name: a", "not valid YAML"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_errors(written, text, message):
    path = written(text)
    with pytest.raises(W2SError) as error:
        tasks.from_file(path)
    assert message in str(error.value)
    assert str(path) in str(error.value) or "gone.jinja" in text or "qb" in text
    assert "\n" not in str(error.value)


def test_no_such_file():
    with pytest.raises(W2SError, match=r"gone\.yaml: cannot be read"):
        tasks.from_file("gone.yaml")


def test_a_choice_task_reads_options_and_asks_for_a_letter(tmp_path):
    row = {"question": "Which?", "options": ["red", "blue"], "answer": "blue", "id": "1"}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "t.yaml").write_text("name: hues\nrule: choice\nfiles: {test: q.jsonl}\n")
    task = tasks.from_file(tmp_path / "t.yaml")
    (found,) = tasks.questions(task, "test")
    assert found["choices"] == ["red", "blue"]
    assert tasks.ask(task, found) == "Question: Which?\nA. red\nB. blue\nAnswer:"
    assert tasks.gold(task, "test")["1"]["response"] == "My choice is B."


def test_an_open_task_takes_several_names(tmp_path):
    row = {"question": "Which?", "answer": ["Berlin", "Spandau"], "id": "1"}
    (tmp_path / "q.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "t.yaml").write_text("name: towns\nrule: openqa\nfiles: {test: q.jsonl}\n")
    gold = tasks.gold(tasks.from_file(tmp_path / "t.yaml"), "test")["1"]
    assert (gold["answer"], gold["aliases"]) == ("Berlin", ["Spandau"])
