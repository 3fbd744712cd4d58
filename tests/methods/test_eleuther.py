"""The eleuther method: soft labels, and what losses, probes and rounds make of them."""

import json
import math
import statistics
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded import recorded

from w2s_data import backends, methods, soft, tasks
from w2s_data.build import build
from w2s_data.errors import W2SError
from w2s_data.inputs import Models, Questions
from w2s_data.io import read_rows, write_rows
from w2s_data.methods import eleuther
from w2s_data.plan import plan
from w2s_data.steps.sample import Sampler
from w2s_data.store import Store

P = st.lists(st.floats(0.01, 0.99), min_size=2, max_size=30)


def rows(count):
    return [
        {"id": str(i), "task": "t", "question": "q", "prompt": f"p{i}", "choices": ["yes", "no"]}
        for i in range(count)
    ]


class Told:
    """A model whose p(true) is known."""

    dry_run = False

    def __init__(self, values):
        self.values = values

    def weigh(self, rows, into, choices):
        for row, p in zip(rows, self.values):
            assert choices(row) == (" yes", " no")
            pair = [{"logprob": math.log(p) - 3}, {"logprob": math.log(1 - p) - 3}]
            yield row | {into: pair}


def labels(ended):
    """p by id of the rows that are kept; the endings are the two choices with their weights."""
    found = {}
    for row in ended:
        if "endings" in row:
            yes, no = row["endings"]
            assert (yes["response"], no["response"]) == (" yes", " no")
            assert yes["weight"] == pytest.approx(1 - no["weight"])
            found[int(row["id"])] = yes["weight"]
        else:
            assert row["dropped"]
    return found


@given(P)
def test_a_soft_label_is_two_weighted_rows(weak):
    found = labels(eleuther.soft_labels(rows(len(weak)), weak=Told(weak)))
    assert list(found.values()) == pytest.approx(weak)
    again = labels(eleuther.next_labels(rows(len(weak)), student=Told(weak)))
    assert again == found


@given(P, st.data())
def test_the_window_holds_what_the_student_is_unsure_of(weak, data):
    student = data.draw(st.lists(st.floats(0.01, 0.99), min_size=len(weak), max_size=len(weak)))
    radius = data.draw(st.sampled_from(["midweak", "0.15", "0.5"]))
    found = labels(
        eleuther.window(
            rows(len(weak)), weak=Told(weak), student=Told(student), notes={}, radius=radius
        )
    )
    middle = statistics.median(max(p, 1 - p) for p in weak)
    limit = middle if radius == "midweak" else 0.5 + float(radius)
    sure = [max(p, 1 - p) for p in student]
    for i, p in enumerate(weak):
        if abs(sure[i] - limit) > 1e-9:
            assert (i in found) == (sure[i] < limit)
        if i in found:
            assert found[i] == pytest.approx(p)


@pytest.mark.parametrize("radius", ["0", "0.6", "-1", "wide", "nan"])
def test_a_radius_out_of_range_is_told_before_a_model_is_asked(radius):
    with pytest.raises(W2SError, match="radius must be midweak or a number"):
        list(eleuther.window(rows(1), weak=None, student=None, notes={}, radius=radius))


@pytest.mark.parametrize("p", [0.5, 0.75, 0.1])
def test_at_the_limit_of_the_window_is_outside(p):
    told = {"weak": Told([p] * 3), "student": Told([p] * 3)}
    assert labels(eleuther.window(rows(3), notes={}, **told)) == {}


