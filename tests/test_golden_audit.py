"""The audit of Weak-to-Strong Reasoning's published GSM8K sets against a script of ten lines that
reads the published fields alone."""

import json
import os
import re
from pathlib import Path

import pytest

from w2s_data import tasks
from w2s_data.audit import audit

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).parents[2] / "shared"))
GAIR = SHARED / "golden" / "gair"
RESULTS = GAIR / "gsm8k_llama2_7b_results.jsonl"
SETS = ("full_weak", "iter1_weak", "iter1_icl", "iter1_hybrid", "iter2_weak", "iter2_icl")

pytestmark = [
    pytest.mark.golden,
    pytest.mark.skipif(not GAIR.is_dir(), reason="the published data is not beside the repository"),
]


def published(name):
    return json.loads((GAIR / f"gsm8k_llama2_7b_{name}.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gair")
    named = {n: {"prompt": "content", "response": "output"} for n in SETS}
    named["iter2_hybrid_paired"] = {"prompt": "instruction", "response": "output"}
    info = {
        name: {
            "file_name": str(GAIR / f"gsm8k_llama2_7b_{name}.json"),
            "ranking": name.endswith("paired"),
            "columns": columns,
        }
        for name, columns in named.items()
    }
    (folder / "dataset_info.json").write_text(json.dumps(info))

    def run(compat):
        found = audit(
            list(info),
            gold=RESULTS,
            folder=folder,
            task=tasks.get("gsm8k"),
            before="full_weak",
            compat=compat,
        )
        return {one.name: one for one in found}

    return {"published": run("w2s-reasoning"), "default": run(None)}


def script():
    """Per set whether each label is right, and whether each pair's two sides are: `result` where
    it is published, and elsewhere the number after `####` against `gold`."""
    results = {row["id"]: row for row in map(json.loads, RESULTS.open(encoding="utf-8"))}
    right = {}
    for name in SETS:
        for row in published(name):
            weak = results[row["id"]]
            known = weak["result"] if row["output"] == weak["response"] else None
            told = last(row["output"]) == weak["gold"] if known is None else known
            right.setdefault(name, []).append(told)
    pairs = [
        tuple(last(text) == results[row["id"]]["gold"] for text in row["output"])
        for row in published("iter2_hybrid_paired")
    ]
    return right, pairs


def last(text):
    """The number after `####`, or after an equation there, as `pred` is spelled."""
    found = re.search(r"####(.*)", text)
    number = re.sub(r"[$,\s]", "", found.group(1)).rpartition("=")[2] if found else ""
    return number.removesuffix(".").removesuffix(".00")


def test_labels_and_filters(audited):
    right, _ = script()
    assert sum(right["full_weak"]) == 2896  # as published
    for name, results in right.items():
        found = audited["published"][name]
        assert (found.labels.rows, found.labels.right.count) == (len(results), sum(results))
        assert found.labels.right.share == sum(results) / len(results)
        assert (found.labels.undecided.count, found.unmatched) == (0, 0)
    for name in ("iter1_weak", "iter2_weak"):
        found = audited["published"][name].filter
        assert found.precision.share == sum(right[name]) / len(right[name])
        assert found.lost.of == 7000 - len(right[name])
    found = audited["published"]["iter1_weak"].filter
    assert found.recall.share == sum(right["iter1_weak"]) / sum(right["full_weak"])


def test_pairs(audited):
    _, pairs = script()
    found = audited["published"]["iter2_hybrid_paired"].pairs
    kinds = {
        "correct": (True, False),
        "both_right": (True, True),
        "neither_right": (False, False),
        "inverted": (False, True),
    }
    for kind, sides in kinds.items():
        share = getattr(found, kind)
        assert (share.count, share.of) == (pairs.count(sides), len(pairs)), kind
    assert found.chosen_right.count == sum(chosen for chosen, _ in pairs)
    assert found.rejected_wrong.count == sum(not rejected for _, rejected in pairs)


def test_by_value_some_more_labels_are_right(audited):
    """`6.50` is `6.5`: what the published strings miss. No pair's sides are both right by them."""
    by_string, by_value = audited["published"], audited["default"]
    for name in SETS:
        strings, values = (by[name].labels.right.count for by in (by_string, by_value))
        assert strings <= values <= strings + 20
    assert by_value["full_weak"].labels.right.count == 2909
    assert by_string["iter2_hybrid_paired"].pairs.both_right.count == 0
    assert by_value["iter2_hybrid_paired"].pairs.both_right.count == 14
