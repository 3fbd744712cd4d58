"""The story of a row, held against the rows, the store and builds with other settings."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_build import FIVE, run, say, world

from w2s_data import tasks
from w2s_data.build import Models, Questions, build
from w2s_data.cli import main
from w2s_data.errors import W2SError
from w2s_data.explain import explain, tell
from w2s_data.io import read_rows, write_rows
from w2s_data.store import Store

VOTES = {
    "agrees": (1, [1, 1, 1, 1, 2]),
    "overruled": (2, [1, 1, 1, 1, 2]),
    "unsure": (1, [1, 1, 2, 2, 3]),
    "contradicts": (2, [1, 1, 1, 2, 3]),
    "easy": (1, [1] * 5),
    "mute": (None, [1, 1, 1, 1, None]),
    "sure": (2, [1] * 5),
}
ENDINGS = {
    "agrees": ("kept", {("confidence", "confidence below the threshold")}),
    "overruled": (
        "kept",
        {
            ("confidence", "confidence below the threshold"),
            ("overrule", "confidence too low to overrule the weak answer"),
        },
    ),
    "unsure": ("confidence below the threshold", {("confidence", "kept")}),
    "contradicts": ("confidence too low to overrule the weak answer", {("overrule", "kept")}),
    "easy": ("too easy: no sample has another answer", set()),
    "mute": ("weak: no answer", {("confidence", "confidence below the threshold")}),
    "sure": ("kept", set()),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A stage-II set with a row of each ending."""
    folder = tmp_path_factory.mktemp("built")
    answers = {
        i: (say(weak), "", [f"Try {k}. {say(vote)}" for k, vote in enumerate(votes)])
        for i, (weak, votes) in VOTES.items()
    }
    run(folder, world(folder, answers), settings={"n": 5})
    return folder


@pytest.mark.parametrize("row_id", VOTES)
def test_a_row_s_ending_and_what_decided(built, row_id):
    story = explain(row_id, "set", folder=built / "data")
    ending, decided = ENDINGS[row_id]
    assert story.ending == ending
    assert {(one.setting, one.then) for one in story.decided} == decided
    assert bool(story.rows) == (ending == "kept")


def test_settings_decide_where_the_story_says(built, tmp_path):
    """Building with the other value, and with one short of it, ends the row as told."""
    told = 0
    for row_id in VOTES:
        for one in explain(row_id, "set", folder=built / "data").decided:
            step = 1e-4 if one.other > one.value else -1e-4
            for value, ending in ((one.other + step, one.then), (one.other - step, None)):
                folder = tmp_path / f"{row_id} {one.setting} {value:.5f}"
                shutil.copytree(built, folder)
                specs = {n: f"replay:{folder / n}.jsonl" for n in ("weak", "student")}
                changed = {"n": 5, one.setting: min(1.0, max(0.0, value))}
                run(folder, specs, settings=changed)
                assert _ending(folder, row_id) == (ending or ENDINGS[row_id][0])
                told += 1
    assert told == 12


def _ending(folder, row_id):
    dropped = [row for _, row in read_rows(folder / "data" / "set.dropped.jsonl")]
    return next((row["dropped"] for row in dropped if row["id"] == row_id), "kept")


def test_samples_answers_classes_and_vote(built):
    story = explain("overruled", "set", folder=built / "data")
    weak, samples = story.asked
    assert (weak.round, weak.role, weak.answers) == ("weak", "weak", ["2"])
    assert samples.answers == ["1", "1", "1", "1", "2"]
    assert samples.classes == ["A", "A", "A", "A", "B"]
    assert weak.classes == ["B"]
    assert story.classes == {"A": "1", "B": "2"}
    assert (samples.vote["answer"], samples.vote["confidence"]) == ("1", 0.8)
    assert story.facts["confidence"] == 0.8
    assert story.settings["overrule"] == 0.8
    row = story.rows[0]["row"]
    assert (row["rejected"], row["chosen"][:4]) == (say(2), "Try ")
    place, _, line = story.rows[0]["at"].rpartition(":")
    assert json.loads(Path(place).read_text().splitlines()[int(line) - 1]) == row
    with Store(built / "store.sqlite") as store:
        keys = {key for (key,) in store._db.execute("SELECT DISTINCT key FROM response")}
    assert {weak.key, samples.key} <= keys