@given(P, st.data(), st.sampled_from([0.0, 0.3, 1.0]))
def test_logconf_and_entropy_mix_labels(weak, data, alpha):
    """The target of the in-loop loss, with the whole set as its batch."""
    student = data.draw(st.lists(st.floats(0.01, 0.99), min_size=len(weak), max_size=len(weak)))
    told = {"weak": Told(weak), "student": Told(student), "alpha": alpha}
    found = labels(eleuther.log_confidence(rows(len(weak)), notes={}, **told))
    false = 1 - np.array(student)
    threshold = np.quantile(false, np.mean(weak))
    for i, p in enumerate(weak):
        if abs(false[i] - threshold) > 1e-6:
            hard = float(false[i] < threshold)
            assert found[i] == pytest.approx((1 - alpha) * p + alpha * hard)
    mixed = labels(eleuther.entropy(rows(len(weak)), **told))
    expected = [(1 - alpha) * p + alpha * q for p, q in zip(weak, student)]
    assert list(mixed.values()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("student", "hard"),
    [([0.3, 0.3, 0.3], [0, 0, 0]), ([0.2, 0.6, 0.9], [0, 0, 1]), ([0.7, 0.7, 0.9], [0, 0, 1])],
)
def test_at_the_threshold_of_logconf_is_false(student, hard):
    """The prior is a half: the threshold is the middle one's own 1 - p, and `<` is strict."""
    told = {"weak": Told([0.5] * 3), "student": Told(student), "alpha": 1.0}
    found = labels(eleuther.log_confidence(rows(3), notes={}, **told))
    assert list(found.values()) == hard


def test_weights_far_apart_and_absent():
    assert eleuther.p_true([{"logprob": -1000.0}, {"logprob": -1.0}]) < 1e-300
    assert eleuther.p_true([{"logprob": -math.inf}, {"logprob": -1.0}]) < 1e-300
    assert eleuther.p_true([{"logprob": -math.inf}, {"logprob": -math.inf}]) == 0.5
    assert eleuther.p_true([{}, {}]) == 0.5


def test_a_task_without_two_choices_is_refused():
    row = {"id": "7", "task": "math", "question": "q", "prompt": "p"}
    with pytest.raises(W2SError, match="question '7' has no two choices"):
        eleuther.words(row)


def test_every_stage_compiles_its_weights_for_the_strong_model():
    for stage in methods.load("eleuther").STAGES.values():
        assert (stage.weights, stage.trains, stage.trained) == ("column:weight", "sft", "strong")
        assert not methods.sees_gold(stage)


# By question: the weak model's p(yes) and the student's.
RECORDED = {
    "a": (0.9, 0.8),
    "b": (0.7, 0.45),
    "c": (0.2, 0.6),
    "d": (0.05, 0.02),
    "e": (0.35, 0.55),
    "f": (0.6, 0.97),
}
# The p's of a built set: of the window, the median .75 or .58 of the student; of logconf, a prior
# of .4667 and so a threshold between .4 and .45 for 1 - p.
BUILT = [
    ("xent", {}, {i: weak for i, (weak, _) in RECORDED.items()}),
    ("s2s", {}, {i: student for i, (_, student) in RECORDED.items()}),
    ("window", {}, {"b": 0.7, "c": 0.2, "e": 0.35}),
    ("window", {"radius": "0.08"}, {"b": 0.7, "e": 0.35}),
    ("logconf", {}, {"a": 0.95, "b": 0.35, "c": 0.6, "d": 0.025, "e": 0.175, "f": 0.8}),
    ("logconf", {"alpha": 0}, {i: weak for i, (weak, _) in RECORDED.items()}),
    ("entropy", {}, {"a": 0.85, "b": 0.575, "c": 0.4, "d": 0.035, "e": 0.45, "f": 0.785}),
]
NOTES = {
    "window": {"student's confidence below": pytest.approx(0.75)},
    "logconf": {
        "label prior": pytest.approx(2.8 / 6),
        "true from p": pytest.approx(1 - (0.4 + 0.05 / 3)),
    },
}


def built(folder, stage, told=RECORDED, **given):
    """A build over recorded weights."""
    roles = {"xent": ("weak",), "s2s": ("student",)}.get(stage, ("weak", "student"))
    specs = {role: f"replay:{folder / role}.jsonl" for role in roles}
    given |= {"out": folder / "data", "configs": folder, "store": folder / "s.sqlite"}
    asked = [{"id": i, "question": f"Is it {i}?", "answer": "yes"} for i in told]
    questions = recorded(folder, asked, told)
    models = Models(specs | {"strong": "hf:a/b"})
    return build(questions, models, method="eleuther", stage=stage, name="set", **given)


