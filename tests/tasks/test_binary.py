"""The binary tasks: prompts of records in each data set's own schema, balance, halves, files."""

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2s_data import tasks
from w2s_data.errors import W2SError
from w2s_data.io import write_rows
from w2s_data.tasks import binary, sources

HERE = Path(__file__).parent
RECORDS = json.loads((HERE / "binary_records.json").read_text("utf-8"))
PROMPTS = json.loads((HERE / "binary_prompts.json").read_text("utf-8"))


def test_every_task_is_here_once():
    assert set(binary.ENTRIES) == set(tasks.BINARY) == set(RECORDS)
    assert len(tasks.BINARY) == 28


def rendered(name):
    """Prompt and right choice of each record, as the hub's loader gives them."""
    task = tasks.get(name)
    raw = ((f"row {number}", dict(record)) for number, record in enumerate(RECORDS[name], 1))
    formed = sources._formed(task, raw)
    named = [sources._named(record, where, {}, task) for where, record in formed]
    found = list(sources._identified(task, named))
    return [[tasks.ask(task, r), tasks._gold(task, r, ())["answer"]] for r in found]


@pytest.mark.parametrize("name", tasks.BINARY)
def test_prompts_are_as_they_were(name):
    assert rendered(name) == PROMPTS[name]


@pytest.mark.parametrize("name", tasks.BINARY)
def test_both_answers_come_up(name):
    """Whatever the coin says, both answers come up and nothing is left unfilled."""
    entry = binary.ENTRIES[name]
    seen = Counter()
    for record in RECORDS[name]:
        for seed in range(20):
            found = entry.form(dict(record), Random(seed))
            if found is None:
                continue
            question, truth = found
            seen[truth] += 1
            assert isinstance(truth, bool)
            assert question.strip()
            assert "{" not in question or name.endswith("_right")
    assert set(seen) == {True, False}


# cosmos_qa draws otherwise where none of its answers is right.
LABELLED = [n for n in tasks.BINARY if "label" in RECORDS[n][0] and n != "cosmos_qa"]


@pytest.mark.parametrize("name", LABELLED)
def test_another_label_changes_the_answer_shown_or_the_truth_never_both(name):
    """So that no question gives its truth away."""
    form, moved = binary.ENTRIES[name].form, Counter()
    for record in RECORDS[name]:
        label = record["label"]
        other = record | {"label": type(label)(1 - int(label) if int(label) in (0, 1) else 0)}
        for seed in range(20):
            found, changed = (form(dict(one), Random(seed)) for one in (record, other))
            if found and changed:
                moved[sum(one != another for one, another in zip(found, changed))] += 1
    assert moved[1]
    assert not moved[2]


def hub(monkeypatch, name, records):
    """The hub, if the data set of this task held `records` in every split."""
    monkeypatch.setattr(sources, "_load", lambda hub: records)
    return tasks.get(name)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=4, max_size=80), st.randoms())
def test_halves_are_apart_balanced_and_independent_of_order(labels, random):
    records = [{"sentence": f"s{i}", "label": label, "idx": i} for i, label in enumerate(labels)]
    with pytest.MonkeyPatch.context() as patch:
        task = hub(patch, "cola", records)
        halves = [set(asked(task, split)) for split in ("train_1", "train_2")]
        answers = [tasks.gold(task, s, source="hub") for s in ("train_1", "train_2", "test")]
        shuffled = list(records)
        random.shuffle(shuffled)
        patch.setattr(sources, "_load", lambda hub: shuffled)
        assert [set(asked(task, split)) for split in ("train_1", "train_2")] == halves
    assert not halves[0] & halves[1]
    for gold in answers:
        counts = Counter(row["answer"] for row in gold.values())
        assert counts["yes"] == counts["no"]
    # Nothing more than the surplus of one answer is left out of test.
    assert len(answers[2]) == 2 * min(labels.count(0), labels.count(1))


def asked(task, split, **how):
    return [row["question"] for row in tasks.questions(task, split, **{"source": "hub"} | how)]


def test_the_bundled_task_is_balanced():
    task = tasks.get("math_right")
    sizes = {}
    for split in ("train_1", "train_2", "test"):
        gold = tasks.gold(task, split)
        counts = Counter(row["answer"] for row in gold.values())
        assert counts["yes"] == counts["no"]
        sizes[split] = len(gold)
    assert sizes == {"train_1": 1474, "train_2": 2990, "test": 482}


NUMBERS = st.integers(1, 300)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), st.integers())
def test_an_altered_solution_is_wrong_and_no_right_one_is_touched(pairs, seed):
    lines = [f"${a} + {b} = {a + b}$." for a, b in pairs]
    right = " ".join([*lines, f"So it is {sum(pairs[-1])}."])
    wrong = binary.altered(right, Random(seed))
    assert wrong != right
    assert len(wrong.split("+")) == len(right.split("+"))
    sums = [line.strip("$. ").split("=") for line in wrong.split("$ .")[0].split("$.")[:-1]]
    assert any(sum(map(int, left.split("+"))) != int(result) for left, result in sums)


def test_a_solution_without_results_is_left_out():
    assert binary.altered("It is $\\emptyset$.", Random(0)) is None
    assert len(rendered("math_right")) == len(RECORDS["math_right"]) - 1


