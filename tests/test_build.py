"""Whole builds over recorded responses: accounting, determinism, refusals."""

import json
import multiprocessing
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2s_data import methods, tasks
from w2s_data.build import build, sample
from w2s_data.errors import W2SError
from w2s_data.inputs import Models, Questions
from w2s_data.io import read_rows, write_rows
from w2s_data.rows import keep
from w2s_data.store import Store

MODEL = "hf:meta-llama/Llama-2-7b-hf"


def world(folder: Path, answers: dict[str, tuple[str, str, list[str]]]) -> dict[str, str]:
    """Questions, and recorded weak, strong and student responses to them, as files."""
    folder.mkdir(parents=True, exist_ok=True)

    def prompt(i: str) -> str:
        return f"Question: What is {i}?\nAnswer:"

    def responses(said: list[tuple[str, str]]) -> list[dict]:
        return [{"prompt": prompt(i), "response": text} for i, text in said]

    write_rows(
        folder / "questions.jsonl", [{"id": i, "question": f"What is {i}?"} for i in answers]
    )
    weak = responses([(i, w) for i, (w, _, _) in answers.items()])
    strong = responses([(i, s) for i, (_, s, _) in answers.items()])
    student = responses([(i, t) for i, (_, _, texts) in answers.items() for t in texts])
    for name, rows in (("weak", weak), ("strong", strong), ("student", student)):
        write_rows(folder / f"{name}.jsonl", rows)
    return {n: f"replay:{folder / n}.jsonl" for n in ("weak", "strong", "student")}


def run(folder: Path, specs: dict[str, str], stage: str = "dpo", **given):
    questions = Questions(
        tasks.get("gsm8k"), source="file", file=str(given.pop("file", folder / "questions.jsonl"))
    )
    roles = ("weak", "student") if stage != "sft" else ("weak", "strong")
    if stage == "sft":
        given["settings"] = {"shots": 0} | given.get("settings", {})
    where = {
        "out": folder / "data",
        "configs": folder / "configs",
        "store": folder / "store.sqlite",
    }
    models = Models({r: specs[r] for r in roles}, options=given.pop("options", {}))
    return build(questions, models, stage=stage, name="set", **where | given)


def rows_of(folder: Path, name: str = "set.jsonl") -> list[dict]:
    return [row for _, row in read_rows(folder / "data" / name)]


def say(answer: object) -> str:
    return "I do not know" if answer is None else f"So it is.\n#### {answer}"


def commented(rows, *, weak, judge=None, notes, least: int = 1):
    """A stage that takes notes and does without a judge."""
    for row in weak(rows, "weak"):
        notes["judged"] = judge is not None
        yield keep(row, {"response": row["weak"][0]["text"]})


def test_a_stage_may_take_notes_and_do_without_a_model(tmp_path, monkeypatch):
    stages = {"sft": methods.Stage(commented, trains="sft")}
    monkeypatch.setitem(methods.METHODS, "commented", "commented")
    monkeypatch.setattr(methods, "load", lambda name: SimpleNamespace(STAGES=stages))
    specs = world(tmp_path, {"1": (say(1), say(1), [])})
    questions = Questions(tasks.get("gsm8k"), source="file", file=str(tmp_path / "questions.jsonl"))
    for judges in ({}, {"judge": specs["strong"]}):
        roles = {"weak": specs["weak"], "student": MODEL} | judges
        where = {"out": tmp_path / "data", "configs": tmp_path, "store": tmp_path / "store.sqlite"}
        summary = build(questions, Models(roles), method="commented", name="set", **where)
        assert summary.facts()["judged"] is bool(judges)
        manifest = json.loads((tmp_path / "data" / "set.manifest.json").read_text())
        assert manifest["notes"] == {"judged": bool(judges)}
        assert manifest["settings"] == {"least": 1}
    assert "--role judge=MODEL  (may be left out)" in methods.describe("commented")


NUMBERS = st.none() | st.integers(0, 3)
WORLDS = st.dictionaries(
    st.integers(0, 99).map(str),
    st.tuples(NUMBERS, NUMBERS, st.lists(NUMBERS, min_size=5, max_size=5)),
    min_size=1,
    max_size=12,
)


