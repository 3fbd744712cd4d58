"""Audits of sets whose right and wrong labels are known."""

import json
from dataclasses import asdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_build import run, say, world

from w2s_data import factory, tasks
from w2s_data.audit import audit, side_by_side
from w2s_data.errors import W2SError
from w2s_data.io import write_rows
from w2s_data.steps.interval import wilson
from w2s_data.tally import BINS, VERDICTS, Points

GSM8K = tasks.get("gsm8k")
SAID = {
    "right": "So it is.\n#### 1",
    "wrong": "So it is.\n#### 2",
    "silent": "I do not know",
    "undecided": "So it is.\n#### 1 meter",
}
GOLD = {"answer": "1 mile"}  # 1 is 1 mile, 2 is not, and meters against miles cannot be decided


def ask(i):
    return f"Question: What is {i}?\nAnswer:"


@pytest.fixture(scope="module")
def gold(tmp_path_factory):
    """Thirty questions: the answer is always 1 mile, the level a digit, two subjects."""
    path = tmp_path_factory.mktemp("gold") / "gold.jsonl"
    rows = [
        {"id": f"q{i}", "question": f"What is {i}?", "level": i % 3, "subject": "xy"[i % 2]} | GOLD
        for i in range(30)
    ]
    write_rows(path, rows)
    return path


def written(folder, rows, stage="sft", name="set", format="alpaca"):
    """A LLaMA-Factory set of these rows, without a manifest."""
    records = []
    for row in rows:
        extras = sorted(row.keys() - {"id", "prompt", "response", "chosen", "rejected", "kto_tag"})
        records += factory.records(row, stage, format, extras)
    write_rows(folder / f"{name}.jsonl", records)
    factory.register(folder, name, factory.entry(stage, format, f"{name}.jsonl"))
    return folder


def one(folder, gold, **given):
    return audit(["set"], gold=gold, folder=folder, task=GSM8K, **given)[0]


