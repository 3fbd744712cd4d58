"""The command: what it takes, what it says, how it ends."""

import json
import re
import subprocess
from pathlib import Path

import good
import pytest
import yaml
from click.testing import CliRunner

from w2s_data.check.rules import FAMILIES, RULES, table
from w2s_data.cli import main

ROOT = Path(__file__).parents[2]


def run(*arguments):
    return CliRunner().invoke(main, ["check", *map(str, arguments), "--no-trainer"])


def spoil(folder, name="set"):
    rows = good.write(folder, name=name)
    rows[3]["rejected"] = None
    good.rewrite(folder, rows, name)


def test_exit_codes(tmp_path, monkeypatch):
    good.write(tmp_path)
    assert run(tmp_path).exit_code == 0
    assert run(tmp_path, "set").exit_code == 0
    assert run("--folder", tmp_path, "set").exit_code == 0
    assert run("--folder", tmp_path, "st").exit_code == 1
    spoil(tmp_path, "bad")
    said = run(tmp_path)
    assert said.exit_code == 1
    assert "W402 error" in said.stdout
    assert "line 4 (q-3)" in said.stdout
    assert run(tmp_path, "set").exit_code == 0
    assert run(tmp_path, "--ignore", "W402").exit_code == 0
    assert run(tmp_path, "--select", "W8,W9").exit_code == 0
    assert run(tmp_path, "--select", "W4").exit_code == 1


def test_a_warning_fails_only_when_asked(tmp_path):
    rows = good.write(tmp_path)
    good.rewrite(tmp_path, [*rows, rows[0] | {"id": "copy"}])
    assert run(tmp_path).exit_code == 0
    assert run(tmp_path, "--fail-on", "warning").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere/at/all"], "data: no such folder"),
        (["--folder", "nowhere"], "nowhere: no such folder"),
        (["--recipe", "none.yaml"], "none.yaml: cannot be read"),
        (["{}", "--select", "W999"], "unknown rule 'W999'"),
        (["{}", "--stage", "dop"], "did you mean 'dpo'"),
        (["{}", "--task", "mth"], "did you mean 'math'"),
        (["{}", "--test", "none.jsonl"], "none.jsonl: no such file"),
    ],
)
def test_what_cannot_be_checked_ends_with_2(tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sets").mkdir()
    good.write(tmp_path / "sets")
    said = run(*(argument.format(tmp_path / "sets") for argument in arguments))
    assert said.exit_code == 2
    assert says in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_nothing_local_to_check_ends_with_2(tmp_path):
    good.write(tmp_path)
    good.change_entry(tmp_path, lambda e: e.update(hf_hub_url="a/b") or e.pop("file_name"))
    said = run(tmp_path)
    assert said.exit_code == 2
    assert "its rows lie elsewhere" in said.stderr


def test_a_recipe_is_checked_with_its_sets(tmp_path):
    spoil(tmp_path)
    recipe = tmp_path / "dpo.yaml"
    values = {"stage": "dpo", "do_train": True, "dataset": "set", "dataset_dir": str(tmp_path)}
    recipe.write_text(yaml.safe_dump(values) + "save_strategy: no\n")
    said = run("--recipe", recipe, "--format", "json")
    assert said.exit_code == 1
    found = [(one["code"], one["set"]) for one in json.loads(said.stdout)["findings"]]
    assert found == [("W003", "dpo.yaml"), ("W402", "set")]


def test_nothing_is_written(tmp_path):
    spoil(tmp_path)
    before = sorted((p.name, p.stat().st_mtime_ns) for p in tmp_path.iterdir())
    run(tmp_path)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in tmp_path.iterdir()) == before


def test_readme_lists_every_rule():
    assert table() in (ROOT / "README.md").read_text("utf-8")


def test_rules_are_well_told():
    for code, rule in RULES.items():
        assert any(code.startswith(family) for family in FAMILIES)
        assert rule.severity in ("error", "warning")
        assert rule.says
        assert rule.way_out
        assert not rule.says.endswith(".")
        assert "|" not in rule.says + rule.way_out


def test_the_action_and_the_hook_call_the_command():
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert action["runs"]["using"] == "composite"
    script = "\n".join(step.get("run", "") for step in action["runs"]["steps"])
    known = {name for p in main.commands["check"].params for name in p.opts}
    assert set(re.findall(r"--[a-z-]+", script.split("w2s-data check", 1)[1])) <= known
    assert not re.search(r"\$\{\{\s*inputs", script), "inputs go in through env, never spliced"
    for step in action["runs"]["steps"]:
        assert "shell" in step or "uses" in step
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["entry"].split()[:2] == ["w2s-data", "check"]
    assert set(re.findall(r"--[a-z-]+", hook["entry"])) <= known
    assert re.search(hook["files"], "data/dataset_info.json")


def test_the_actions_script_runs(tmp_path):
    """The step's shell, with its environment as GitHub would set it."""
    spoil(tmp_path)
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    step = next(s for s in action["runs"]["steps"] if "w2s-data check" in s.get("run", ""))
    given = {name: str(each.get("default", "")) for name, each in action["inputs"].items()}
    given |= {"folder": str(tmp_path), "arguments": "--no-trainer --ignore W9"}
    environment = {}
    for name, value in step["env"].items():
        spliced = re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) \}\}", value)
        environment[name] = given[spliced[1]]
    import os
    import sys

    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "w2s-data"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m w2s_data "$@"\n')
    shim.chmod(0o755)
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        env=os.environ | environment | {"PATH": f"{tmp_path / 'bin'}:{tools}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=")