def spoken(drawn):
    return {
        i: (say(w), say(s), [f"Try {k}. {say(t)}" for k, t in enumerate(texts)])
        for i, (w, s, texts) in drawn.items()
    }


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(WORLDS, st.sampled_from(["naive", "weak", "icl", "hybrid", "dpo", "kto"]))
def test_every_row_is_accounted_for(tmp_path_factory, drawn, stage):
    folder = tmp_path_factory.mktemp("world")
    specs = world(folder, spoken(drawn))
    chosen = {"settings": {"side": stage}} if stage not in ("dpo", "kto") else {}
    given_n = {"settings": {"n": 5, "max_pairs": 3}} if stage in ("dpo", "kto") else chosen
    try:
        summary = run(folder, specs, "sft" if chosen else stage, **given_n)
    except W2SError as error:
        none_left = str(error).startswith(f"no row is left of {len(drawn)}")
        if not none_left or (folder / "data" / "set.jsonl").exists():
            raise
        return
    assert summary.kept + sum(summary.dropped.values()) == summary.questions == len(drawn)
    kept, dropped = rows_of(folder), rows_of(folder, "set.dropped.jsonl")
    assert {row["id"] for row in kept} | {row["id"] for row in dropped} == set(drawn)
    assert not {row["id"] for row in kept} & {row["id"] for row in dropped}
    assert Counter(row["dropped"] for row in dropped) == summary.dropped
    manifest = json.loads((folder / "data" / "set.manifest.json").read_text())
    counts = manifest["counts"]
    assert counts["kept"] + sum(counts["dropped"].values()) == counts["questions"]
    per_row = 2 if stage == "kto" else 1
    assert counts["rows"] * per_row == len(kept)
    assert manifest["gold_seen"] is False


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(WORLDS, st.integers(1, 3))
def test_pairs_obey_the_rules_of_the_paper(tmp_path_factory, drawn, max_pairs):
    folder = tmp_path_factory.mktemp("world")
    specs = world(folder, spoken(drawn))
    try:
        run(folder, specs, settings={"n": 5, "max_pairs": max_pairs})
        kept = rows_of(folder)
    except W2SError:
        kept = []
    by_id = {}
    for row in kept:
        by_id.setdefault(row["id"], []).append(row)
    for i, (weak, _, texts) in drawn.items():
        votes = Counter(t for t in texts if t is not None)
        best = max(votes.values(), default=0)
        winners = [a for a, v in votes.items() if v == best]
        others = [t for t in texts if t is not None and t not in winners]
        if best < 3 or weak is None:
            assert i not in by_id
        elif weak == winners[0]:
            assert len(by_id.get(i, [])) == min(max_pairs, len(others))
            assert all(row["chosen"] == say(weak) for row in by_id.get(i, []))
        elif best >= 4:
            assert len(by_id[i]) == min(max_pairs, best)
            assert all(row["rejected"] == say(weak) for row in by_id[i])
        else:
            assert i not in by_id


FIVE = {
    str(i): (say(i % 3), say(i % 2), [f"Try {k}. {say(a)}" for k, a in enumerate(answers)])
    for i, answers in enumerate(
        [[0, 0, 0, 1, 2], [1, 1, 1, 1, 2], [0] * 5, [2, 2, 2, 2, 0], [1] * 5]
    )
}


def test_byte_identical_in_another_process_and_folder(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from pathlib import Path\n"
        "from test_build import *\n"
        "run(Path(sys.argv[1]), world(Path(sys.argv[1]), FIVE), settings={'n': 5})\n"
    )
    for name in ("one", "two"):
        command = [sys.executable, "-c", code, str(tmp_path / name), str(Path(__file__).parent)]
        subprocess.run(command, check=True)
    for file in ("set.jsonl", "set.dropped.jsonl", "dataset_info.json"):
        one, two = ((tmp_path / name / "data" / file).read_bytes() for name in ("one", "two"))
        assert one == two
    manifests = [
        json.loads((tmp_path / n / "data" / "set.manifest.json").read_text())
        for n in ("one", "two")
    ]
    for manifest in manifests:
        for model in manifest["models"].values():
            model.pop("spec")
    assert manifests[0] == manifests[1]


