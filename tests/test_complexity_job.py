"""Guiding Through Complexity for real: bundled models answer, llamafactory-cli trains."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from w2s_data import recipe

pytest.importorskip("torch", reason="needs the extra hf")

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {
    "PATH": f"{BIN}:{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


def run(*command, cwd, **environment):
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def rows(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_pairs_go_out_in_the_published_format_and_come_back(tmp_path):
    """dpo set -> published file -> supervision at an exact rate, without gold."""
    build = (BIN / "w2s-data", "build", "--method", "complexity", "--quiet")
    run(*build, "--stage", "dpo", "--limit", 60, "--name", "pairs", cwd=tmp_path)
    made = rows(tmp_path / "data/pairs.jsonl")
    manifest = json.loads((tmp_path / "data/pairs.manifest.json").read_text("utf-8"))
    assert manifest["gold_seen"] is True
    counts = manifest["counts"]
    assert counts["kept"] + sum(counts["dropped"].values()) == counts["questions"] == 60
    run(BIN / "w2s-data", "pairs", "data/pairs.jsonl", "published.json", cwd=tmp_path)
    entries = json.loads((tmp_path / "published.json").read_text("utf-8"))
    assert len(entries) == counts["kept"]
    assert sum(len(entry) - 1 for entry in entries) == len(made)
    strong = "hf:bundled/strong+bundled/student"
    run(
        *(*build, "--stage", "published_sft", "--questions", "published.json", "--name", "again"),
        *("--field", "question=original.task", "--set", "pairs=published.json"),
        *("--set", "kind=full+sub", "--set", "error_rate=0.5", "--set", "budget=12"),
        *("--strong", strong),
        cwd=tmp_path,
    )
    again = rows(tmp_path / "data/again.jsonl")
    assert len(again) == 12
    full = [row for row in again if row["part"] == "full"]
    assert [row["outcome"] for row in full].count("wrong") == 3
    assert {row["parent"] for row in again} == {row["id"] for row in full}
    by_id = {row["id"]: row for row in made}
    for row in again:
        side = "chosen" if row["outcome"] == "right" else "rejected"
        assert row["output"] == by_id[row["id"]][side]
        assert row["instruction"] == by_id[row["id"]]["instruction"]
    manifest = json.loads((tmp_path / "data/again.manifest.json").read_text("utf-8"))
    assert manifest["gold_seen"] is False
    values = yaml.safe_load((tmp_path / "factory_configs/again.yaml").read_text("utf-8"))
    assert values["adapter_name_or_path"].endswith("bundled/models/student")


def test_the_papers_values_train_whole_models():
    values = recipe.recipe(
        "sft",
        model="llama-3.1-8b",
        dataset="d",
        output_dir="o",
        finetuning="full",
        paper="complexity",
    )
    assert values["learning_rate"] == 2e-5
    assert values["num_train_epochs"] == 2
    assert values["cutoff_len"] == 2048
    assert values["per_device_train_batch_size"] * values["gradient_accumulation_steps"] == 16
    bundled = recipe.recipe("sft", model="strong", dataset="d", output_dir="o", paper="complexity")
    assert bundled["learning_rate"] == 2e-3


@pytest.mark.train
def test_the_narrative_at_a_small_size(tmp_path):
    """Foundation, one error rate, clean subtasks, both supplements and both severities."""
    pytest.importorskip("llamafactory", reason="needs the extra train")
    sizes = {"SEEDS": "1", "LIMIT": "200", "BUDGET": "32", "SAMPLES": "3", "TEST": "40"}
    sizes |= {"RATES": "0.5", "EPOCHS": "1", "OUT": str(tmp_path / "run")}
    run("bash", ROOT / "run/complexity.sh", cwd=tmp_path, **sizes)
    table = (tmp_path / "run/table.md").read_text("utf-8")
    names = re.findall(r"^\| ([\w.]+) \|", table, re.MULTILINE)
    mixed = ["full_0.5_sub", "full_0.5_paraphrase", "full_0.5_mild", "full_0.5_grave"]
    assert names == ["foundation", "full_0.5", "sub_0", *mixed]
    seed = tmp_path / "run/seed-1"
    for name in names:
        assert json.loads((seed / f"{name}.score.json").read_text("utf-8"))["questions"] == 40
        trained = json.loads((seed / "saves" / name / "train_results.json").read_text("utf-8"))
        assert 0 < trained["train_loss"] < 5
        manifest = json.loads((seed / "data" / f"{name}.manifest.json").read_text("utf-8"))
        assert manifest["gold_seen"] is True
        if name != "foundation":
            assert manifest["counts"]["rows"] == 32
    found = {name: rows(seed / "data" / f"{name}.jsonl") for name in names}
    wrong = {name: sum(r.get("outcome") == "wrong" for r in found[name]) for name in names}
    assert [wrong[name] for name in names] == [0, 16, 0, 8, 16, 16, 16]
    mild, grave = (found[f"full_0.5_{severity}"] for severity in ("mild", "grave"))
    assert [row["id"] for row in mild] == [row["id"] for row in grave]
    assert sum(r["wrong_steps"] for r in mild) < sum(r["wrong_steps"] for r in grave)
