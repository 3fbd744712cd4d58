"""EleutherAI's narrative for real, small: bundled models, hidden states, llamafactory-cli."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("sklearn", reason="needs the extra probe")
pytest.importorskip("llamafactory", reason="needs the extra train")

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def test_the_narrative_at_a_small_size(tmp_path):
    """Floor, ceiling, soft labels, a probe and a round are trained and compared."""
    settings = {"SEEDS": "1", "SYSTEMS": "topo_filter", "S2S": "1"}
    settings |= {"WEAK_WITH": "num_train_epochs=1", "STRONG_WITH": "num_train_epochs=1"}
    settings |= {"LIMIT": "64", "WEAK_LIMIT": "32", "OUT": str(tmp_path / "run")}
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", ROOT / "run/eleuther.sh"],
        env=os.environ | environment | {"HF_HUB_OFFLINE": "1"} | settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = (tmp_path / "run/table.md").read_text("utf-8")
    names = ["floor", "xent", "topo_filter", "s2s_1", "ceiling"]
    assert re.findall(r"^\| (\w+) \|", table, re.MULTILINE) == names
    seed = tmp_path / "run/seed-1"
    for name in names:
        rows = (seed / f"{name}.soft.jsonl").read_text("utf-8").splitlines()
        assert len(rows) == 482
        assert all(0 < json.loads(row)["p"] < 1 for row in rows)
        manifest = json.loads((seed / f"data/{name}.manifest.json").read_text("utf-8"))
        counts = manifest["counts"]
        assert counts["kept"] + sum(counts["dropped"].values()) == counts["questions"]
        assert manifest["gold_seen"] is (name in ("floor", "ceiling"))
    probed = json.loads((seed / "data/topo_filter.manifest.json").read_text("utf-8"))
    assert 0 < probed["notes"]["probe"]["kept"] < 64
