"""What reads a set of soft labels (two weighted rows a question): audit, check and explain."""

import pytest
from recorded import recorded
from test_audit import written

from w2s_data import tasks
from w2s_data.audit import audit, facts
from w2s_data.build import build
from w2s_data.check import check
from w2s_data.explain import explain, tell
from w2s_data.inputs import Models
from w2s_data.io import read_rows, write_rows
from w2s_data.plan import plan

BOOLQ = tasks.get("boolq")
# By question: gold, the weak model's p(yes), the student's.
SOFT = {
    "a": ("yes", 0.9, 0.8),
    "b": ("yes", 0.7, 0.45),
    "c": ("yes", 0.2, 0.6),
    "d": ("no", 0.05, 0.02),
    "e": ("no", 0.35, 0.55),
    "f": ("no", 0.6, 0.97),
}
LONG = " ".join(f"{a}o{b}" for a in "bdfghklmn" for b in "bdfghklmnprst")


def world(folder, soft=SOFT):
    """Questions with their answers, and what two models weigh the choices."""
    asked = [
        {"id": i, "question": LONG.replace("o", i), "answer": gold}
        for i, (gold, *_) in soft.items()
    ]
    return recorded(folder, asked, {i: told for i, (_, *told) in soft.items()})


def run(folder, stage="xent", name="set", **given):
    """A build of an eleuther stage over recorded weights."""
    roles = ("weak",) if stage == "xent" else ("weak", "student")
    specs = {role: f"replay:{folder / role}.jsonl" for role in roles}
    return build(
        world(folder),
        Models(specs | {"strong": "hf:a/b"}),
        method="eleuther",
        stage=stage,
        name=name,
        out=folder / "data",
        configs=folder / "configs",
        store=folder / "store.sqlite",
        **given,
    )


def test_a_soft_label_is_audited_as_its_likelier_choice(tmp_path):
    run(tmp_path, copies=60)
    found = audit(["set"], gold="task", folder=tmp_path / "data")[0]
    assert (found.labels.rows, found.labels.questions, found.soft) == (6, 6, 60)
    assert (found.labels.right.count, found.labels.wrong.count) == (4, 2)
    assert found.measures.keys() == {"confidence"}
    confidence = found.measures["confidence"]
    told = {b.labels.right.count: [] for b in confidence.bins}
    for b in confidence.bins:
        told[b.labels.right.count].append(pytest.approx(b.mean))
    assert told == {0: [0.6, 0.8], 1: [0.65, 0.7, 0.9, 0.95]}
    # Of the right and the wrong ones, six of eight pairs are in order.
    assert confidence.auroc == 6 / 8
    assert confidence.error == pytest.approx((0.6 + 0.8 + 0.35 + 0.3 + 0.1 + 0.05) / 6)
    assert facts(found)["labels"]["rows of soft labels"] == "60"


def test_a_filter_of_soft_labels_has_precision_and_recall(tmp_path):
    """The window keeps b, c and e, of which the student is unsure; c's label is wrong."""
    run(tmp_path, name="all", copies=40)
    run(tmp_path, "window", copies=40, settings={"radius": "0.15"})
    kept = {row["id"] for _, row in read_rows(tmp_path / "data/set.jsonl")}
    assert kept == {"b", "c", "e"}
    told = audit(["set"], gold="task", folder=tmp_path / "data")[0]
    same = audit(["set"], gold="task", folder=tmp_path / "data", before="all")[0]
    for found in (told, same):
        assert (found.filter.precision.count, found.filter.precision.of) == (2, 3)
        assert (found.filter.recall.count, found.filter.recall.of) == (2, 4)
        assert (found.filter.lost.count, found.filter.lost.of) == (2, 3)
        assert found.filter.unknown == 0
    assert told.filter.reasons.keys() == {"window: the student is sure"}
    assert told.measures.keys() == {"confidence"}


def test_numbers_called_p_and_weight_of_other_sets_are_columns(tmp_path):
    """A task without two choices has no soft labels."""
    asked = [{"id": i, "question": f"What is {i}?", "answer": "1"} for i in "ab"]
    write_rows(tmp_path / "gold.jsonl", asked)
    rows = [
        {"id": i, "prompt": i, "response": f"#### {k}", "p": 0.5, "weight": 0.5}
        for k, i in enumerate("ab")
    ]
    written(tmp_path, rows)
    gold, task = tmp_path / "gold.jsonl", tasks.get("gsm8k")
    found = audit(["set"], gold=gold, folder=tmp_path, task=task)[0]
    assert (found.labels.rows, found.soft) == (2, 0)
    assert found.measures.keys() == {"p", "weight"}


def near(folder):
    """How many rows are near duplicates of an earlier one."""
    found = check(folder / "data", ask_trainer=False)
    return sum(one.count for one in found if one.code == "W902")


