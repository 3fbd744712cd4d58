"""Reliability-Aware Alignment over recorded responses: what is kept, weighed, dropped, and why."""

import json
import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2s_data import tasks
from w2s_data.build import build
from w2s_data.errors import W2SError
from w2s_data.inputs import Models, Questions
from w2s_data.io import read_rows, write_rows
from w2s_data.methods.reliability.judging import judged
from w2s_data.steps.vary import vary

MODEL = "hf:meta-llama/Llama-2-7b-hf"
OPTIONS = ["red", "green", "blue", "none"]


def mmlu(folder, answers, gold="red"):
    """Questions of four options, and the weak model's answers: five texts of options a question,
    "" for a response without an answer."""
    task = tasks.get("mmlu")
    folder.mkdir(parents=True, exist_ok=True)
    asked = [
        {"id": i, "question": f"Which colour is {i}?", "choices": OPTIONS, "answer": gold}
        for i in answers
    ]
    write_rows(folder / "questions.jsonl", asked)
    said = []
    for row in asked:
        for way, answer in zip(vary(row, task, 5, 42), answers[row["id"]]):
            letter = "ABCD"[way["choices"].index(answer)] if answer else ""
            text = f"My choice is {letter}. {answer}" if answer else "I cannot say"
            said.append({"prompt": way["prompt"], "response": text})
    write_rows(folder / "weak.jsonl", said)
    return Questions(task, source="file", file=str(folder / "questions.jsonl"))


def run(folder, questions, stage, name="set", models=None, **given):
    given["settings"] = {"seed": 42} | given.get("settings", {})
    specs = {"weak": f"replay:{folder / 'weak.jsonl'}"} if stage != "ceiling" else {}
    where = {"out": folder / "data", "configs": folder / "configs"}
    where["store"] = folder / "store.sqlite"
    models = Models(specs | {"strong": MODEL} | (models or {}))
    return build(questions, models, method="reliability", stage=stage, name=name, **where | given)


def rows_of(folder, name="set.jsonl"):
    return [row for _, row in read_rows(folder / "data" / name)]


SURE = ["red"] * 5
SPLIT = ["red", "red", "red", "green", "blue"]
TORN = ["red", "green", "blue", "none", "red"]
SILENT = ["red", "red", "red", "red", ""]
MUTE = [""] * 5


def test_filter_keeps_up_to_the_median_and_tells_the_ties(tmp_path):
    questions = mmlu(tmp_path, {"a": SURE, "b": SURE, "c": SURE, "d": SPLIT, "e": TORN})
    summary = run(tmp_path, questions, "filter")
    assert Counter(row["id"] for row in rows_of(tmp_path)) == {"a": 5, "b": 5, "c": 5}
    assert summary.notes["filter"] == {
        "cut": 0.0,
        "questions on the cut, kept": 3,
        "questions on the cut, dropped": 0,
    }
    assert summary.dropped == {"entropy above the cut": 2}
    lost = {row["id"]: row for row in rows_of(tmp_path, "set.dropped.jsonl")}
    assert lost["d"]["entropy"] == pytest.approx(0.9502705)
    assert lost["d"]["answer"] == "A"
    assert lost["d"]["share"] == 0.6


def test_filter_can_keep_exactly_a_share(tmp_path):
    questions = mmlu(tmp_path, {"a": SURE, "b": SURE, "c": SURE, "d": SPLIT, "e": TORN})
    chosen = {"rule": "exactly", "share": 0.4}
    summary = run(tmp_path, questions, "filter", settings=chosen)
    first = {row["id"] for row in rows_of(tmp_path)}
    assert len(first) == summary.kept == 2
    assert summary.notes["filter"]["questions on the cut, dropped"] == 1
    others = []
    for seed in range(1, 9):
        run(tmp_path, questions, "filter", settings=chosen | {"seed": 42}, seed=seed)
        others.append({row["id"] for row in rows_of(tmp_path)})
    assert all(kept == first for kept in others), "the stage's seed decides"


def test_each_answer_is_learnt_in_the_prompt_it_was_given_to(tmp_path):
    questions = mmlu(tmp_path, {"a": SPLIT})
    run(tmp_path, questions, "reweight", weights="none")
    rows = rows_of(tmp_path)
    assert [row["variation"] for row in rows] == [0, 1, 2, 3, 4]
    assert [OPTIONS["ABCD".index(row["answer"])] for row in rows] == SPLIT
    for row, answer in zip(rows, SPLIT):
        letter = row["output"].removeprefix("My choice is ")[0]
        assert row["choices"]["ABCD".index(letter)] == answer
        assert f"\n{letter}. {answer}\n" in row["instruction"]
    heights = [math.exp(share / 0.2) for share in (0.6, 0.2, 0.2)]
    scores = [height / sum(heights) for height in heights]
    assert [row["score"] for row in rows] == pytest.approx([scores[0]] * 3 + scores[1:])
    assert [row["share"] for row in rows] == [0.6, 0.6, 0.6, 0.2, 0.2]


