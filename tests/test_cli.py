"""The command line: a user's mistake is one sentence and exit code 2, with nothing written."""

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from w2s_data.cli import main
from w2s_data.io import read_rows, write_rows

ROOT = Path(__file__).parents[1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with three questions and recorded responses, as the working folder."""
    monkeypatch.chdir(tmp_path)
    write_rows("questions.jsonl", [{"id": str(i), "question": f"Is it {i}?"} for i in range(3)])
    recorded = [
        {"prompt": f"Question: Is it {i}?\nAnswer:", "response": f"Yes {k}.\n#### {i + (k > 3)}"}
        for i in range(3)
        for k in range(5)
    ]
    write_rows("responses.jsonl", recorded)
    return tmp_path


def call(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


DPO = (
    *("build", "--stage", "dpo", "--task", "gsm8k", "--questions", "questions.jsonl"),
    *("--set", "n=5", "--weak", "replay:responses.jsonl", "--student", "replay:responses.jsonl"),
)


def test_build_says_what_it_did(here):
    result = call(*DPO)
    assert result.exit_code == 0
    for words in ("3 from questions.jsonl", "replay:responses.jsonl", "llamafactory-cli train"):
        assert words in result.stdout
    recipe = Path("factory_configs/gsm8k_reasoning_dpo.yaml").read_text()
    assert "dataset: gsm8k_reasoning_dpo" in recipe


def test_build_as_json(here):
    summary = json.loads(call(*DPO, "--json").stdout)
    assert (summary["questions"], summary["kept"], summary["rows"]) == (3, 3, 3)
    assert sorted(summary["files"]) == ["card", "dropped", "info", "manifest", "recipe", "set"]


def test_quiet_prints_nothing(here):
    result = call(*DPO, "--quiet")
    assert (result.stdout, result.stderr) == ("", "")


def test_dry_run_shows_prompt_and_calls(here):
    before = sorted(here.rglob("*"))
    shown = call(*DPO, "--dry-run").stdout
    assert "Question: Is it 0?" in shown
    assert "15 responses, 0 in store" in shown
    assert sorted(here.rglob("*")) == before


def test_sample_then_score(here):
    questions = [{"id": str(i), "question": f"Is it {i}?", "answer": str(i)} for i in range(3)]
    write_rows("gold.jsonl", questions)
    asked = ("--task", "gsm8k", "--questions", "gold.jsonl")
    sampled = ("sample", *asked, "--model", "replay:responses.jsonl", "-n", 5, "--temperature", 1)
    assert call(*sampled, "--out", "out.jsonl").exit_code == 0
    score = json.loads(call("score", "out.jsonl", *asked, "--json").stdout)
    assert (score["responses"], score["correct"]) == (15, 12)
    assert score["majority_at"]["5"] == 1.0


def test_import_export_round_trip(here):
    imported = call("import", "responses.jsonl", "--task", "gsm8k", "--model", "replay:seven")
    assert imported.exit_code == 0, imported.stderr
    assert call("export", "out.jsonl").exit_code == 0
    rows = [row for _, row in read_rows("out.jsonl")]
    assert len(rows) == 15
    assert {row["model"] for row in rows} == {"replay:seven"}
    named = [*DPO[:-3], "replay:seven", "--student", "replay:seven"]
    assert call(*named).exit_code == 0


WRONG = {
    "command": (("biuld",), "did you mean 'build'?"),
    "task": (("build", "--task", "mth"), "unknown task 'mth': did you mean 'math'?"),
    "method": (("build", "--method", "reazoning"), "did you mean 'reasoning'?"),
    "stage": (("build", "--stage", "dqo"), "did you mean 'dpo'?"),
    "backend": ((*DPO, "--weak", "hg:x"), "unknown backend 'hg': did you mean 'hf'?"),
    "spec": ((*DPO, "--weak", "x"), "must read BACKEND:MODEL"),
    "parameter": ((*DPO, "--set", "overule=1"), "did you mean 'overrule'?"),
    "range": ((*DPO, "--set", "overrule=2"), "overrule must be less than or equal to 1"),
    "role": ((*DPO, "--role", "weack=hf:x"), "did you mean 'weak'?"),
    "no equals": ((*DPO, "--set", "n"), "must read NAME=VALUE"),
    "option's role": ((*DPO, "--option", "weack.chat=true"), "did you mean 'weak'?"),
    "role's chat": ((*DPO, "--option", "student.chat=true"), "chat=true and --template NAME go"),
    "backend option": ((*DPO, "--option", "promt_field=x"), "did you mean 'prompt_field'?"),
    "file": ((*DPO, "--questions", "gone.jsonl"), "gone.jsonl: no such file"),
    "torn": ((*DPO, "--questions", "torn.jsonl"), "torn.jsonl:2: not valid JSON"),
    "encoding": ((*DPO, "--questions", "latin.jsonl"), "latin.jsonl: not UTF-8"),
    "field": ((*DPO, "--questions", "other.jsonl"), "other.jsonl:1: no field for the question"),
    "mapping": ((*DPO, "--field", "question=x"), "no field 'x' for question"),
    "ids": ((*DPO, "--questions", "twice.jsonl"), "twice.jsonl:2: id 'a' stands at"),
    "weights": ((*DPO, "--weak", "hf:empty"), "model folder empty has no weights"),
    "folder": ((*DPO, "--weak", "hf:./gone"), "there is no model folder ./gone"),
    "bundled": ((*DPO, "--weak", "hf:bundled/week"), "did you mean 'weak'?"),
    "adapter": ((*DPO, "--weak", "hf:adapter"), "holds an adapter, not a model"),
    "recorded": ((*DPO, "--weak", "replay:gone.jsonl"), "gone.jsonl: no such file"),
    "no gold": (("score", "responses.jsonl", "--task", "gsm8k"), "has no bundled questions"),
    "out": ((*DPO, "--out", "questions.jsonl"), "cannot be written"),
    "store": ((*DPO, "--store", "questions.jsonl"), "response store cannot be opened"),
    "chat": ((*DPO, "--option", "chat=true"), "chat=true and --template NAME go together"),
    "template": ((*DPO, "--template", "qwen"), "chat=true and --template NAME go together"),
    "limit": ((*DPO, "--limit", "0"), "limit must be >= 1, was: 0"),
    "source": (("build", "--source", "hup"), "unknown source 'hup': did you mean 'hub'?"),
    "split": (("build", "--split", "train2"), "did you mean 'train_2'?"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG)
def test_mistakes_are_one_sentence_and_exit_code_2(here, arguments, message):
    Path("torn.jsonl").write_text('{"question": "a"}\n{"question"')
    Path("latin.jsonl").write_bytes('{"question": "é"}\n'.encode("latin-1"))
    write_rows("other.jsonl", [{"text": "a"}])
    write_rows("twice.jsonl", [{"id": "a", "question": "b"}, {"id": "a", "question": "c"}])
    for name, config in (("empty", "config.json"), ("adapter", "adapter_config.json")):
        Path(name).mkdir()
        (Path(name) / config).write_text("{}")
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 4  # click adds its usage lines to its own
    assert not list(here.glob("**/*_reasoning_*"))


def limited():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**17, 2**17))


def test_a_full_disk_is_one_sentence(here):
    """A limit on file sizes stands for the full disk: writes fail in the middle alike."""
    questions = [{"id": str(i), "question": f"Is it {i}?" + " " * 300} for i in range(900)]
    write_rows("many.jsonl", questions)
    recorded = [
        {"prompt": f"Question: {q['question']}\nAnswer:", "response": f"#### {k > 3}"}
        for q in questions
        for k in range(5)
    ]
    write_rows("responses.jsonl", recorded)
    arguments = [sys.executable, "-m", "w2s_data", *DPO, "--questions", "many.jsonl"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        arguments, capture_output=True, text=True, env=environment, preexec_fn=limited
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("w2s-data: ")
    assert not list(here.glob("data/*.jsonl"))
    assert subprocess.run(arguments, env=environment).returncode == 0


@pytest.mark.parametrize("name", ["reasoning", "baselines"])
def test_methods_show_stages_and_parameters(name):
    shown = call("methods", name).stdout
    assert "--stage" in shown
    if name == "reasoning":
        assert "--set confidence=0.6" in shown
        assert "float >= 0, <= 1" in shown


def test_tasks_name_the_default_models():
    shown = call("tasks", "math").stdout
    for words in ("The answer is:", "hf:bundled/strong", "hf:bundled/weak+"):
        assert words in shown


def test_the_recipes_of_the_repository_are_those_the_command_writes(here):
    assert call("recipes", "configs").exit_code == 0
    written = {p.relative_to("configs"): p.read_bytes() for p in Path("configs").rglob("*.yaml")}
    folder = ROOT / "factory_configs"
    kept = {p.relative_to(folder): p.read_bytes() for p in folder.glob("*/*.yaml")}
    assert written == kept
