"""Questions from every source come without ground truth, with ids that are unique and stable."""

import ast
import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data import tasks
from w2s_data.answers import equal
from w2s_data.errors import W2SError
from w2s_data.rows import question_id

MATH, GSM8K = tasks.get("math"), tasks.get("gsm8k")
SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))


def record(n):
    return {
        "problem": f"What is ${n} + {n}$?",
        "solution": f"SECRET-STEP ${n} + {n} = \\boxed{{{2 * n}}}$.",
        "answer": f"SECRET-{n}",
        "level": f"Level {n % 5 + 1}",
        "type": "Algebra",
        "steps": ["SECRET-STEP"],
        "gold": "SECRET",
        "unique_id": f"train/{n}.json",
    }


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def as_json(path, rows):
    path.write_text(json.dumps(rows))
    return path


def as_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_parquet(path, rows):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


FORMATS = {"jsonl": jsonl, "json": as_json, "csv": as_csv, "parquet": as_parquet}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A folder of data sets in the hub's layout: 21 GSM8K rows, 12 MATH rows, 3 of MATH-500."""
    import datasets

    def dataset(path, config, **splits):
        folder = tmp_path / "hub" / path
        folder.mkdir(parents=True)
        files = [{"split": name, "path": f"{name}.jsonl"} for name in splits]
        configs = json.dumps([{"config_name": config, "data_files": files}])
        (folder / "README.md").write_text(f"---\nconfigs: {configs}\n---\n")
        for name, rows in splits.items():
            jsonl(folder / f"{name}.jsonl", rows)

    def word_problem(n):
        answer = f"SECRET-STEP {n}+1=<<{n}+1={n + 1}>>{n + 1}\n#### {n + 1}"
        return {"question": f"How much is {n} and one more?", "answer": answer}

    problems = [
        {k: v for k, v in record(n).items() if k not in ("gold", "steps")} for n in range(12)
    ]
    held_out = [problems[2], problems[7] | {"unique_id": "test/1.json"}, record(99)]
    held_out = [{k: v for k, v in row.items() if k in problems[0]} for row in held_out]
    dataset("openai/gsm8k", "main", train=map(word_problem, range(21)), test=[word_problem(50)])
    dataset("nlile/hendrycks-MATH-benchmark", "default", train=problems)
    dataset("HuggingFaceH4/MATH-500", "default", test=held_out)
    monkeypatch.setenv("W2S_HUB", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def no_gold(rows):
    assert rows
    for row in rows:
        assert row.keys() == {"id", "task", "question", "meta"}
        assert row["meta"].keys() <= {"level", "subject"}
        assert "SECRET" not in json.dumps(row)


@pytest.mark.parametrize("kind", FORMATS)
def test_file(kind, tmp_path):
    path = FORMATS[kind](tmp_path / f"questions.{kind}", [record(n) for n in range(7)])
    rows = list(tasks.questions(MATH, "train_2", source="file", file=path))
    no_gold(rows)
    assert rows[1] == {
        "id": "train/1.json",
        "task": "math",
        "question": "What is $1 + 1$?",
        "meta": {"level": 2, "subject": "Algebra"},
    }
    assert [row["id"] for row in rows] == list(tasks.gold(MATH, "train_2", file=path))
    assert len(list(tasks.questions(MATH, "test", file=path, limit=3))) == 3


@pytest.mark.parametrize("split", tasks.SPLITS)
def test_bundled(split):
    rows = list(tasks.questions(MATH, split))
    gold = tasks.gold(MATH, split)
    no_gold(rows)
    assert [row["id"] for row in rows] == list(gold)
    assert {row["meta"]["level"] for row in rows} == {1, 2, 3, 4, 5}
    for answer in gold.values():
        assert answer["response"] == f"{answer['solution']} The answer is: {answer['answer']}"


def test_bundled_splits_share_no_question():
    seen = [{row["question"] for row in tasks.questions(MATH, split)} for split in tasks.SPLITS]
    assert sum(map(len, seen)) == len(set.union(*seen))


def test_hub_gsm8k(hub):
    one, two, test = (list(tasks.questions(GSM8K, s, source="hub")) for s in tasks.SPLITS)
    no_gold(one + two + test)
    assert (len(one), len(two), len(test)) == (10, 11, 1)
    assert len({row["question"] for row in one + two}) == 21
    answer = tasks.gold(GSM8K, "test", source="hub")[test[0]["id"]]
    assert answer["answer"] == "51"
    assert answer["response"] == "SECRET-STEP 50+1=51\n#### 51"


def test_hub_math_leaves_out_math_500(hub):
    one, two, test = (list(tasks.questions(MATH, s, source="hub")) for s in tasks.SPLITS)
    no_gold(one + two + test)
    assert (len(one), len(two), len(test)) == (5, 5, 3)
    left = {row["question"] for row in one + two}
    assert len(left) == 10
    assert not left & {row["question"] for row in test}
    assert tasks.gold(MATH, "train_1", source="hub").keys() == {row["id"] for row in one}


def test_halves_do_not_depend_on_the_order(hub, tmp_path):
    before = {row["id"] for row in tasks.questions(GSM8K, "train_1", source="hub")}
    path = tmp_path / "hub/openai/gsm8k/train.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert {row["id"] for row in tasks.questions(GSM8K, "train_1", source="hub")} == before


def test_hub_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("W2S_HUB", str(tmp_path))
    with pytest.raises(W2SError, match="download openai/gsm8k into it, or unset W2S_HUB"):
        list(tasks.questions(GSM8K, "test", source="hub"))
    (tmp_path / "openai/gsm8k").mkdir(parents=True)
    with pytest.raises(W2SError, match=r"openai/gsm8k cannot be loaded: .*--questions FILE"):
        list(tasks.questions(GSM8K, "test", source="hub"))


def test_ids(tmp_path):
    rows = [
        {"question": "a?", "id": 7},
        {"question": "b?", "id": "x"},
        {"question": "c?"},
        {"question": "c?", "id": None},
        {"question": "c?", "id": " "},
    ]
    found = [
        row["id"] for row in tasks.questions(GSM8K, "test", file=jsonl(tmp_path / "q.jsonl", rows))
    ]
    own = question_id("gsm8k", "c?")
    assert found == ["7", "x", own, f"{own}-2", f"{own}-3"]


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1))
def test_every_row_gets_its_own_id(tmp_path_factory, texts):
    path = jsonl(tmp_path_factory.mktemp("q") / "q.jsonl", [{"question": text} for text in texts])
    rows = list(tasks.questions(GSM8K, "test", file=path))
    assert [row["question"] for row in rows] == texts
    assert len({row["id"] for row in rows}) == len(texts)