def test_shuffled_questions_give_the_same_rows_in_the_new_order(tmp_path):
    specs = world(tmp_path, FIVE)
    run(tmp_path, specs, settings={"n": 5})
    before = rows_of(tmp_path)
    questions = [row for _, row in read_rows(tmp_path / "questions.jsonl")]
    random.Random(1).shuffle(questions)
    write_rows(tmp_path / "shuffled.jsonl", questions)
    run(tmp_path, specs, settings={"n": 5}, file=tmp_path / "shuffled.jsonl")
    after = rows_of(tmp_path)
    places = {row["id"]: place for place, row in enumerate(questions)}
    assert after == sorted(before, key=lambda row: places[row["id"]])
    assert len(after) > 1


def test_rows_that_share_a_prompt_have_samples_of_their_own(tmp_path):
    world(tmp_path, {"a": (say(1), "", [])})
    write_rows(
        tmp_path / "questions.jsonl", [{"id": i, "question": "What is a?"} for i in ("10", "9")]
    )
    recorded = [{"prompt": "Question: What is a?\nAnswer:", "response": r} for r in ("x", "y")]
    write_rows(tmp_path / "weak.jsonl", recorded)
    specs = {"weak": f"replay:{tmp_path / 'weak.jsonl'}", "strong": MODEL}
    run(tmp_path, specs, "sft", settings={"side": "naive"})
    assert {row["id"]: row["output"] for row in rows_of(tmp_path)} == {"9": "x", "10": "y"}


def test_a_changed_threshold_generates_nothing(tmp_path):
    specs = world(tmp_path, FIVE)
    first = run(tmp_path, specs, settings={"n": 5})
    again = run(tmp_path, specs, settings={"n": 5, "confidence": 0.9, "overrule": 0.9})
    assert [r.stored for r in first.rounds] == [0, 0]
    assert [r.stored for r in again.rounds] == [5, 25]
    assert again.kept < first.kept


def test_a_dry_run_writes_nothing(tmp_path):
    specs = world(tmp_path, FIVE)
    before = sorted(tmp_path.rglob("*"))
    summary = run(tmp_path, specs, settings={"n": 5}, dry_run=True)
    assert sorted(tmp_path.rglob("*")) == before
    assert [(r.asked, r.stored) for r in summary.rounds] == [(5, 0), (25, 0)]
    assert summary.rounds[0].first_prompt == "Question: What is 0?\nAnswer:"


def test_eight_builds_at_once(tmp_path):
    specs = world(tmp_path, FIVE)
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_named, args=(tmp_path, specs, i)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 8
    info = json.loads((tmp_path / "data" / "dataset_info.json").read_text())
    assert sorted(info) == [f"set_{i}" for i in range(8)]
    sets = {(tmp_path / "data" / entry["file_name"]).read_bytes() for entry in info.values()}
    assert len(sets) == 1
    assert len(sets.pop().splitlines()) == 4


def _named(folder, specs, number):
    questions = Questions(tasks.get("gsm8k"), source="file", file=str(folder / "questions.jsonl"))
    build(
        questions,
        Models({role: specs[role] for role in ("weak", "student")}),
        stage="dpo",
        settings={"n": 5},
        name=f"set_{number}",
        out=folder / "data",
        configs=folder / "configs",
        store=folder / "store.sqlite",
    )


def test_gold_is_only_opened_for_a_stage_that_asks(tmp_path, monkeypatch):
    specs = world(tmp_path, FIVE)

    def closed(*_, **__):
        raise AssertionError("gold was opened")

    monkeypatch.setattr(tasks, "gold", closed)
    run(tmp_path, specs, settings={"n": 5})
    questions = Questions(tasks.get("gsm8k"), source="file", file=str(tmp_path / "questions.jsonl"))
    with pytest.raises(AssertionError, match="gold was opened"):
        build(questions, Models({"strong": MODEL}), method="baselines", stage="ceiling")


def test_baselines_teach_gold_and_say_so(tmp_path):
    questions = [{"id": "a", "question": "1+1?", "answer": "1+1 = <<1+1=2>>2\n#### 2"}]
    write_rows(tmp_path / "questions.jsonl", questions)
    build(
        Questions(tasks.get("gsm8k"), source="file", file=str(tmp_path / "questions.jsonl")),
        Models({"strong": MODEL}),
        method="baselines",
        stage="ceiling",
        name="set",
        out=tmp_path / "data",
        configs=tmp_path / "configs",
        store=tmp_path / "store.sqlite",
    )
    assert rows_of(tmp_path)[0]["output"] == "1+1 = 2\n#### 2"
    assert json.loads((tmp_path / "data" / "set.manifest.json").read_text())["gold_seen"] is True


