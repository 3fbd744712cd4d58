"""--weights, --copies, --eval-share and --v1 in whole builds of any method and stage."""

import json
from collections import Counter
from pathlib import Path

import pytest
from test_build import rows_of, run, say, world

from w2s_data import factory
from w2s_data.errors import W2SError
from w2s_data.io import read_rows

# The student's ten votes: 8, 6 or 10 for the majority; the weak model agrees.
VOTES = {"a": (1,) * 8 + (2,) * 2, "b": (1,) * 6 + (2,) * 4, "c": (1,) * 9 + (2,)}
CASES = {
    i: (say(1), say(1), [f"Try {k}. {say(v)}" for k, v in enumerate(votes)])
    for i, votes in VOTES.items()
}
TEN = {"settings": {"n": 10}}


@pytest.mark.parametrize("stage", ["dpo", "orpo", "kto"])
@pytest.mark.parametrize(("weights", "each"), [("share", (8, 6, 9)), ("column:confidence", None)])
def test_pairs_are_copied_by_their_weight(tmp_path, stage, weights, each):
    specs = world(tmp_path, CASES)
    summary = run(tmp_path, specs, stage, weights=weights, copies=23, **TEN)
    rows = rows_of(tmp_path)
    records = 2 if stage == "kto" else 1
    assert summary.rows == 23
    counted = Counter(row["id"] for row in rows)
    assert counted == {i: n * records for i, n in zip("abc", each or (8, 6, 9))}
    assert {row["id"]: row["weight"] for row in rows} == {"a": 0.8, "b": 0.6, "c": 0.9}
    assert summary.notes["weights"]["largest_deviation"] == pytest.approx(0)


def test_entropy_weighs_the_sure_more(tmp_path):
    run(tmp_path, world(tmp_path, CASES), weights="entropy", copies=60, **TEN)
    counted = Counter(row["id"] for row in rows_of(tmp_path))
    assert counted["c"] > counted["a"] > counted["b"] > 0


def test_evaluation_rows_are_split_off_by_prompt_and_registered(tmp_path):
    cases = {str(i): CASES["abc"[i % 3]] for i in range(60)}
    specs = world(tmp_path, cases)
    summary = run(tmp_path, specs, weights="share", copies=200, eval_share=0.2, **TEN)
    train, held = rows_of(tmp_path), rows_of(tmp_path, "set.eval.jsonl")
    assert len(train) == 200
    assert len(held) == summary.eval_rows == len({row["id"] for row in held})
    assert not {row["instruction"] for row in train} & {row["instruction"] for row in held}
    assert {row["id"] for row in [*train, *held]} == set(cases)
    info = json.loads((tmp_path / "data" / factory.INFO).read_text())
    assert info["set_eval"]["file_name"] == "set.eval.jsonl"
    assert info["set_eval"]["columns"] == info["set"]["columns"]
    recipe = (tmp_path / "configs" / "set.yaml").read_text()
    assert "eval_dataset: set_eval" in recipe
    assert "val_size:" not in recipe
    manifest = json.loads((tmp_path / "data" / "set.manifest.json").read_text())
    assert manifest["counts"]["eval_rows"] == len(held)
    assert "set.eval.jsonl" in manifest["files"]


def test_the_v1_file_holds_each_row_once_with_its_weight(tmp_path):
    specs = world(tmp_path, CASES)
    chosen = {"settings": {"side": "weak"}, "weights": "column:trust", "v1": True}
    with pytest.raises(W2SError, match="has no 'trust'; columns with numbers: none"):
        run(tmp_path, specs, "sft", **chosen)
    row = {"id": "a", "prompt": "Question: 1?\nAnswer:", "response": "1", "weight": 0.25}
    record = factory.v1_record(row)
    assert [m["role"] for m in record["messages"]] == ["user", "assistant"]
    assert [m["loss_weight"] for m in record["messages"]] == [0.0, 0.25]
    assert record["messages"][1]["content"] == [{"type": "text", "value": "1"}]


def test_llamafactory_v1_reads_the_file(tmp_path):
    pytest.importorskip("llamafactory", reason="needs the extra train")
    from llamafactory.v1.core.data_engine import DataEngine

    from w2s_data.io import write_rows

    row = {"id": "a", "prompt": "Question: 1?\nAnswer:", "response": "1", "weight": 0.25}
    write_rows(tmp_path / "set.v1.jsonl", [factory.v1_record(row)])
    sample = DataEngine(str(tmp_path / "set.v1.jsonl"))[0]
    assert [m["loss_weight"] for m in sample["messages"]] == [0.0, 0.25]
    assert sample["messages"][1]["content"][0]["value"] == "1"


WRONG = {
    "unknown": ({"weights": "shares"}, "unknown weights 'shares': did you mean 'share'"),
    "copies alone": ({"copies": 5}, "--copies and --v1 need weights"),
    "v1 alone": ({"v1": True}, "--copies and --v1 need weights"),
    "v1 of pairs": ({"weights": "share", "v1": True}, "v1 trainer takes SFT rows alone, not dpo"),
    "share": ({"eval_share": 1.0}, r"eval_share must be in \[0, 1\), was: 1.0"),
    "column": ({"weights": "score"}, "row 'a' has no 'score'; columns with numbers: confidence"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_go_together_is_one_sentence(tmp_path, case):
    chosen, message = WRONG[case]
    with pytest.raises(W2SError, match=message):
        run(tmp_path, world(tmp_path, CASES), **TEN, **chosen)
    assert not (tmp_path / "data" / "set.jsonl").exists()


def test_a_build_with_drops_is_shown_as_json(tmp_path, monkeypatch, capsys):
    from w2s_data import show

    cases = CASES | {"d": (say(1), say(1), [say(1)] * 10)}
    show.as_json(run(tmp_path, world(tmp_path, cases), **TEN))
    shown = json.loads(capsys.readouterr().out)
    assert shown["dropped"] == {"too easy: no sample has another answer": 1}


def test_a_weighted_rebuild_is_byte_identical(tmp_path):
    specs = world(tmp_path, CASES)
    first = run(tmp_path, specs, weights="share", copies=50, **TEN)
    before = {kind: Path(path).read_bytes() for kind, path in first.files.items()}
    again = run(tmp_path, specs, weights="share", copies=50, **TEN)
    assert {kind: Path(path).read_bytes() for kind, path in again.files.items()} == before
    assert len(list(read_rows(first.files["set"]))) == 50