def test_fields_and_alias_order(tmp_path):
    rows = [{"q": "mine?", "question": "other?", "problem": "third?", "target": 4, "lvl": 3}]
    path = jsonl(tmp_path / "q.jsonl", rows)
    mapped = {"question": "q", "level": "lvl"}
    assert next(tasks.questions(GSM8K, "test", file=path))["question"] == "other?"
    (row,) = tasks.questions(GSM8K, "test", file=path, fields=mapped)
    assert (row["question"], row["meta"]) == ("mine?", {"level": 3})
    (gold,) = tasks.gold(GSM8K, "test", file=path, fields=mapped).values()
    assert gold == {"answer": "4", "solution": None, "response": "#### 4"}


@pytest.mark.parametrize(
    ("given_level", "level"),
    [("Level 3", 3), (3, 3), ("3", 3), ("Level ?", "Level ?"), ("hard", "hard")],
)
def test_levels(tmp_path, given_level, level):
    path = jsonl(tmp_path / "q.jsonl", [{"question": "a?", "level": given_level}])
    assert next(tasks.questions(MATH, "test", file=path))["meta"] == {"level": level}


@pytest.mark.parametrize(
    ("rows", "fields", "message"),
    [
        ([{"text": "a?"}], {}, "q.jsonl:1: no field for the question"),
        ([{"text": "a?"}], {}, "fields there: text"),
        ([{"question": "a?"}], {"question": "q"}, "q.jsonl:1: no field 'q' for question"),
        ([{"question": "a?"}], {"questions": "q"}, "unknown field 'questions': did you mean"),
        ([{"question": "a?"}, {"question": ""}], {}, "q.jsonl:2: the question must be a non-empty"),
        ([{"question": "  \n"}], {}, "q.jsonl:1: the question must be a non-empty"),
        ([{"question": 5}], {}, "must be a non-empty string, was: 5"),
        ([{"question": None}], {}, "must be a non-empty string, was: None"),
        ([{"question": "a?", "id": [1]}], {}, "the id must be a string or an integer, was: [1]"),
        ([{"question": "a?", "id": True}], {}, "the id must be a string or an integer"),
        (
            [{"question": "a?", "id": 1}, {"question": "b?"}, {"question": "c?", "id": "1"}],
            {},
            "q.jsonl:3: id '1' stands at",
        ),
        ([{"question": "a?", "level": ["5"]}], {}, "level must be a string or an integer"),
        (
            [{"question": "a?", "answer": "5"}],
            {"subject": "answer"},
            "field 'answer' cannot be both answer and subject",
        ),
        ([{"answer": "5"}], {"question": "answer"}, "cannot be both question and answer"),
    ],
)
def test_bad_rows(tmp_path, rows, fields, message):
    with pytest.raises(W2SError) as error:
        list(tasks.questions(MATH, "test", file=jsonl(tmp_path / "q.jsonl", rows), fields=fields))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tasks.get("mth"), "unknown task 'mth': did you mean 'math'?"),
        (
            lambda: tasks.questions(MATH, "train2"),
            "unknown split 'train2': did you mean 'train_2'?",
        ),
        (lambda: tasks.questions(MATH, "test", source="hubb"), "unknown source 'hubb'"),
        (lambda: tasks.questions(MATH, "test", source="file"), "--questions FILE"),
        (lambda: tasks.questions(MATH, "test", limit=0), "limit must be >= 1, was: 0"),
        (
            lambda: tasks.questions(GSM8K, "test"),
            "no bundled questions for split 'test': use --source hub",
        ),
        (lambda: next(tasks.questions(MATH, "test", file="no.jsonl")), "no.jsonl: no such file"),
    ],
)
def test_bad_calls(call, message):
    with pytest.raises(W2SError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("task", "row", "answer", "response"),
    [
        (MATH, {"solution": r"so \boxed{5}."}, "5", r"so \boxed{5}. The answer is: 5"),
        (MATH, {"solution": r"$\boxed{1}$, no: $\boxed{\frac{1}{2}}$"}, r"\frac{1}{2}", None),
        (MATH, {"solution": r"the answer is $\boxed{5}$ cm."}, "5", None),
        (MATH, {"answer": "7", "solution": r"\boxed{8}"}, "7", r"\boxed{8} The answer is: 7"),
        (MATH, {"answer": 7}, "7", "The answer is: 7"),
        (GSM8K, {"answer": "a <<1+1=2>>2\n#### 2"}, "2", "a 2\n#### 2"),
        (GSM8K, {"answer": "2", "solution": "a <<1+1=2>>2\n#### 2"}, "2", "a 2\n#### 2"),
        (GSM8K, {"answer": "2", "solution": "a 2"}, "2", "a 2\n#### 2"),
        (GSM8K, {"answer": "1,080"}, "1,080", "#### 1,080"),
    ],
)
def test_gold(tmp_path, task, row, answer, response):
    path = jsonl(tmp_path / "q.jsonl", [{"question": "a?", "id": "1"} | row])
    gold = tasks.gold(task, "test", file=path)["1"]
    assert gold["answer"] == answer
    assert response is None or gold["response"] == response