def test_samples_are_written_for_scoring(tmp_path):
    specs = world(tmp_path, FIVE)
    questions = Questions(tasks.get("gsm8k"), source="file", file=str(tmp_path / "questions.jsonl"))
    summary = sample(
        questions,
        Models({"model": specs["student"]}),
        n=5,
        temperature=1.0,
        out=tmp_path / "out.jsonl",
        store=tmp_path / "store.sqlite",
    )
    assert summary.rows == 25
    rows = [row for _, row in read_rows(tmp_path / "out.jsonl")]
    assert [(row["id"], row["sample"]) for row in rows] == [(i, k) for i in FIVE for k in range(5)]
    assert rows[0]["response"] == FIVE["0"][2][0]


WRONG = {
    "method": ({"method": "reasonin"}, "unknown method 'reasonin': did you mean 'reasoning'?"),
    "stage": ({"stage": "dpoo"}, "unknown stage of reasoning 'dpoo': did you mean 'dpo'?"),
    "parameter": ({"settings": {"confidense": 1}}, "did you mean 'confidence'?"),
    "range": ({"settings": {"confidence": 1.5}}, "confidence must be less than or equal to 1"),
    "type": ({"settings": {"n": "many"}}, "n must be"),
    "name": ({"name": "a,b"}, "must not contain ','"),
    "format": ({"format": "alpacca"}, "unknown format 'alpacca': did you mean 'alpaca'?"),
    "finetuning": ({"finetuning": "lorra"}, "finetuning must be lora or full, was: 'lorra'"),
}


@pytest.mark.parametrize(("given_options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_options_write_nothing(tmp_path, given_options, message):
    specs = world(tmp_path, FIVE)
    arguments = {"stage": "dpo", "settings": {"n": 5}, "name": "set"} | given_options
    questions = Questions(tasks.get("gsm8k"), source="file", file=str(tmp_path / "questions.jsonl"))
    with pytest.raises(W2SError) as error:
        build(
            questions,
            Models({role: specs[role] for role in ("weak", "student")}),
            out=tmp_path / "data",
            configs=tmp_path / "configs",
            store=tmp_path / "store.sqlite",
            **arguments,
        )
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "data").exists()


def test_an_output_folder_that_cannot_be_written_stops_before_generation(tmp_path):
    specs = world(tmp_path, FIVE)
    (tmp_path / "data").write_text("a file")
    with pytest.raises(W2SError, match="cannot be written"):
        run(tmp_path, specs, settings={"n": 5})


def test_recorded_responses_that_are_not_there(tmp_path):
    specs = world(tmp_path, FIVE)
    shutil.copy(tmp_path / "weak.jsonl", tmp_path / "student.jsonl")
    with pytest.raises(W2SError, match="lacks recorded responses for 5 prompts"):
        run(tmp_path, specs, settings={"n": 5})
    assert not list((tmp_path / "data").iterdir())


def test_a_role_that_is_given_instructions_is_asked_by_chat_behind_a_server(tmp_path):
    """Chat is how servers ask models that follow instructions; OpenAI's have no other way."""
    server = "openai:model@http://localhost:1/v1"

    def chat(role, **options):
        with Store(tmp_path / "store.sqlite") as store:
            models = Models({role: server}, options=options)
            return models.sampler(role, tasks.get("math"), store, seed=1).backend.chat

    assert [chat(role) for role in ("summarizer", "decomposer", "teacher")] == [True, True, False]
    assert not chat("summarizer", chat=False)
    assert not chat("summarizer", **{"summarizer.chat": False, "chat": True})
    assert [chat(role, **{"teacher.chat": True}) for role in ("teacher", "weak")] == [True, False]


def test_an_option_of_a_role_is_that_model_s_alone(tmp_path):
    """`prompt_field` would be no option of the other backend."""
    specs = world(tmp_path, FIVE) | {"weak": "openai:model@http://localhost:1/v1"}
    asked = {"student.prompt_field": "prompt", "weak.retries": 0, "weak.grace": 0}
    with pytest.raises(W2SError, match=r"localhost:1/v1: the connection failed"):
        run(tmp_path, specs, settings={"n": 5}, options=asked)
