"""Nothing at severity error on what this package builds, for every kind of set."""

import json

import pytest

from w2s_data import tasks
from w2s_data.build import Models, Questions, build
from w2s_data.check import check
from w2s_data.io import write_rows

STAGES = ["sft", "dpo", "orpo", "simpo", "kto"]


def recorded(folder, stage, format):
    """A build over recorded responses: sums, some of them wrong."""
    asked = [(f"{i}", f"A farmer has {i} hens and buys {i + 2} more. How many?") for i in range(12)]
    write_rows(folder / "questions.jsonl", [{"id": i, "question": text} for i, text in asked])

    def said(i, k, wrong):
        total = 2 * int(i) + 2 + wrong
        return f"Way {k}: {i} and {int(i) + 2} are {total}.\n#### {total}"

    def responses(name, samples):
        rows = [
            {"prompt": f"Question: {text}\nAnswer:", "response": said(i, f"{name} {k}", wrong)}
            for i, text in asked
            for k, wrong in enumerate(samples(int(i)))
        ]
        write_rows(folder / f"{name}.jsonl", rows)
        return f"replay:{folder / name}.jsonl"

    specs = {
        "weak": responses("weak", lambda i: [i % 3 == 0]),
        "strong": responses("strong", lambda i: [i % 5 == 0]),
        "student": responses("student", lambda i: [0, 0, 0, 0, 1]),
    }
    roles = ("weak", "strong") if stage == "sft" else ("weak", "student")
    settings = {"shots": 0} if stage == "sft" else {"n": 5}
    return build(
        Questions(tasks.get("gsm8k"), source="file", file=str(folder / "questions.jsonl")),
        Models({role: specs[role] for role in roles}),
        stage=stage,
        settings=settings,
        name="set",
        out=folder / "data",
        configs=folder / "configs",
        store=folder / "store.sqlite",
        format=format,
    )


@pytest.mark.parametrize("format", ["alpaca", "sharegpt"])
@pytest.mark.parametrize("stage", STAGES)
def test_recorded_builds(tmp_path, stage, format):
    summary = recorded(tmp_path, stage, format)
    found = check(tmp_path / "data", task="gsm8k", ask_trainer=False)
    assert [(one.code, one.message) for one in found.of("error")] == []
    assert found.sets["set"].rows == summary.rows * (2 if stage == "kto" else 1)
    edited = tmp_path / "data" / "set.jsonl"
    edited.write_text(edited.read_text() + "\n")
    found = check(tmp_path / "data", task="gsm8k", ask_trainer=False)
    assert [one.code for one in found.of("error")] == ["M101"]


def test_a_bundled_build_with_its_recipe(tmp_path, monkeypatch):
    """Ground truth of the bundled questions, with the recipe, the real tokenizer and template."""
    pytest.importorskip("llamafactory", reason="needs the extra `train`")
    summary = build(
        Questions(tasks.get("math"), split="train_1", limit=30),
        Models({}),
        method="baselines",
        stage="floor",
        name="floor",
        out=tmp_path / "data",
        configs=tmp_path / "configs",
        store=tmp_path / "store.sqlite",
    )
    found = check(recipe=summary.files["recipe"])
    assert found.skipped == []
    assert [(one.code, one.message) for one in found.of("error")] == []
    assert found.sets["floor"] == (30, [], None)
    manifest = json.loads((tmp_path / "data" / "floor.manifest.json").read_text())
    assert manifest["gold_seen"] is True
