"""Scores: the published ones, and the laws of their estimates."""

import itertools
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2s_data import tasks
from w2s_data.answers import classes, vote
from w2s_data.errors import W2SError
from w2s_data.prompts import render
from w2s_data.score import majority_at, pass_at, score
from w2s_data.steps.interval import wilson

GSM8K, MATH = tasks.get("gsm8k"), tasks.get("math")
SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[1].parent / "shared"))
PUBLISHED = SHARED / "golden/gair/gsm8k_llama2_7b_results.jsonl"

QUESTIONS = [
    {"id": "a", "problem": "What is $1 + 1$?", "answer": "2", "level": 1, "type": "Algebra"},
    {
        "id": "b",
        "problem": "What is\n$1/2$?",
        "answer": r"\frac{1}{2}",
        "level": 2,
        "type": "Algebra",
    },
    {"id": "c", "problem": "What is $3 + 3$?", "answer": "6", "level": 2, "type": "Geometry"},
]


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def scored(tmp_path):
    def run(rows, task=MATH, **options):
        file = jsonl(tmp_path / "questions.jsonl", QUESTIONS)
        return score(jsonl(tmp_path / "r.jsonl", rows), task=task, file=file, **options)

    return run


def says(answer):
    return f"So it is. The answer is: {answer}"


def test_one_response_each(scored):
    rows = [
        {"id": "a", "response": says(2)},
        {"id": "b", "response": says("0.5")},
        {"id": "c", "response": "no idea"},
    ]
    found = scored(rows)
    assert (found.questions, found.responses, found.correct, found.unparsed) == (3, 3, 2, 1)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.interval == pytest.approx(wilson(2 / 3, 3))
    assert (found.pass_at, found.majority_at, found.unanswered) == ({}, {}, 0)
    assert {name: part.correct for name, part in found.by_level.items()} == {"1": 1, "2": 1}
    assert {name: part.questions for name, part in found.by_subject.items()} == {
        "Algebra": 2,
        "Geometry": 1,
    }


def shown(question):
    return render(
        "qa", question=question, demonstrations=[("What is $3 + 3$?", says(6)), ("x", "y")]
    )


@pytest.mark.parametrize(
    "row",
    [
        {"id": "b"},
        {"question": QUESTIONS[1]["problem"]},
        {"problem": "What is $1/2$?"},
        {"id": 17, "question": "What is $1/2$?"},
        {"prompt": render("qa", question=QUESTIONS[1]["problem"])},
        {"prompt": shown(QUESTIONS[1]["problem"])},
        {"prompt": [{"role": "user", "content": shown(QUESTIONS[1]["problem"])}]},
        {"messages": [{"role": "user", "content": "Question: What is $1/2$?\nAnswer:"}]},
        {
            "prompt": f"<s> Human: {shown('What is $1/2$?')}\nAssistant:",
            "predict": says("1/2"),
            "label": "x",
        },
    ],
)
def test_matching(scored, row):
    found = scored([{"response": says("1/2")} | row if "predict" not in row else row])
    assert (found.correct, found.questions, found.unanswered) == (1, 1, 2)
    assert found.by_level.keys() == {"2"}


def test_verdicts_of_every_response(scored, tmp_path):
    rows = [{"id": "b", "response": [says("0.5"), says(3)]}, {"id": "a", "response": "no idea"}]
    found = scored(rows, out=tmp_path / "verdicts.jsonl")
    verdicts = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").open()]
    assert sorted((v["id"], v["sample"], v["answer"], v["right"]) for v in verdicts) == [
        ("a", 0, None, False),
        ("b", 0, "0.5", True),
        ("b", 1, "3", False),
    ]
    assert found.correct == 1