@pytest.mark.parametrize(
    ("row", "fields", "message"),
    [
        ({}, {}, "q.jsonl:1: no answer and no solution; fields there: question, id"),
        ({"answer": ""}, {}, "no answer and no solution"),
        ({"solution": "no box"}, {}, "row '1': the solution holds no final answer"),
        ({"answer": ["5"]}, {}, "answer must be a string or a number"),
        ({"solution": r"\boxed{5}"}, {"answer": "nope"}, "the field for answer is missing"),
    ],
)
def test_bad_gold(tmp_path, row, fields, message):
    path = jsonl(tmp_path / "q.jsonl", [{"question": "a?", "id": "1"} | row])
    assert list(tasks.questions(MATH, "test", file=path, fields=fields))
    with pytest.raises(W2SError) as error:
        tasks.gold(MATH, "test", file=path, fields=fields)
    assert message in str(error.value)


def test_records_with_gold_stay_in_this_package():
    package = Path(tasks.__file__).parents[1]
    others = (path for path in package.rglob("*.py") if path.parent.name != "tasks")
    for path in others:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "w2s_data.tasks.sources":
                assert "records" not in {alias.name for alias in node.names}, path


def test_import_stays_cheap():
    code = "import w2s_data.tasks, w2s_data.tasks.math, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"datasets", "pyarrow", "pydantic", "jinja2", "sympy"} & set(loaded.stdout.split())


@pytest.mark.golden
@pytest.mark.skipif(not SHARED.is_dir(), reason="the published data is not here")
@pytest.mark.parametrize(("task", "count"), [(GSM8K, 1319), (MATH, 500)], ids=["gsm8k", "math"])
def test_published_test_sets(task, count, tmp_path):
    """The gold answers read from the solutions are the published ones."""
    path = SHARED / f"golden/gair/{task.name}_test.jsonl"
    published = tasks.gold(task, "test", file=path)
    assert len(published) == count
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    bare = [{k: v for k, v in row.items() if k != "answer"} for row in rows]
    read = tasks.gold(task, "test", file=jsonl(tmp_path / "bare.jsonl", bare))
    assert [i for i in read if not equal(read[i]["answer"], published[i]["answer"])] == []