def test_reweight_compiles_its_scores_into_copies(tmp_path):
    questions = mmlu(tmp_path, {"a": SURE, "b": SPLIT, "c": TORN})
    summary = run(tmp_path, questions, "reweight", copies=60)
    rows = rows_of(tmp_path)
    assert len(rows) == summary.rows == summary.notes["weights"]["budget"] == 60
    assert summary.notes["weights"]["largest_deviation"] < 1
    per_weight = summary.notes["weights"]["copies_per_weight"]
    counted = Counter((row["id"], row["variation"], row["weight"]) for row in rows)
    assert all(abs(n - per_weight * w) < 1 for (_, _, w), n in counted.items())
    assert all(row["weight"] == row["score"] for row in rows)
    manifest = json.loads((tmp_path / "data" / "set.manifest.json").read_text())
    assert manifest["weights"] == "score"
    assert manifest["notes"]["weights"] == summary.notes["weights"]
    assert "no val_size" in (tmp_path / "configs" / "set.yaml").read_text()


def test_unreadable_answers_are_a_class_or_a_reason_to_drop(tmp_path):
    questions = mmlu(tmp_path, {"a": SILENT, "b": MUTE, "c": SURE})
    summary = run(tmp_path, questions, "reweight", weights="none")
    rows = [row for row in rows_of(tmp_path) if row["id"] == "a"]
    assert len(rows) == 4, "what cannot be read is not learnt"
    assert rows[0]["entropy"] == pytest.approx(0.5004024)
    assert rows[0]["share"] == 0.8
    assert summary.dropped == {"weak: no readable answer": 1}
    summary = run(tmp_path, questions, "reweight", weights="none", settings={"unreadable": "drop"})
    assert summary.dropped == {"weak: no readable answer": 1, "weak: an unreadable answer": 1}


@pytest.mark.parametrize("empty", ["The answer is: $", "The answer is: \\boxed{}", "", "3 and 4"])
def test_an_answer_that_says_nothing_is_unreadable(empty):
    said = ["The answer is: 3", "The answer is: 6/2", "So 4. The answer is: 4", empty]
    ways = [{"prompt": f"way {k}", "weak": [{"text": text}]} for k, text in enumerate(said)]
    row = {"id": "a", "prompt": "p", "ways": ways}
    kept = judged(row, tasks.get("math"), "class", "entropy", 0.2)
    assert kept["unreadable"] == 1
    assert [ending["share"] for ending in kept["endings"]] == [0.5, 0.5, 0.25]
    assert kept["entropy"] == pytest.approx(1.5 * math.log(2))
    dropped = judged(row, tasks.get("math"), "auto", "entropy", 0.2)
    assert dropped["dropped"] == "weak: an unreadable answer"
    assert dropped["answer"] == "3"


ANSWERS = st.lists(st.sampled_from([*OPTIONS, ""]), min_size=5, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.integers(0, 50).map(str), ANSWERS, min_size=1, max_size=8),
    st.sampled_from(["filter", "reweight", "calibrate", "naive"]),
    st.booleans(),
)
def test_every_question_is_accounted_for(tmp_path_factory, answers, stage, do_sampling):
    folder = tmp_path_factory.mktemp("world")
    questions = mmlu(folder, answers)
    chosen = {"do_sampling": do_sampling} if stage in ("filter", "reweight") else {}
    try:
        summary = run_stage(folder, questions, stage, chosen)
    except W2SError as error:
        if "no row is left" not in str(error):
            raise
        return
    assert summary.kept + sum(summary.dropped.values()) == summary.questions == len(answers)
    if do_sampling and chosen:
        assert len(rows_of(folder)) <= len(answers)
    for row in rows_of(folder):
        assert row["answer"]
        assert "entropy" in row or stage == "naive"


def run_stage(folder, questions, stage, chosen):
    specs = Models({"weak": f"replay:{folder / 'weak.jsonl'}", "strong": MODEL})
    where = {"out": folder / "data", "configs": folder / "configs"}
    return build(
        questions,
        specs,
        method="reliability",
        stage=stage,
        name="set",
        settings=chosen,
        store=folder / "store.sqlite",
        **where,
    )


