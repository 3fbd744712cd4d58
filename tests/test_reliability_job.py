"""run/reliability.sh at a small size: bundled models answer, llamafactory-cli trains."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

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


@pytest.mark.timeout(2400)
def test_the_narrative_of_paper_three_at_a_small_size(tmp_path):
    settings = {"SEEDS": "1", "LIMIT": "60", "OUT": str(tmp_path / "run")}
    done = subprocess.run(
        ["bash", ROOT / "run/reliability.sh"],
        env=ENVIRONMENT | settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = (tmp_path / "run/table.md").read_text("utf-8")
    names = re.findall(r"^\| (\w+) \|", table, re.MULTILINE)
    assert names == ["floor", "naive", "filter", "reweight", "ceiling"]
    seed = tmp_path / "run/seed-1"
    for name in names:
        trained = json.loads((seed / "saves" / name / "train_results.json").read_text("utf-8"))
        assert 0 < trained["train_loss"] < 5
    manifest = json.loads((seed / "data/reweight.manifest.json").read_text("utf-8"))
    weights = manifest["notes"]["weights"]
    assert weights["budget"] == manifest["counts"]["rows"] <= 60
    assert weights["mean_deviation"] <= weights["largest_deviation"] < 1
    answers = (seed / "data/answers.jsonl").read_text("utf-8").splitlines()
    counted = re.findall(
        r"^\| [\d.]+ \| ([\d,]+) \| ([\d,]+) \|", (tmp_path / "run/entropy.md").read_text(), re.M
    )
    assert sum(int(right) + int(wrong) for right, wrong in counted) == 3 * len(answers) > 0


def test_a_model_that_gives_log_probabilities_gives_every_entropy(tmp_path):
    settings = {"variations": 3, "logprobs": "true", "by": "entropy_weighted", "rule": "exactly"}
    command = [BIN / "w2s-data", "build", "--method", "reliability", "--stage", "filter"]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    done = subprocess.run(
        [*command, "--limit", "12", "--name", "set", "--json"],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    read = [
        json.loads(line)
        for kind in ("set.jsonl", "set.dropped.jsonl")
        for line in (tmp_path / "data" / kind).read_text("utf-8").splitlines()
    ]
    rows = [row for row in read if "entropy" in row]
    kept = {row["id"] for row in rows if "output" in row}
    assert len(kept) == round(len({row["id"] for row in rows}) / 2)
    for row in rows:
        assert 0 <= row["entropy_weighted"] <= math.log(3) + 1e-9
        assert row["entropy_semantic"] > 0
        assert (row["entropy_weighted"] < 1e-12) == (row["entropy"] == 0)
    highest = max(row["entropy_weighted"] for row in rows if row["id"] in kept)
    assert all(r["entropy_weighted"] >= highest for r in rows if r["id"] not in kept)
