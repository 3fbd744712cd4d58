"""The main job for real: bundled models answer, llamafactory-cli trains, the student is scored."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("llamafactory", reason="needs the extra train")

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
ENVIRONMENT = os.environ | {
    "PATH": f"{BIN}:{os.environ['PATH']}",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


def run(*command, cwd):
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def losses(folder):
    lines = (folder / "trainer_log.jsonl").read_text("utf-8").splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def test_the_default_set_is_built_and_trained(tmp_path):
    """README's main command on the first 400 questions, then the command its summary names."""
    shown = run(
        BIN / "w2s-data", "build", "--stage", "dpo", "--task", "math", "--limit", 400, cwd=tmp_path
    )
    assert "hf:bundled/strong+bundled/student" in shown
    assert "llamafactory-cli train factory_configs/math_reasoning_dpo.yaml" in shown
    manifest = json.loads((tmp_path / "data/math_reasoning_dpo.manifest.json").read_text("utf-8"))
    counts = manifest["counts"]
    assert counts["kept"] + sum(counts["dropped"].values()) == counts["questions"] == 400
    assert 40 < counts["kept"] < 360
    assert manifest["gold_seen"] is False
    run(
        BIN / "llamafactory-cli",
        "train",
        "factory_configs/math_reasoning_dpo.yaml",
        "logging_steps=1",
        "plot_loss=false",
        cwd=tmp_path,
    )
    values = losses(tmp_path / "saves/math_reasoning_dpo")
    assert values[0] == pytest.approx(math.log(2), abs=0.01)
    assert fmean(values[-5:]) < fmean(values[:5]) - 0.02


def test_the_narrative_of_paper_one_at_a_small_size(tmp_path):
    """Weak, naive, stage I twice, DPO, ORPO and the ceiling are trained and scored in a table."""
    settings = {"SEEDS": "1", "LIMIT": "300", "OUT": str(tmp_path / "run")}
    done = subprocess.run(
        ["bash", ROOT / "run/weak_to_strong_reasoning.sh"],
        env=ENVIRONMENT | settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = (tmp_path / "run/table.md").read_text("utf-8")
    names = re.findall(r"^\| (\w+) \|", table, re.MULTILINE)
    assert names == ["floor", "naive", "stage1", "stage1_again", "dpo", "orpo", "ceiling"]
    seed = tmp_path / "run/seed-1"
    for name in names:
        score = json.loads((seed / f"{name}.score.json").read_text("utf-8"))
        assert score["questions"] == score["responses"] == 300
        trained = json.loads((seed / "saves" / name / "train_results.json").read_text("utf-8"))
        assert 0 < trained["train_loss"] < 5
    ceiling = json.loads((seed / "ceiling.score.json").read_text("utf-8"))
    floor = json.loads((seed / "floor.score.json").read_text("utf-8"))
    assert ceiling["accuracy"] > floor["accuracy"]