def test_calibration_is_learnt_from_one_set_and_used_on_another(tmp_path):
    known = mmlu(tmp_path / "known", {"a": SURE, "b": SPLIT, "c": TORN, "d": ["green"] * 5})
    summary = run(tmp_path / "known", known, "calibrate")
    rows = rows_of(tmp_path / "known")
    assert all(row["correct"] == (row["answer"] == "A") for row in rows)
    assert json.loads((tmp_path / "known/data/set.manifest.json").read_text())["gold_seen"]
    assert summary.kept == 4
    questions = mmlu(tmp_path, {"e": SURE, "f": SPLIT}, gold="none")
    chosen = {"score": "calibrated", "calibration": str(tmp_path / "known/data/set.jsonl")}
    run(tmp_path, questions, "reweight", settings=chosen)
    weights = {(row["id"], row["share"]): row["weight"] for row in rows_of(tmp_path)}
    # right at share .2: 0 of 5; .4: 2 of 2, .6: 3 of 3 and 1: 5 of 10 are pooled
    assert weights["e", 1.0] == pytest.approx(10 / 15)
    assert weights["f", 0.6] == pytest.approx(10 / 15)
    assert not json.loads((tmp_path / "data/set.manifest.json").read_text())["gold_seen"]


MISTAKES = {
    "no file": ({"score": "calibrated"}, "score=calibrated needs --set calibration=FILE"),
    "no log-probabilities": ({"by": "entropy_weighted"}, "by=entropy_weighted needs log-prob"),
    "few variations": ({"variations": 1}, "variations must be greater than or equal to 2"),
    "temperature": ({"softmax_temperature": 0}, "softmax_temperature must be greater than 0"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_sentence(tmp_path, mistake):
    chosen, message = MISTAKES[mistake]
    questions = mmlu(tmp_path, {"a": SURE})
    with pytest.raises(W2SError, match=message):
        run(tmp_path, questions, "filter" if "by" in chosen else "reweight", settings=chosen)
    assert not (tmp_path / "data" / "set.jsonl").exists()


def gsm8k(folder, replies):
    """Questions without options, a paraphraser's replies, and weak answers to what is asked."""
    question = "Ada has 3 pens and buys 4. How many has she?"
    write_rows(folder / "questions.jsonl", [{"id": "a", "question": question, "answer": "7"}])
    from w2s_data.prompts import render

    asked = render("complexity_paraphrase", question=question, right=None, wrong=None)
    write_rows(
        folder / "paraphraser.jsonl", [{"prompt": asked, "response": reply} for reply in replies]
    )
    texts = [question, *(reply.removeprefix("Problem: ") for reply in replies)]
    said = [{"prompt": f"Question: {t}\nAnswer:", "response": "It is.\n#### 7"} for t in texts]
    write_rows(folder / "weak.jsonl", said)
    return Questions(tasks.get("gsm8k"), source="file", file=str(folder / "questions.jsonl"))


def test_paraphrases_keep_the_numbers_and_differ(tmp_path):
    replies = [
        "Problem: Ada owns 3 pens, then buys 5. How many pens is that?",
        "Problem: Ada has 3 pens and buys 4. How many has she?",
        "Problem: With 3 pens Ada goes and buys 4 others. How many now?",
        "Ada, pens, 3, 4.",
    ]
    questions = gsm8k(tmp_path, replies)
    paraphraser = {"paraphraser": f"replay:{tmp_path / 'paraphraser.jsonl'}"}
    chosen = {"variations": 3}
    with pytest.raises(W2SError, match="1 fewer than 3 ways to ask the question"):
        run(tmp_path, questions, "filter", models=paraphraser, settings=chosen)
    chosen = {"variations": 2}
    questions = gsm8k(tmp_path, replies[1:3])
    summary = run(tmp_path, questions, "filter", models=paraphraser, settings=chosen)
    assert summary.notes["paraphrases rejected"] == {"words are the same": 1}
    assert [row["instruction"].split("\n")[0] for row in rows_of(tmp_path)] == [
        "Question: Ada has 3 pens and buys 4. How many has she?",
        "Question: With 3 pens Ada goes and buys 4 others. How many now?",
    ]


def test_without_a_paraphraser_the_way_out_is_named(tmp_path):
    questions = gsm8k(tmp_path, [])
    with pytest.raises(W2SError, match="--role paraphraser=MODEL"):
        run(tmp_path, questions, "filter")