def set_rows(folder, name="set"):
    return [row for _, row in read_rows(folder / f"data/{name}.jsonl")]


@pytest.mark.parametrize(("stage", "settings", "expected"), BUILT)
def test_a_build_of_each_stage_holds_its_labels(tmp_path, stage, settings, expected):
    summary = built(tmp_path, stage, settings=settings, copies=600)
    found = set_rows(tmp_path)
    assert {row["id"]: row["p"] for row in found} == pytest.approx(expected)
    counted = Counter((row["id"], row["output"].strip()) for row in found)
    for i, p in expected.items():
        for choice, weight in (("yes", p), ("no", 1 - p)):
            assert abs(counted[i, choice] - 600 / len(expected) * weight) < 1
    gone = len(RECORDED) - len(expected)
    assert summary.dropped == ({"window: the student is sure": gone} if gone else {})
    if not settings:
        assert summary.notes.get(stage) == NOTES.get(stage)
    rounds = 2 if stage in ("window", "logconf", "entropy") else 1
    assert [each.asked for each in summary.rounds] == [12] * rounds
    dry = built(tmp_path, stage, settings=settings, copies=600, dry_run=True)
    assert [(each.asked, each.stored) for each in dry.rounds] == [(12, 12)] * rounds


def test_a_build_holds_out_soft_labels_as_they_are(tmp_path):
    told = {str(i): (0.2, 0.2) for i in range(300)}
    summary = built(tmp_path, "xent", told, eval_share=0.5)
    held = set_rows(tmp_path, "set.eval")
    assert summary.eval_rows == len(held) == 2 * len({row["id"] for row in held})
    true = statistics.fmean(row["output"].strip() == "yes" for row in held)
    assert true == pytest.approx(0.2, abs=0.08)


WEIGHED = "the weak model was asked"


@pytest.mark.parametrize(
    ("settings", "spec", "said"),
    [
        ({}, "hf:bundled/weak", r"k must be less than the number of rows \(5\), was: 50"),
        ({"k": 2}, "replay:them", "name it hf:MODEL"),
        ({"k": 2, "layer": 99}, "hf:bundled/weak", r"layer must be in \[0, \d\], was: 99"),
        ({"probe": "logreg"}, "hf:bundled/weak", WEIGHED),
    ],
)
def test_what_a_probe_cannot_do_is_told_before_a_model_is_asked(settings, spec, said):
    def weigh(rows, into, choices):
        raise W2SError(WEIGHED)

    weak = SimpleNamespace(dry_run=False, weigh=weigh)
    strong = SimpleNamespace(backend=backends.load(spec))
    with pytest.raises(W2SError, match=said):
        list(eleuther.probe(rows(5), weak=weak, strong=strong, notes={}, **settings))


@pytest.fixture
def questions(tmp_path):
    """Questions of two kinds that the tiny model's states tell apart by their last letter."""
    asked = [
        {"id": str(i), "question": f"number {i} {'ab'[i % 2] * 6}", "answer": ["yes", "no"][i % 2]}
        for i in range(24)
    ]
    write_rows(tmp_path / "q.jsonl", asked)
    return Questions(tasks.get("boolq"), "train_2", "file", str(tmp_path / "q.jsonl"))