def test_a_story_is_told_for_any_stage_and_other_rows_do_not_change_it(built, tmp_path):
    """Stage I shows other rows as demonstrations; the row's own samples still end it."""
    answers = {str(i): (say(i % 2), say(i % 3 % 2), []) for i in range(6)}
    run(tmp_path, world(tmp_path, answers), "sft")
    for i in answers:
        story = explain(i, "set", folder=tmp_path / "data")
        agree = int(i) % 2 == int(i) % 3 % 2
        assert story.ending == ("kept" if agree else "answers different")
        assert [one.round for one in story.asked] == ["weak", "icl"]
        assert story.decided == []
        assert len(story.rows) == 2 * agree


def test_gold_stages_are_explained(tmp_path):
    rows = [{"id": "a", "question": "1+1?", "answer": "2"}]
    write_rows(tmp_path / "questions.jsonl", rows)
    build(
        Questions(tasks.get("gsm8k"), source="file", file=str(tmp_path / "questions.jsonl")),
        Models({"strong": "hf:a/b"}),
        method="baselines",
        stage="ceiling",
        name="set",
        out=tmp_path / "data",
        configs=tmp_path / "configs",
        store=tmp_path / "store.sqlite",
    )
    story = explain("a", "set", folder=tmp_path / "data")
    assert (story.ending, story.asked, story.decided) == ("kept", [], [])


HOSTILE = "\x1b[2J\x07 ‮ <script> [bold]x[/bold] \n#### 1"


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(max_size=60) | st.just(HOSTILE))
def test_the_text_shows_what_a_terminal_may_see(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("hostile")
    specs = world(folder, {"a": (say(1), "", [f"{said} {say(k % 2)}" for k in range(5)])})
    try:
        run(folder, specs, settings={"n": 5, "confidence": 0.0, "overrule": 0.0})
    except W2SError:
        return
    text = tell(explain("a", "set", folder=folder / "data"), full=True)
    assert all(c.isprintable() or c == "\n" for c in text)


def test_models_that_are_gone_are_not_needed(tmp_path):
    """Replayed files deleted, an adapter trained anew: the store and the manifest suffice."""
    run(tmp_path, world(tmp_path, FIVE), settings={"n": 5})
    for name in ("weak", "student"):
        (tmp_path / f"{name}.jsonl").unlink()
    assert explain("1", "set", folder=tmp_path / "data").asked[1].samples


def test_what_is_missing_is_said(built, tmp_path):
    with pytest.raises(W2SError, match="set has no row 'agree'; the nearest: agrees, "):
        explain("agree", "set", folder=built / "data")
    shutil.copytree(built, tmp_path / "moved")
    folder = tmp_path / "moved" / "data"
    (tmp_path / "moved" / "store.sqlite").rename(tmp_path / "elsewhere.sqlite")
    with pytest.raises(W2SError, match="no such response store; name it with --store"):
        explain("agrees", "set", folder=folder)
    assert explain("agrees", "set", folder=folder, store=tmp_path / "elsewhere.sqlite").rows
    Store(tmp_path / "empty.sqlite").close()
    before = (tmp_path / "empty.sqlite").stat().st_size
    with pytest.raises(W2SError, match=r"lacks 7 responses of weak \(weak\)"):
        explain("agrees", "set", folder=folder, store=tmp_path / "empty.sqlite")
    assert (tmp_path / "empty.sqlite").stat().st_size == before
    rows = [{"id": i, "question": f"What is {i}, really?"} for i in VOTES]
    write_rows(tmp_path / "moved" / "questions.jsonl", rows)
    with pytest.raises(W2SError, match="lacks 7 responses of weak"):
        explain("agrees", "set", folder=folder, store=tmp_path / "elsewhere.sqlite")
    (folder / "set.manifest.json").unlink()
    with pytest.raises(W2SError, match="set has no manifest"):
        explain("agrees", "set", folder=folder)


def test_the_command(built, monkeypatch):
    from click.testing import CliRunner

    monkeypatch.chdir(built)
    told = CliRunner().invoke(main, ["explain", "contradicts", "set"])
    assert "overrule=0.8 decided: with at most 0.6, kept" in told.stdout
    assert "A: 1 (samples 3)" in told.stdout
    story = CliRunner().invoke(main, ["explain", "contradicts", "set", "--json"])
    assert json.loads(story.stdout)["decided"][0]["setting"] == "overrule"
    audited = CliRunner().invoke(main, ["audit", "set", "--gold", "task"])
    assert audited.exit_code == 2
    assert "no answer" in audited.stderr