def test_several_responses(scored):
    answers = {"a": [2, 2, 3, 3], "b": [2, "x", "1/2", "0.5"], "c": [1, 2, 3, 4]}
    rows = [
        {"id": name, "response": says(answer)}
        for i in range(4)
        for name in "abc"
        for answer in [answers[name][i]]
    ]
    found = scored(rows)
    assert (found.responses, found.correct) == (12, 4)
    assert found.pass_at == pytest.approx({1: 4 / 12, 2: (5 / 6 + 5 / 6 + 0) / 3, 4: 2 / 3})
    assert found.majority_at == pytest.approx({1: 4 / 12, 2: (1 / 2 + 1 / 2 + 0) / 3, 4: 2 / 3})
    lists = [{"id": name, "response": [says(a) for a in given]} for name, given in answers.items()]
    assert scored(lists) == found
    assert scored(lists, ks=[3]).pass_at.keys() == {3}
    with pytest.raises(W2SError, match=r"k must be in \[1, 4\] .*, was: 5"):
        scored(lists, ks=[5])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no responses in this file"),
        ([{"id": "a"}], "r.jsonl:1: no response (looked for"),
        (
            [{"id": "z", "response": "5"}, {"id": "a", "response": "5"}],
            "1 of 2 rows match no question",
        ),
        (
            [{"id": "a", "question": "What is $3 + 3$?", "response": "5"}],
            "name different questions",
        ),
        ([{"response": "5"}], "1 of 1 rows match no question"),
    ],
)
def test_errors(scored, rows, message):
    with pytest.raises(W2SError) as error:
        scored(rows)
    assert message in str(error.value)


def test_gold_in_the_rows(tmp_path):
    rows = [
        {"prompt": "Human: 1 + 1?", "predict": "#### 2", "label": "One more.\n#### 2"},
        {"prompt": "Human: 2 + 2?", "predict": "#### 5", "label": "4"},
    ]
    found = score(jsonl(tmp_path / "p.jsonl", rows), task=GSM8K, fields={"gold": "label"})
    assert (found.questions, found.correct) == (2, 1)
    bad = jsonl(tmp_path / "p.jsonl", [rows[0], rows[0] | {"label": "3"}])
    with pytest.raises(W2SError, match=r"p\.jsonl:2: this question had another gold answer"):
        score(bad, task=GSM8K, fields={"gold": "label"})
    with pytest.raises(W2SError, match="unknown field 'golden': did you mean 'gold'"):
        score(bad, task=GSM8K, fields={"golden": "label"})


@pytest.mark.parametrize(
    ("accuracy", "n", "interval"),
    [
        (0.0, 10, (0.0, 0.2775328)),
        (1.0, 10, (0.7224672, 1.0)),
        (0.5, 100, (0.4038315, 0.5961685)),
        (0.1, 20, (0.0278665, 0.3010336)),
    ],
)
def test_wilson(accuracy, n, interval):
    """Against the closed form, solved for p in |p - accuracy| = z sqrt(p (1 - p) / n)."""
    assert wilson(accuracy, n) == pytest.approx(interval, abs=1e-6)


@given(st.integers(1, 12), st.data())
def test_pass_at_is_the_mean_over_all_subsets(n, data):
    correct = data.draw(st.integers(0, n))
    k = data.draw(st.integers(1, n))
    right = [i < correct for i in range(n)]
    subsets = list(itertools.combinations(right, k))
    assert pass_at(n, correct, k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


@given(st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=12), st.integers(0, 9))
def test_majority_of_all_is_the_vote(answers, seed):
    right = [answer == "2" for answer in answers]
    expected = float(vote(answers).answer == "2")
    assert majority_at(classes(answers), right, len(answers)) == expected
    order = random.Random(seed).sample(range(len(answers)), len(answers))
    mixed, mixed_right = [answers[i] for i in order], [right[i] for i in order]
    assert majority_at(classes(mixed), mixed_right, len(answers)) == expected
    assert majority_at(classes(answers), right, 1) == pytest.approx(sum(right) / len(right))


@pytest.mark.golden
@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published data is not here")
def test_published_accuracy():
    """2,896 of 7,000 by the published strings; by number 13 more (`6.50` is `6.5`)."""
    ours = score(PUBLISHED, task=GSM8K, fields={"gold": "gold"})
    assert (ours.questions, ours.correct, ours.unparsed) == (7000, 2909, 94)
    published = score(PUBLISHED, task=GSM8K, fields={"gold": "gold"}, compat="w2s-reasoning")
    assert (published.correct, published.unparsed, published.undecided) == (2896, 94, 0)
    by_prompt = score(
        PUBLISHED,
        task=GSM8K,
        file=PUBLISHED,
        question_fields={"question": "prompt", "answer": "gold"},
    )
    assert by_prompt.correct == 2909
