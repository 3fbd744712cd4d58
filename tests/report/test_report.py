"""The report's figures against direct counts; every row is in the page, none as markup."""

import base64
import html
import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sets_for_report import table, unpack, write_set

from w2s_data.errors import W2SError
from w2s_data.io import write_rows
from w2s_data.report import report
from w2s_data.report.figures import Bins
from w2s_data.report.pack import Blocks

QUESTIONS = 60


def said(value):
    return f"So it is.\n#### {value}"


def truth(i):
    return i % 4


def weak(i):
    """A weak answer that is wrong for every third question."""
    return truth(i) if i % 3 else truth(i) + 1


def columns(i):
    return {"confidence": 0.5 + i % 5 / 10, "entropy": [0.0, 0.5, 1.0][i % 3], "score": i % 7 / 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """60 questions, every fifth dropped; labels as `weak` says; gold with levels."""
    tmp_path = tmp_path_factory.mktemp("sets")
    asked = {i: f"Question: What is {i}?\nAnswer:" for i in range(QUESTIONS)}
    kept = [
        {"id": str(i), "prompt": asked[i], "chosen": said(weak(i)), "rejected": said(9)}
        | columns(i)
        for i in range(QUESTIONS)
        if i % 5
    ]
    dropped = [
        {"id": str(i), "question": f"What is {i}?", "prompt": asked[i], "answer": str(weak(i))}
        | columns(i)
        | {"dropped": "too easy" if i % 2 else "confidence below the threshold"}
        for i in range(0, QUESTIONS, 5)
    ]
    counts = {"questions": 60, "kept": 48, "dropped": Counter(r["dropped"] for r in dropped)}
    write_set(tmp_path, "set", kept, dropped, counts=counts | {"rows": 48}, gold_seen=False)
    gold = [
        {"id": str(i), "question": f"What is {i}?", "answer": str(truth(i)), "level": i % 2 + 1}
        for i in range(QUESTIONS)
    ]
    write_rows(tmp_path / "gold.jsonl", gold)
    return tmp_path


def written(folder, names=("set",), **given):
    report(names, folder=folder, out=folder / "report.html", **given)
    return (folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def judged(folder):
    """The set's page, with gold."""
    return written(folder, gold=folder / "gold.jsonl")


@pytest.mark.parametrize("column", ["confidence", "entropy", "score"])
def test_right_and_wrong_rows_by_value(judged, column):
    """Reliability-Aware Alignment, figures 3 and 5."""
    rows = table(judged, column.capitalize())
    direct = Counter((f"{columns(i)[column]:.3g}", weak(i) == truth(i)) for i in range(QUESTIONS))
    shown = {
        (row["value"], right): int(row[name])
        for row in rows
        for right, name in ((True, "right"), (False, "wrong"))
        if int(row[name])
    }
    assert {(f"{float(v):.3g}", right): n for (v, right), n in shown.items()} == direct
    for row in rows:
        right, wrong = int(row["right"]), int(row["wrong"])
        assert float(row["accuracy"]) == pytest.approx(right / (right + wrong), abs=5e-4)


def test_mean_score_by_true_and_weak_label(judged):
    """Reliability-Aware Alignment, figures 4 and 6."""
    rows = table(judged, "Mean score by true and weak label")
    sums = {}
    for i in range(QUESTIONS):
        sums.setdefault((str(truth(i)), str(weak(i))), []).append(columns(i)["score"])
    assert {
        (r["true label"], r["weak label"]): (float(r["mean"]), int(r["rows"])) for r in rows
    } == {
        key: (pytest.approx(sum(found) / len(found), abs=5e-4), len(found))
        for key, found in sums.items()
    }


def test_the_funnel_is_the_manifests(folder):
    rows = table(written(folder), "From questions to rows")
    counts = {row["step"]: int(row["count"]) for row in rows}
    names = ("questions", "kept", "rows", "dropped: too easy")
    assert [counts[name] for name in names] == [60, 48, 48, 6]


def test_levels_and_lengths(judged):
    levels = {row["level"]: row for row in table(judged, "Level")}
    for level in (1, 2):
        mine = [i for i in range(QUESTIONS) if i % 2 + 1 == level]
        assert int(levels[str(level)]["kept"]) == sum(i % 5 > 0 for i in mine)
        assert int(levels[str(level)]["right"]) == sum(weak(i) == truth(i) for i in mine)
    assert sum(int(row["count"]) for row in table(judged, "Length")) == 2 * 48


def test_without_gold_nothing_is_judged(folder):
    page = written(folder)
    assert "accuracy" not in page
    assert "verdict" not in json.dumps(unpack(page)[1])


def test_a_stages_own_judgement_is_drawn(tmp_path):
    """What reliability's stage `calibrate` leaves: the column `correct`, without gold here."""
    rows = [
        {"id": str(i), "prompt": "p", "chosen": "c", "rejected": "r", "answer": str(weak(i))}
        | columns(i)
        | {"correct": weak(i) == truth(i)}
        for i in range(QUESTIONS)
    ]
    write_set(tmp_path, "set", rows, [])
    page = written(tmp_path)
    right = [i for i in range(QUESTIONS) if weak(i) == truth(i)]
    assert sum(int(row["right"]) for row in table(page, "Entropy")) == len(right)
    means = {r["weak label"]: r for r in table(page, "Mean score by true and weak label")}
    mean = sum(columns(i)["score"] for i in right) / len(right)
    assert float(means["right"]["mean"]) == pytest.approx(mean, abs=5e-4)
    assert int(means["wrong"]["rows"]) == QUESTIONS - len(right)


def test_a_recorded_answer_counts_before_the_responses(tmp_path):
    """A permuted choice: the response names its own letter, `answer` the question's."""
    row = {"id": "1", "prompt": "What is 1?", "chosen": said(7), "rejected": "r", "answer": "1"}
    write_set(tmp_path, "set", [row | {"entropy": 0.0}], [])
    gold = [{"id": "1", "question": "What is 1?", "answer": "1"}]
    write_rows(tmp_path / "gold.jsonl", gold)
    assert table(written(tmp_path, gold=tmp_path / "gold.jsonl"), "Entropy")[0]["right"] == "1"


def test_audit_figures_stand_in_the_page(judged):
    page = html.unescape(judged)
    right = sum(weak(i) == truth(i) for i in range(QUESTIONS) if i % 5)
    assert f"{right / 48:.3f}" in page[page.index("Audit:") :]


def test_every_row_is_in_the_page(folder):
    index, rows = unpack(written(folder))
    assert sorted(int(row["id"]) for row in rows) == list(range(QUESTIONS))
    statuses = [index["groups"][group][1] for group in index["rows"]]
    assert Counter(statuses) == {"kept": 48, "too easy": 6, "confidence below the threshold": 6}
    assert set(rows[0]["sides"]) == {"chosen", "rejected"}


def test_same_set_same_bytes(folder, judged):
    assert written(folder, gold=folder / "gold.jsonl") == judged


def test_a_set_from_elsewhere(tmp_path):
    """No manifest, no ids, no dropped rows."""
    rows = [{"instruction": "Hi", "output": f"Hello {i}"} for i in range(3)]
    (tmp_path / "foreign.json").write_text(json.dumps(rows))
    (tmp_path / "dataset_info.json").write_text('{"mine": {"file_name": "foreign.json"}}')
    _, shown = unpack(written(tmp_path, ["mine"]))
    assert [row["sides"]["response"] for row in shown] == ["Hello 0", "Hello 1", "Hello 2"]


def test_several_sets_in_one_page(folder):
    write_set(folder, "other", [{"id": "a", "prompt": "p", "chosen": "c", "rejected": "r"}], [])
    index, rows = unpack(written(folder, ["set", "other", "set"]))
    assert len(rows) == 61
    assert {name for name, _ in index["groups"]} == {"set", "other"}


def test_mistakes_are_one_sentence(folder, monkeypatch):
    out = folder / "new.html"
    with pytest.raises(W2SError, match="did you mean 'set'"):
        report(["sat"], folder=folder, out=out)
    write_rows(folder / "far.jsonl", [{"id": "x", "question": "Who?", "answer": "1"}])
    with pytest.raises(W2SError):
        report(["set"], folder=folder, out=out, gold=folder / "far.jsonl")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(W2SError, match=re.escape("pip install 'w2s_data[report]'")):
        report(["set"], folder=folder, out=out)
    assert not out.exists()


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.names, self.attributes = set(), set()
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


HOSTILE = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "]]>", "\ud800&\0"]


def test_hostile_names_stay_inside_charts_and_tables(folder, tmp_path):
    """Levels, reasons, columns and sides are text from outside, too."""
    meta = [{"level": text, "subject": text[::-1]} for text in HOSTILE]
    dropped = [
        {"id": str(i), "prompt": "p", "meta": each, "dropped": HOSTILE[i], HOSTILE[i]: i / 2}
        | {HOSTILE[i] * 3: "long " * 30}
        for i, each in enumerate(meta)
    ]
    kept = [
        {"id": "k", "prompt": "p", "chosen": "c", "rejected": "r", text: "long " * 30, text[1:]: 1}
        for text in HOSTILE
    ]
    counts = {"questions": 5, "dropped": dict.fromkeys(HOSTILE, 1)}
    write_set(tmp_path, "set", kept, dropped, counts=counts, notes=dict.fromkeys(HOSTILE, HOSTILE))
    page = written(tmp_path, gold=None)
    assert page.count("<script") == page.count("</script>") == 1 + page.count('"application/gzip"')
    found, harmless = Tags(page), Tags(written(folder))
    assert found.names <= harmless.names
    assert found.attributes <= harmless.attributes
    for image in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page):
        drawn = ElementTree.fromstring(base64.b64decode(image))
        names = {element.tag.rpartition("}")[2] for element in drawn.iter()}
        assert not names & {"script", "image", "foreignObject", "a"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.lists(st.tuples(JSON, st.integers(0, 5)), max_size=30), st.integers(1, 200))
def test_blocks_give_back_the_rows(rows, size):
    from w2s_data.report import pack

    before, pack.BLOCK = pack.BLOCK, size
    try:
        blocks = Blocks()
        for row, group in rows:
            blocks.add(row, group)
        packed = "".join(f'<script type="application/gzip">{b}</script>' for b in blocks)
    finally:
        pack.BLOCK = before
    index = f'<script type="application/gzip">{pack.packed("{}")}</script>'
    assert unpack(packed + index)[1] == [row for row, _ in rows]
    assert blocks.groups == [group for _, group in rows]
    starts = [*blocks.starts, len(rows)] if rows else []
    assert starts == sorted(set(starts))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_every_value_has_a_bin(values):
    bins = Bins(values)
    assert {bins.name(value) for value in values} <= set(bins.names)
    assert len(bins.names) <= 20