DRAWN = st.lists(st.tuples(st.integers(0, 29), st.sampled_from(VERDICTS)), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(DRAWN, st.sampled_from(factory.FORMATS))
def test_labels_are_counted_as_they_are(tmp_path_factory, gold, drawn, format):
    rows = [{"id": f"q{i}", "prompt": ask(i), "response": SAID[said]} for i, said in drawn]
    found = one(written(tmp_path_factory.mktemp("set"), rows, format=format), gold)
    questions = len({i for i, _ in drawn})
    assert (found.labels.rows, found.labels.questions) == (len(drawn), questions)
    for verdict in VERDICTS:
        share = getattr(found.labels, verdict)
        count = sum(said == verdict for _, said in drawn)
        assert (share.count, share.of) == (count, len(drawn))
        assert share.interval == wilson(count / len(drawn), questions)
    for kind, groups in found.by.items():
        assert sum(group.rows for group in groups.values()) == len(drawn), kind
    levels = {str(i % 3) for i, _ in drawn}
    assert found.by["level"].keys() == levels
    for level in levels:
        count = sum(said in ("wrong", "silent") for i, said in drawn if i % 3 == int(level))
        assert found.by["level"][level].error.count == count


PAIRS = {
    ("right", "wrong"): "correct",
    ("right", "silent"): "correct",
    ("right", "right"): "both_right",
    ("wrong", "silent"): "neither_right",
    ("silent", "right"): "inverted",
    ("undecided", "wrong"): "undecided",
    ("right", "undecided"): "undecided",
}


@pytest.mark.parametrize(("said", "kind"), PAIRS.items(), ids=map(" ".join, PAIRS))
def test_pairs_are_of_one_kind(tmp_path, gold, said, kind):
    texts = [f"{SAID[verdict]} " + " " * (side == 0) for side, verdict in enumerate(said)]
    row = {"id": "q0", "prompt": ask(0), "chosen": texts[0], "rejected": f"Well. {texts[1]}"}
    pairs = one(written(tmp_path, [row], "dpo"), gold).pairs
    kinds = ("correct", "both_right", "neither_right", "inverted", "undecided")
    assert [k for k in kinds if getattr(pairs, k).count] == [kind]
    assert pairs.chosen_right.count == (said[0] == "right")
    assert pairs.rejected_wrong.count == (said[1] in ("wrong", "silent"))


def test_lengths_of_pairs(tmp_path, gold):
    sizes = [(40, 30), (40, 60), (50, 50), (70, 30)]
    rows = [
        {"id": f"q{i}", "prompt": ask(i)}
        | {"chosen": SAID["right"].rjust(a), "rejected": SAID["wrong"].rjust(b)}
        for i, (a, b) in enumerate(sizes)
    ]
    found = one(written(tmp_path, rows, "dpo"), gold).lengths
    assert (found.chosen, found.rejected) == (50, 42.5)
    assert found.chosen_longer.share == 0.5
    assert (found.right, found.wrong) == (50, None)


def test_a_kto_label_is_the_tag(tmp_path, gold):
    told = [("right", True), ("wrong", True), ("wrong", False), ("right", False)]
    told += [("silent", False), ("undecided", False)]
    rows = [
        {"id": f"q{i}", "prompt": ask(i), "response": SAID[said], "kto_tag": tag}
        for i, (said, tag) in enumerate(told)
    ]
    found = one(written(tmp_path, rows, "kto"), gold)
    assert {v: getattr(found.labels, v).count for v in VERDICTS} == {
        "right": 3,
        "wrong": 2,
        "silent": 0,
        "undecided": 1,
    }
    assert found.by["kto_tag"]["False"].right.count == 2


def test_rows_go_by_id_or_by_prompt_and_strangers_are_counted(tmp_path, gold):
    rows = [
        {"id": "q1", "prompt": "another prompt", "response": SAID["right"]},
        {"id": "else", "prompt": ask(2), "response": SAID["right"]},
        {"id": "stranger", "prompt": "who?", "response": SAID["right"]},
    ]
    found = one(written(tmp_path, rows), gold)
    assert (found.labels.rows, found.unmatched) == (2, 1)
    with pytest.raises(W2SError, match="none of its 1 rows answers a question of"):
        one(written(tmp_path, rows[2:]), gold)


def test_precision_and_recall_against_the_set_before_the_filter(tmp_path, gold):
    said = ["right"] * 6 + ["wrong"] * 3 + ["silent"]
    rows = [
        {"id": f"q{i}", "prompt": ask(i), "response": SAID[s], "side": "weak" if i < 2 else "icl"}
        for i, s in enumerate(said)
    ]
    written(tmp_path, rows, name="all")
    written(tmp_path, rows[:4] + rows[6:7])
    found = one(tmp_path, gold, before="all")
    assert (found.filter.precision.count, found.filter.precision.of) == (4, 5)
    assert (found.filter.recall.count, found.filter.recall.of) == (4, 6)
    assert (found.filter.lost.count, found.filter.lost.of) == (2, 5)
    assert found.filter.reasons["in all only"].silent.count == 1
    assert found.by["side"]["weak"].right.share == 1
    assert one(tmp_path, gold).filter is None


def test_a_build_s_dropped_rows_tell_what_the_filter_lost(tmp_path):
    """Weak and strong agree on the first two, wrongly on the second; the others are dropped."""
    answers = {"a": (1, 1), "b": (2, 2), "c": (1, 2), "d": (3, 1), "e": (None, 1)}
    specs = world(tmp_path, {i: (say(w), say(s), []) for i, (w, s) in answers.items()})
    run(tmp_path, specs, "sft", settings={"side": "weak"})
    rows = [{"id": i, "question": f"What is {i}?", "answer": "1"} for i in answers]
    write_rows(tmp_path / "gold.jsonl", rows)
    found = one(tmp_path / "data", tmp_path / "gold.jsonl")
    assert (found.filter.precision.count, found.filter.precision.of) == (1, 2)
    assert (found.filter.recall.count, found.filter.recall.of) == (1, 2)
    reasons = found.filter.reasons
    assert (reasons["answers different"].right.count, reasons["answers different"].rows) == (1, 2)
    assert reasons["weak: no answer"].silent.count == 1
    assert found.filter.unknown == 0


def test_a_build_s_own_gold_and_its_confidence(tmp_path):
    """Stage II on five questions whose gold answer is 1; `task` finds gold where the set was
    built from, and confidence counts for dropped questions, too."""
    votes = {"a": [1] * 5, "b": [1, 1, 1, 1, 2], "c": [2, 2, 2, 1, 1], "d": [1, 1, 2, 3, 0]}
    specs = world(
        tmp_path,
        {
            i: (say(2 if i == "b" else 1), "", [f"Try {k}. {say(v)}" for k, v in enumerate(said)])
            for i, said in votes.items()
        },
    )
    rows = [{"id": i, "question": f"What is {i}?", "answer": "1"} for i in votes]
    write_rows(tmp_path / "questions.jsonl", rows)
    run(tmp_path, specs, settings={"n": 5})
    found = audit(["set"], gold="task", folder=tmp_path / "data")[0]
    assert found.labels.rows == found.pairs.correct.count == 1  # b: overruled
    confidence = found.measures["confidence"]
    shares = {b.mean: b.labels.right.share for b in confidence.bins}
    assert shares == {0.4: 1, 0.6: 0, 0.8: 1, 1.0: 1}
    assert confidence.auroc == 2 / 3
    assert confidence.error == pytest.approx((0.6 + 0.6 + 0.2 + 0) / 4)


def test_undecided_is_no_error_anywhere(tmp_path, gold):
    rows = [
        {"id": f"q{i}", "prompt": ask(i), "response": SAID["undecided"], "confidence": 0.5}
        for i in range(4)
    ]
    found = one(written(tmp_path, rows), gold)
    assert found.labels.undecided.count == 4
    assert found.labels.wrong.count == found.by["level"]["0"].wrong.count == 0
    assert found.measures["confidence"].auroc is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(VERDICTS)), min_size=1, max_size=60))