def test_the_choices_of_a_question_are_no_near_duplicates(tmp_path):
    run(tmp_path)
    found = check(tmp_path / "data", ask_trainer=False)
    assert [one.code for one in found] == []
    # A question that is nearly another one is found still, whatever it is answered.
    rows = [row for _, row in read_rows(tmp_path / "data/set.jsonl")]
    again = [
        rows[0] | {"id": "x", "instruction": f"Well, {rows[0]['instruction']}", "output": said}
        for said in (" yes", " no")
    ]
    write_rows(tmp_path / "data/set.jsonl", [*rows, again[0]])
    assert near(tmp_path) >= 1
    write_rows(tmp_path / "data/set.jsonl", [*rows, again[1]])
    assert near(tmp_path) >= 1


@pytest.mark.parametrize(
    ("one", "other", "count"),
    [
        (" yes", " no", 0),
        (" it is a cat", " it is a dog", 0),
        (" yes", " Yes.", 1),
        (LONG, f"{LONG} indeed", 1),
    ],
)
def test_rows_of_one_prompt_are_near_when_their_responses_are(tmp_path, one, other, count):
    (tmp_path / "data").mkdir()
    rows = [
        {"id": str(k), "prompt": f"{LONG[::-1]}?", "response": text}
        for k, text in enumerate((one, other))
    ]
    written(tmp_path / "data", rows)
    assert near(tmp_path) == count


def told(folder, row_id):
    story = explain(row_id, "set", folder=folder / "data")
    return story, tell(story)


def test_weighed_choices_are_no_vote(tmp_path):
    run(tmp_path)
    story, text = told(tmp_path, "a")
    assert (story.ending, story.classes, story.decided) == ("kept", {}, [])
    assert [one.vote for one in story.asked] == [{}]
    assert story.facts["p"] == pytest.approx(0.9)
    assert "choice, log-probability -0.105\n      yes" in text
    assert "choice, log-probability -2.303\n      no" in text
    assert "vote" not in text
    assert "class" not in text
    assert "otherwise" not in text


def test_a_setting_that_is_text_is_not_said_to_decide_nothing(tmp_path):
    """With a radius of .15 b is kept and a is dropped; .36 would have kept it."""
    run(tmp_path, "window", settings={"radius": "0.15"})
    for row_id, ending in (("a", "window: the student is sure"), ("b", "kept")):
        story, text = told(tmp_path, row_id)
        assert (story.ending, story.decided, story.tried) == (ending, [], [])
        assert "otherwise" not in text
        assert "Not tried on this row alone: radius." in text


@pytest.mark.parametrize("stage", ["window", "logconf"])
def test_a_cut_over_all_questions_hangs_on_other_rows(tmp_path, stage):
    """By the median, or by the prior: whether or not the row alone ends alike."""
    run(tmp_path, stage)
    for row_id in SOFT:
        story, text = told(tmp_path, row_id)
        assert story.decided is None
        assert "It hangs on other rows, too" in text


def test_a_number_of_the_row_s_own_is_tried(tmp_path):
    run(tmp_path, "entropy")
    story, text = told(tmp_path, "a")
    assert (story.decided, story.tried) == ([], ["alpha"])
    assert "no other alpha would have ended it otherwise" in text
    assert "Not tried" not in text


def test_a_row_without_a_copy_hangs_on_other_rows(tmp_path):
    run(tmp_path, copies=2)
    dropped = [row for _, row in read_rows(tmp_path / "data/set.dropped.jsonl")]
    story, text = told(tmp_path, dropped[0]["id"])
    assert (story.ending, story.decided) == ("weights: no copy in the budget", None)
    assert "It hangs on other rows, too" in text


def test_weights_that_are_not_used_are_told(tmp_path):
    told = "not used: every row stands once, whatever its 'weight'"
    summary = run(tmp_path, weights="none")
    assert (summary.rows, summary.facts()["weights"]) == (12, told)
    assert isinstance(run(tmp_path).notes["weights"], dict)


def probed(folder, make, **given):
    """A plan or a build of a probe, by bundled models that weigh and are looked into."""
    return make(
        world(folder),
        Models({"weak": "hf:bundled/weak", "strong": "hf:bundled/weak"}),
        method="eleuther",
        stage="probe",
        settings={"k": 3, "use": "filter", "contamination": 0.4},
        name="set",
        out=folder / "data",
        configs=folder / "configs",
        store=folder / "store.sqlite",
        **given,
    )


def test_a_probe_s_set_is_planned_built_and_read(tmp_path):
    """What plan foretells is built; the audit knows what the filter lost, explain that it cut."""
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    foretold = probed(tmp_path, plan, probe=60)
    assert (foretold.problem, foretold.probed, foretold.questions) == ("", 6, 6)
    summary = probed(tmp_path, build)
    dropped = sum(n for why, n in summary.dropped.items() if why.startswith("knn"))
    assert (foretold.kept, dropped) == (6 - dropped, 2)
    assert near(tmp_path) == 0
    found = audit(["set"], gold="task", folder=tmp_path / "data")[0]
    assert found.filter.lost.of == 6 - summary.kept
    assert found.filter.unknown == 0
    assert found.measures.keys() == {"confidence"}
    for row_id in SOFT:
        story, text = told(tmp_path, row_id)
        assert (story.decided, story.classes) == (None, {})
        assert "vote" not in text
