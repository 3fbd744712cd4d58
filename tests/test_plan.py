"""Plans held against what the builds then do."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from w2s_data import backends, gauge, methods, tasks
from w2s_data.backends import Backend
from w2s_data.build import Models, Questions, build
from w2s_data.cli import main
from w2s_data.errors import W2SError
from w2s_data.io import write_rows
from w2s_data.methods import Stage
from w2s_data.plan import plan
from w2s_data.rows import Sample, digest, drop, keep

GSM8K = tasks.get("gsm8k")
QUESTIONS, PROBE, N = 40, 10, 4
LOAD, EACH = 10.0, 0.5  # seconds to load a model, and for a sample


class Clock:
    now = 0.0

    def perf_counter(self):
        return self.now


class Fake(Backend):
    """Answers by the hash of what it is asked, in three words; time is the clock's."""

    def __init__(self, spec, clock, said):
        self.fingerprint, self.clock, self.said, self.loaded = spec, clock, said, False

    def __call__(self, requests):
        for position, request in enumerate(requests):
            self.clock.now += 0 if self.loaded else LOAD
            self.loaded = True
            indices = range(request.start, request.start + request.n)
            for index in indices:
                self.said.append((self.fingerprint, request.prompt_text(), index))
                self.clock.now += EACH
            yield position, [self.sample(request, index) for index in indices]

    def sample(self, request, index):
        drawn = int(digest(self.fingerprint, request.prompt_text(), str(index))[:8], 16)
        text = f"It is.\n#### {1 + (drawn % 5 == 0)}"
        return Sample(index=index, text=text, finish="stop", tokens=3)

    def close(self):
        self.loaded = False


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Forty questions, fake models, a fake clock; returns what the models were asked."""
    clock, said = Clock(), []
    monkeypatch.setattr(gauge, "time", clock)
    monkeypatch.setattr(backends, "load", lambda spec, **_: Fake(spec, clock, said))
    monkeypatch.chdir(tmp_path)
    rows = [{"id": str(i), "question": f"What is {i}?"} for i in range(QUESTIONS)]
    write_rows("questions.jsonl", rows)
    return said


def inputs(kind="hf", **options):
    specs = {role: f"{kind}:maker/{role}" for role in ("weak", "student")}
    return Questions(GSM8K, file="questions.jsonl"), Models(specs, options=options)


DPO = {"stage": "dpo", "settings": {"n": N}, "name": "set", "store": "store.sqlite"}


def test_a_plan_is_what_the_build_then_does(world):
    asked = inputs()
    found = plan(*asked, probe=PROBE, **DPO)
    assert (found.questions, found.probed, found.generated) == (QUESTIONS, PROBE, PROBE * (1 + N))
    assert not list(Path().glob("data/set*"))
    done = build(*asked, **DPO)
    left = QUESTIONS - PROBE
    for planned, came in zip(found.rounds, done.rounds, strict=True):
        assert (planned.role, planned.round) == (came.role, came.into)
        assert planned.exact
        assert (planned.asked, planned.missing) == (came.asked, came.asked - came.stored)
    weak, student = found.rounds
    assert (weak.missing, student.missing) == (left, left * N)
    assert (weak.output_tokens, student.output_tokens) == (3 * left, 3 * left * N)
    assert weak.seconds == pytest.approx(LOAD + EACH * left)
    assert student.seconds == pytest.approx(LOAD + EACH * left * N)
    assert found.hours == pytest.approx((2 * LOAD + EACH * left * (1 + N)) / 3600)
    assert len(world) == len(set(world)) == QUESTIONS * (1 + N)
    low, high = found.interval
    assert low <= done.kept <= high
    assert found.endings["kept"] * QUESTIONS / PROBE == found.kept
    characters = sum(len(f"Question: What is {i}?\nAnswer:") for i in range(QUESTIONS))
    expected = characters * left / QUESTIONS * 3 / len("It is.\n#### 1")
    assert weak.prompt_tokens == pytest.approx(expected, rel=0.05)


def test_a_second_plan_asks_others_and_after_the_build_all_is_known(world):
    asked = inputs()
    first = plan(*asked, probe=PROBE, **DPO)
    second = plan(*asked, probe=PROBE, **DPO)
    assert second.generated == first.generated
    assert [r.missing for r in second.rounds] == [20, 20 * N]
    done = build(*asked, **DPO)
    spent = len(world)
    known = plan(*asked, probe=PROBE, **DPO)
    assert len(world) == spent
    assert (known.kept, known.rows, known.interval) == (done.kept, done.rows, (done.kept,) * 2)
    assert (known.probed, known.hours) == (0, 0)
    assert all(one.exact and not one.missing for one in known.rounds)


def test_rounds_that_hang_on_answers_are_said_to_be_estimated(world):
    """Stage I shows weak answers as demonstrations: the probe's prompts are not the build's."""
    questions, _ = inputs()
    models = Models({"weak": "hf:maker/weak", "strong": "hf:maker/strong"})
    found = plan(questions, models, probe=PROBE, stage="sft", store="store.sqlite")
    assert [(r.round, r.exact, r.asked) for r in found.rounds] == [
        ("weak", True, QUESTIONS),
        ("icl", False, QUESTIONS),
    ]
    assert [r.missing for r in found.rounds] == [QUESTIONS - PROBE, QUESTIONS]


def test_without_a_probe_nothing_is_spent_or_written(world):
    before = sorted(Path().rglob("*"))
    found = plan(*inputs(), probe=0, **DPO)
    assert sorted(Path().rglob("*")) == before
    assert not world
    assert [r.missing for r in found.rounds] == [QUESTIONS, QUESTIONS * N]
    assert (found.kept, found.hours, found.rounds[0].seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("kind", "options", "gpus", "each"),
    [
        ("vllm", {"tensor_parallel_size": 4}, None, 4),
        ("vllm", {"tensor_parallel_size": 4, "pipeline_parallel_size": 2}, None, 8),
        ("vllm", {}, None, 1),
        ("openai", {}, None, None),
        ("openai", {}, 2, 2),
        ("hf", {"device": "cpu"}, None, 0),
    ],
)
def test_gpu_hours(world, kind, options, gpus, each):
    found = plan(*inputs(kind, **options), probe=PROBE, gpus=gpus, **DPO)
    assert {one.gpus for one in found.rounds} == {each}
    assert found.gpu_hours == (None if each is None else pytest.approx(found.hours * each))


def half(rows, *, weak, student, least: int = 0, first: int = 0):
    """Every second row goes on to the student, by its weak answer; few rows are an error, of
    `first` before anything is asked."""
    rows = list(rows)
    if len(rows) < first:
        raise W2SError(f"{first} questions are needed at first")
    answered = list(weak(rows, "weak"))
    if len(answered) < least:
        raise W2SError(f"{least} questions are needed")
    sure = {row["id"] for row in answered if row["weak"][0]["text"].endswith("#### 1")}
    list(student((row for row in answered if row["id"] in sure), "more"))
    for row in answered:
        yield keep(row, {"response": "x"}) if row["id"] in sure else drop(row, "unsure")


@pytest.fixture
def halving(monkeypatch):
    module = type("halving", (), {"STAGES": {"sft": Stage(half, trains="sft")}})
    monkeypatch.setattr(methods, "load", lambda name: module)


def test_rounds_that_few_rows_reach_are_scaled(world, halving):
    found = plan(*inputs(), probe=PROBE, method="half", name="set", store="store.sqlite")
    weak, more = found.rounds
    kept = found.endings["kept"]
    assert 0 < kept < PROBE
    assert (weak.exact, more.exact) == (True, False)
    assert more.asked == kept * QUESTIONS / PROBE == found.kept


HALF = {"method": "half", "name": "set", "store": "store.sqlite"}


def test_a_probe_that_cannot_end_still_measures(world, halving):
    found = plan(*inputs(), probe=5, settings={"least": 21}, **HALF)
    assert found.problem == "21 questions are needed; a larger --probe may do"
    assert found.kept is None
    assert found.rounds[0].seconds == pytest.approx(LOAD + EACH * (QUESTIONS - 5))


@pytest.mark.parametrize("need", ["least", "first"])
def test_a_probe_asks_as_many_questions_as_the_stage_needs(world, halving, need):
    found = plan(*inputs(), probe=PROBE, settings={need: 15}, **HALF)
    assert (found.problem, found.probed) == ("", 2 * PROBE)
    assert found.rounds[0].missing == QUESTIONS - 2 * PROBE


def test_a_probe_that_cannot_begin_says_what_helps(world, halving):
    message = "30 questions are needed at first; a larger --probe may do"
    with pytest.raises(W2SError, match=message):
        plan(*inputs(), probe=5, settings={"first": 30}, **HALF)
    assert not world


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"settings": {"confidense": 1}}, "did you mean 'confidence'?"),
        ({"stage": "dpoo"}, "did you mean 'dpo'?"),
        ({"probe": -1}, "probe must be >= 0, was: -1"),
    ],
)
def test_mistakes_are_the_build_s(world, given, message):
    with pytest.raises(W2SError) as error:
        plan(*inputs(), **{**DPO, **given})
    assert message in str(error.value)
    assert not world


def test_the_bundled_pair_does_what_was_planned(tmp_path, monkeypatch):
    """Real models: the calls to the letter, tokens and rows about as said, nothing twice."""
    monkeypatch.chdir(tmp_path)
    asked = Questions(tasks.get("math"), limit=30), Models(max_tokens=96)
    arguments = {"stage": "dpo", "settings": {"n": 4}, "name": "set", "store": "store.sqlite"}
    found = plan(*asked, probe=10, **arguments)
    done = build(*asked, **arguments)
    for planned, came in zip(found.rounds, done.rounds, strict=True):
        assert (planned.asked, planned.missing) == (came.asked, came.asked - came.stored)
        assert planned.seconds > 0
    assert found.interval[0] <= done.kept <= found.interval[1]
    from w2s_data.store import Store

    with Store("store.sqlite") as store:
        written = sum(row["tokens"] for row in store.rows())
    planned = sum(one.output_tokens for one in found.rounds)
    share = sum(one.missing for one in found.rounds) / sum(one.asked for one in found.rounds)
    assert planned == pytest.approx(written * share, rel=0.25)
    from transformers import AutoTokenizer

    from w2s_data.backends.checkpoint import checkpoint

    tokenizer = AutoTokenizer.from_pretrained(checkpoint("bundled/weak").name)
    read = [len(tokenizer(row["prompt"])["input_ids"]) for row in asked[0].rows()]
    assert found.rounds[0].prompt_tokens == pytest.approx(sum(read) * 20 / 30, rel=0.15)


def test_the_command(world):
    call = ["plan", "--task", "gsm8k", "--questions", "questions.jsonl", "--stage", "dpo"]
    call += ["--weak", "hf:maker/weak", "--student", "hf:maker/student", "--probe", "5"]
    told = CliRunner().invoke(main, call)
    assert told.exit_code == 0, told.output
    for words in ("5 questions, 55 responses", "35 to come", "will be kept"):
        assert words in told.stdout
    found = json.loads(CliRunner().invoke(main, [*call, "--json"]).stdout)
    assert [one["missing"] for one in found["rounds"]] == [30, 300]