def test_measures_against_their_definitions(points):
    column = Points()
    for place, (value, verdict) in enumerate(points):
        column.add(value, verdict, str(place))
    found = column.measure(probability=True)
    assert sum(b.labels.rows for b in found.bins) == len(points)
    assert len(found.bins) <= max(BINS, 12)
    right = [v for v, verdict in points if verdict == "right"]
    others = [v for v, verdict in points if verdict in ("wrong", "silent")]
    if right and others:
        wins = sum((a > b) + (a == b) / 2 for a in right for b in others)
        assert found.auroc == pytest.approx(wins / len(right) / len(others))
    for b in found.bins:
        inside = [verdict for value, verdict in points if b.low <= value <= b.high]
        assert b.labels.rows == len(inside)
        assert b.labels.right.count == inside.count("right")
    gaps = sum(abs(b.labels.right.share - b.mean) * b.labels.rows for b in found.bins)
    assert found.error == pytest.approx(gaps / len(points))


def test_columns_are_measures_or_kinds(tmp_path, gold):
    rows = [
        {"id": f"q{i}", "prompt": ask(i), "response": SAID["right" if i % 4 else "wrong"]}
        | {"entropy": i / 10, "note": f"many {i}", "side": "weak", "tries": i}
        for i in range(30)
    ]
    found = one(written(tmp_path, rows), gold)
    assert found.measures.keys() == {"entropy"}
    assert found.measures["entropy"].error is None
    assert found.by.keys() == {"level", "subject", "side"}


def test_a_letter_is_that_of_the_options_shown(tmp_path):
    """Rows that permute the options bring their own; gold names the original's letter."""
    asked = {"id": "q", "question": "Which?", "choices": ["red", "blue", "green"], "answer": "B"}
    write_rows(tmp_path / "gold.jsonl", [asked])
    rows = [
        {"id": "q", "prompt": "Which?", "response": f"My choice is {letter}."} | own
        for letter, own in [
            ("B", {}),
            ("A", {"choices": ["blue", "red", "green"]}),
            ("B", {"choices": ["blue", "red", "green"]}),
        ]
    ]
    records = []
    for row in rows:
        records += factory.records(row, "sft", extras=["choices"] if "choices" in row else [])
    write_rows(tmp_path / "set.jsonl", records)
    factory.register(tmp_path, "set", factory.entry("sft", "alpaca", "set.jsonl"))
    gold, task = tmp_path / "gold.jsonl", tasks.get("arc_challenge")
    found = audit(["set"], gold=gold, folder=tmp_path, task=task)[0]
    assert (found.labels.right.count, found.labels.wrong.count) == (2, 1)


def test_several_sets_side_by_side_and_as_json(tmp_path, gold):
    for name, said in (("one", "right"), ("two", "wrong")):
        row = {"id": "q0", "prompt": ask(0), "response": SAID[said], "confidence": 0.9}
        written(tmp_path, [row], name=name)
    both = audit(["one", "two"], gold=gold, folder=tmp_path, task=GSM8K)
    assert [a.labels.right.share for a in both] == [1, 0]
    assert [json.loads(json.dumps(asdict(a)))["name"] for a in both] == ["one", "two"]
    table = side_by_side(both)
    assert table["labels: right"] == {
        "one": "100.0 (20.7-100.0) of 1",
        "two": "0.0 (0.0-79.3) of 1",
    }
    assert table["right by confidence: 0.9"]["one"] == "100.0 (20.7-100.0) of 1"


@pytest.mark.parametrize(
    ("given_options", "message"),
    [
        ({"gold": "mathh"}, "unknown gold (and no such file): 'mathh': did you mean 'math'?"),
        ({"before": "al"}, "unknown set 'al'"),
        ({"split": "tset"}, "unknown split 'tset': did you mean 'test'?"),
    ],
)
def test_mistakes(tmp_path, gold, given_options, message):
    written(tmp_path, [{"id": "q0", "prompt": ask(0), "response": SAID["right"]}])
    with pytest.raises(W2SError) as error:
        audit(["set"], folder=tmp_path, **{"gold": gold, "task": GSM8K} | given_options)
    assert message in str(error.value)