@pytest.mark.parametrize(
    "settings", [{"use": "relabel"}, {"use": "filter"}, {"use": "both", "probe": "logreg"}]
)
def test_a_build_by_a_probe(questions, tmp_path, monkeypatch, settings):
    """Bundled models, real hidden states; built again it asks nothing and is byte-identical."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    models = Models({"weak": "hf:bundled/weak", "strong": "hf:bundled/weak"})
    how = {"method": "eleuther", "stage": "probe", "settings": {"k": 5, **settings}}
    summary = build(questions, models, name="p", **how)
    dropped = 2 if settings["use"] != "relabel" else 0
    assert summary.questions == 24
    assert summary.kept + sum(summary.dropped.values()) == 24
    assert sum(n for reason, n in summary.dropped.items() if "disagrees" in reason) == dropped
    assert summary.notes["probe"]["kept"] == 24 - dropped
    before = (tmp_path / "data/p.jsonl").read_bytes()
    again = build(questions, models, name="p", **how)
    assert [(each.asked, each.stored) for each in again.rounds] == [(48, 48)]
    assert (tmp_path / "data/p.jsonl").read_bytes() == before
    manifest = json.loads((tmp_path / "data/p.manifest.json").read_text("utf-8"))
    assert manifest["gold_seen"] is False


def test_states_beyond_float16_have_a_way_out(questions, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    from w2s_data.backends.engine import Engine

    own = Engine.hidden
    monkeypatch.setattr(Engine, "hidden", lambda *given: own(*given) * np.float32(1e7))
    monkeypatch.chdir(tmp_path)
    models = Models({"weak": "hf:bundled/weak", "strong": "hf:bundled/weak"})
    how = {"method": "eleuther", "stage": "probe", "name": "p"}
    with pytest.raises(W2SError, match="store them with dtype=float32"):
        build(questions, models, settings={"k": 5}, **how)
    found = build(questions, models, settings={"k": 5, "dtype": "float32"}, **how)
    assert found.kept + sum(found.dropped.values()) == 24


def test_a_plan_asks_as_many_questions_as_the_probe_has_neighbours(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    models = Models({"weak": "hf:bundled/weak", "strong": "hf:bundled/weak"})
    asked = Questions(tasks.get("math_right"), limit=60)
    found = plan(asked, models, probe=8, settings={"k": 12}, method="eleuther", stage="probe")
    assert (found.problem, found.probed) == ("", 16)
    assert found.kept == 60


def test_a_dry_run_reads_no_states(questions, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    models = Models({"weak": "hf:bundled/weak", "strong": "hf:bundled/weak"})
    how = {"method": "eleuther", "stage": "probe", "settings": {"k": 5}}
    summary = build(questions, models, dry_run=True, **how)
    assert [each.asked for each in summary.rounds] == [48]
    assert not list(tmp_path.rglob("*.npy"))


def reference_auroc(p, truth):
    pairs = [(a, b) for a, t in zip(p, truth) if t for b, s in zip(p, truth) if not s]
    return statistics.fmean((a > b) + (a == b) / 2 for a, b in pairs)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.7, 0.9]), st.booleans()), min_size=2))
def test_auroc_counts_pairs(pairs):
    p, truth = zip(*pairs)
    run = soft.Run(p, truth)
    everything = np.arange(len(p))
    assert run.accuracy(everything) == statistics.fmean((a > 0.5) == t for a, t in pairs)
    if len(set(truth)) == 2:
        assert run.auroc(everything) == pytest.approx(reference_auroc(p, truth))
    else:
        assert math.isnan(run.auroc(everything))


def files(tmp_path, name, sharpness, seeds=3, count=200):
    """Soft labels that tell the truth the better the sharper they are."""
    found = []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, int(10 * sharpness)])
        logits = rng.normal(size=count) + sharpness * (1 - 2 * (np.arange(count) % 2))
        p = 1 / (1 + np.exp(-logits))
        found.append(tmp_path / f"{name}.{seed}.jsonl")
        write_rows(found[-1], ({"id": str(i), "p": float(x)} for i, x in enumerate(p)))
    return found


@pytest.fixture
def test_split(tmp_path):
    asked = ({"id": str(i), "question": f"q{i}", "answer": i % 2} for i in range(200))
    write_rows(tmp_path / "q.jsonl", asked)
    return Questions(tasks.get("boolq"), "test", "file", str(tmp_path / "q.jsonl"))


def test_the_gap_recovered_lies_between_floor_and_ceiling(tmp_path, test_split, monkeypatch):
    monkeypatch.setattr(soft, "DRAWS", 300)
    floor, middle, ceiling = (files(tmp_path, str(x), x) for x in (0.3, 0.8, 1.5))
    found = soft.soft_score(middle, test_split, floor=floor, ceiling=ceiling)
    for measure in (found.accuracy, found.auroc, found.accuracy_gap, found.auroc_gap):
        assert measure.low < measure.value < measure.high
    assert 0.1 < found.accuracy_gap.value < 0.9
    zero = soft.soft_score(floor, test_split, floor=floor, ceiling=ceiling)
    assert tuple(zero.auroc_gap) == (0, 0, 0)
    one = soft.soft_score(ceiling, test_split, floor=floor, ceiling=ceiling)
    assert tuple(one.accuracy_gap) == (1, 1, 1)
    none = soft.soft_score(middle, test_split, floor=floor, ceiling=floor)
    assert none.accuracy_gap.value is None
    assert soft.soft_score(middle, test_split).auroc_gap is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "0", "p": 2}, "p must be a number in .0, 1., was: 2"),
        ({"id": "x", "p": 0.5}, "id 'x' is no question of this split"),
        ({"id": "0"}, "p must be a number"),
        ({"id": "0", "p": True}, "p must be a number"),
        ({"id": "1", "p": 0.5}, "id '1' stands there already"),
    ],
)
def test_bad_files_are_named(tmp_path, test_split, row, said):
    write_rows(tmp_path / "bad.jsonl", [{"id": "1", "p": 0.5}, row])
    with pytest.raises(W2SError, match=rf"bad.jsonl:2: {said}"):
        soft.soft_score([tmp_path / "bad.jsonl"], test_split)


def test_files_must_fit_together(tmp_path, test_split):
    one, two = files(tmp_path, "one", 1, seeds=1), files(tmp_path, "two", 1, seeds=2)
    with pytest.raises(W2SError, match="as many files"):
        soft.soft_score(one, test_split, floor=two, ceiling=two)
    write_rows(tmp_path / "short.jsonl", [{"id": "1", "p": 0.5}])
    with pytest.raises(W2SError, match=r"same questions: .* one alone has '0', .* 199 in all"):
        soft.soft_score([*one, tmp_path / "short.jsonl"], test_split)


def test_files_of_as_many_other_questions_do_not_fit_together(tmp_path, test_split):
    for name, ids in (("low", range(20)), ("high", range(20, 40))):
        write_rows(tmp_path / f"{name}.jsonl", ({"id": str(i), "p": 0.5} for i in ids))
    low, high = [tmp_path / "low.jsonl"], [tmp_path / "high.jsonl"]
    with pytest.raises(W2SError, match=r"same questions: of .*low.jsonl and .*high.jsonl one"):
        soft.soft_score(low, test_split, floor=low, ceiling=high)


def test_a_task_that_is_not_binary_has_no_soft_score(tmp_path):
    write_rows(tmp_path / "s.jsonl", [{"id": "0", "p": 0.5}])
    with pytest.raises(W2SError, match="has no two choices: take a binary task"):
        soft.soft_score([tmp_path / "s.jsonl"], Questions(tasks.get("math"), "test"))


def test_without_both_classes_there_is_no_auroc_and_it_is_said_why(tmp_path, test_split):
    one = tmp_path / "one.jsonl"
    write_rows(one, [{"id": "1", "p": 0.3}, {"id": "3", "p": 0.4}])
    alone = soft.soft_score([one], test_split).facts()
    reason = "none (the right answer is the same choice everywhere)"
    assert alone["AUROC"] == reason
    assert str(alone["accuracy"]) == "1.000 (1.000 to 1.000)"
    told = soft.soft_score([one], test_split, floor=[one], ceiling=[one]).facts()
    assert told["gap recovered, AUROC"] == reason
    assert told["gap recovered, accuracy"] == "none (floor and ceiling are the same)"


def test_soft_writes_a_row_a_question(questions, tmp_path):
    pytest.importorskip("torch")
    models = Models({"model": "hf:bundled/weak"})
    out, store = tmp_path / "soft.jsonl", tmp_path / "s.sqlite"
    summary = soft.soft(questions, models, out=out, store=store)
    assert summary.rows == 24
    found = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["id"] for row in found] == [str(i) for i in range(24)]
    with Store(store) as opened:
        sampler = Sampler("model", "hf:bundled/weak", questions.task, opened)
        for row, same in zip(eleuther.labelled(questions.rows(), sampler, "p"), found):
            assert row["p"] == same["p"]