@pytest.mark.parametrize(
    ("row", "choices", "answer"),
    [
        ({"answer": "no"}, ["yes", "no"], "no"),
        ({"answer": True}, ["yes", "no"], "yes"),
        ({"answer": "B", "choices": ["cat", "dog"]}, ["cat", "dog"], "dog"),
        ({"answer": 0, "choices": ["negative", "positive"]}, None, "negative"),
        ({"answer": "dog", "options": {"A": "cat", "B": "dog"}}, ["cat", "dog"], "dog"),
    ],
)
def test_files_with_any_two_choices(tmp_path, row, choices, answer):
    write_rows(tmp_path / "q.jsonl", [{"question": "Which?"} | row])
    task = tasks.get("boolq")
    (asked,) = tasks.questions(task, "train_2", file=tmp_path / "q.jsonl")
    (gold,) = tasks.gold(task, "train_2", file=tmp_path / "q.jsonl").values()
    assert asked["choices"] == (choices or ["negative", "positive"])
    assert gold["answer"] == answer
    assert gold["response"] == f" {answer}"
    assert tasks.ask(task, asked).endswith(f"Answer {' or '.join(asked['choices'])}:")


@pytest.mark.parametrize(
    "choices", [["a"], ["a", "b", "c"], ["a", "a"], ["a", " a"], ["a b", "a\n b "]]
)
def test_other_than_two_choices_are_refused(tmp_path, choices):
    write_rows(tmp_path / "q.jsonl", [{"question": "Which?", "choices": choices, "answer": "a"}])
    with pytest.raises(W2SError, match=r"q.jsonl:1: .*two different choices|must be 2 to 26 texts"):
        list(tasks.questions(tasks.get("boolq"), "test", file=tmp_path / "q.jsonl"))


@pytest.mark.parametrize("name", tasks.BINARY)
def test_a_file_of_the_task_s_own_records_is_asked_as_the_hub_is(tmp_path, name):
    write_rows(tmp_path / "own.jsonl", RECORDS[name])
    task, how = tasks.get(name), {"file": tmp_path / "own.jsonl"}
    asked = list(tasks.questions(task, "test", **how))
    gold = tasks.gold(task, "test", **how)
    found = [[tasks.ask(task, row), gold[row["id"]]["answer"]] for row in asked]
    assert found == PROMPTS[name]


@pytest.mark.parametrize("name", tasks.BINARY)
@pytest.mark.parametrize("answer", ["yes", "no", "A", "B", True, 0, 1, "1", None])
def test_a_question_with_yes_or_no_is_taken_as_it_is(tmp_path, name, answer):
    row = {"id": "7", "question": "Question: 1+1?\nAnswer: = 2"}
    for more in ({}, {"choices": ["no", "yes"], "passage": "a text", "label": 1}):
        write_rows(tmp_path / "q.jsonl", [row | more | {"answer": answer}])
        (asked,) = tasks.questions(tasks.get(name), "test", file=tmp_path / "q.jsonl")
        assert (asked["id"], asked["question"]) == ("7", row["question"])
        assert asked["choices"] == more.get("choices", ["yes", "no"])


@pytest.mark.parametrize(
    ("name", "row", "said"),
    [
        (
            "sciq",
            {"question": "What?", "correct_answer": "a", "distractor1": "b"},
            "correct_answer, distractor1 without distractor2: a row of sciq holds all fields of "
            "allenai/sciq, or question, choices and answer",
        ),
        ("sst2", {"sentence": "Good."}, "sentence without label: a row of sst2 holds"),
        ("boolq", {"question": "q", "passage": "p", "answer": "?"}, "a record is not as expected"),
        (
            "math_right",
            {"question": "Is 3 even?", "choices": ["even", "odd"], "answer": "odd"},
            r"yes or no; for the choices .'even', 'odd'. take a binary task that shows them",
        ),
    ],
)
def test_rows_that_would_be_cut_are_refused(tmp_path, name, row, said):
    write_rows(tmp_path / "q.jsonl", [row])
    with pytest.raises(W2SError, match=rf"q.jsonl:1: .*{said}"):
        list(tasks.questions(tasks.get(name), "test", file=tmp_path / "q.jsonl"))


def test_named_fields_are_what_is_asked(tmp_path):
    """--field says which fields there are, whatever else a row has."""
    write_rows(tmp_path / "q.jsonl", [RECORDS["boolq"][0] | {"ask": "Which?"}])
    how = {"file": tmp_path / "q.jsonl", "fields": {"question": "ask"}}
    (asked,) = tasks.questions(tasks.get("boolq"), "test", **how)
    assert asked["question"] == "Which?"


def test_a_table_s_texts_are_read_as_the_hub_s_values(tmp_path):
    lines = ["question,passage,answer", "is it,A text.,True", "is it,Another.,False"]
    (tmp_path / "q.csv").write_text("\n".join(lines), "utf-8")
    gold = tasks.gold(tasks.get("boolq"), "test", file=tmp_path / "q.csv")
    assert [row["answer"] for row in gold.values()] == ["yes", "no"]


def test_a_record_of_another_schema_is_named(monkeypatch):
    task = hub(monkeypatch, "sciq", [{"question": "What?", "answer": "that"}])
    with pytest.raises(W2SError, match=r"allenai/sciq: .*'correct_answer'.*question, answer"):
        list(tasks.questions(task, "test", source="hub"))


def test_converted_branches_are_asked_for_by_folder(monkeypatch):
    import datasets

    calls = []
    monkeypatch.delenv("W2S_HUB", raising=False)
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: calls.append((a, k)) or [])
    list(tasks.questions(tasks.get("wic"), "test", source="hub"))
    where = {"data_dir": "wic", "split": "validation", "revision": "refs/convert/parquet"}
    assert calls[0] == (("aps/super_glue",), where)
