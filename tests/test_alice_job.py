"""Alice's two narratives at a small size: bundled models answer, llamafactory-cli trains."""

import json
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
SETTINGS = {"SEEDS": "1", "LIMIT": "160", "SAMPLES": "5", "EPOCHS": "4"}


def narrate(script, folder, **settings):
    environment = os.environ | SETTINGS | {"OUT": str(folder), **settings}
    environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", ROOT / "run" / script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.timeout(1800)  # 40 processes, one after the other: 6 minutes of one core
def test_the_narratives_of_alice_at_a_small_size(tmp_path):
    """Teacher, baselines, Alice, DPO and ceiling; then the cascade beside them in one table."""
    folder = tmp_path / "run"
    assert narrate("alice.sh", folder).count("seed 1: training") == 7
    trained = re.findall("training (.*)", narrate("alice_cascade.sh", folder))
    assert trained == ["cascade_1", "cascade_2"], "floor and ceiling are not trained again"
    names = re.findall(r"^\| (\w+) \|", (folder / "table.md").read_text("utf-8"), re.MULTILINE)
    alice = ["floor", "w2s_qa", "w2s_cot", "alice", "alice_dpo"]
    assert names == [*alice, "cascade_1", "cascade_2", "ceiling"]
    seed, questions = folder / "seed-1", {}
    for name in names:
        score = json.loads((seed / f"{name}.score.json").read_text("utf-8"))
        assert score["questions"] == score["responses"] == 160
        manifest = json.loads((seed / f"data/{name}.manifest.json").read_text("utf-8"))
        assert manifest["gold_seen"] == (name in ("floor", "ceiling"))
        counts = manifest["counts"]
        assert counts["kept"] + sum(counts["dropped"].values()) == counts["questions"]
        questions[name] = counts["questions"], manifest.get("part")
    assert questions["alice"] == (160, None)
    assert [questions[f"cascade_{k}"] for k in (1, 2)] == [(80, "1/2"), (80, "2/2")]
    middle = json.loads((seed / "data/cascade_2.manifest.json").read_text("utf-8"))["models"]
    assert middle["teacher"]["spec"] == "hf:bundled/middle+saves/cascade_1"


@pytest.mark.parametrize("script", ["alice.sh", "alice_cascade.sh"])
def test_without_training_the_first_sets_are_built(tmp_path, script):
    assert "then run this again" in narrate(script, tmp_path, TRAIN="no")
    assert (tmp_path / "seed-1/data/floor.jsonl").exists()
    assert not (tmp_path / "table.md").exists()


@pytest.mark.parametrize(
    "script", sorted(p.name for p in (ROOT / "run").glob("*.sh") if "narrative.sh" in p.read_text())
)
def test_a_narrative_on_hub_data_goes_as_far_as_its_first_set(tmp_path, script):
    settings = {"SOURCE": "hub", "W2S_HUB": str(tmp_path), "OUT": str(tmp_path / "run")}
    environment = {k: v for k, v in os.environ.items() if k != "LIMIT"} | settings
    environment |= {"PATH": f"{BIN}:{os.environ['PATH']}", "SEEDS": "1"}
    done = subprocess.run(
        ["bash", ROOT / "run" / script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert str(tmp_path) in " ".join(done.stderr.split())
