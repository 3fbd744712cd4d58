"""Weak-to-Strong Reasoning's published sets for GSM8K and MATH, rebuilt and held to the rules."""

import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from w2s_data import tasks
from w2s_data.answers import equal, extract
from w2s_data.build import build
from w2s_data.inputs import Models, Questions
from w2s_data.io import read_rows, write_rows

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).parents[2] / "shared"))
GAIR = SHARED / "golden" / "gair"
COMPAT = "w2s-reasoning"

pytestmark = [
    pytest.mark.golden,
    pytest.mark.skipif(not GAIR.is_dir(), reason="the published data is not beside the repository"),
]


def published(name):
    return json.loads((GAIR / f"{name}.json").read_text("utf-8"))


def recorded(path, rows):
    """Published rows as recorded responses; returns the spec that replays them."""
    lines = ({"id": r["id"], "prompt": r["content"], "response": r["output"]} for r in rows)
    write_rows(path, lines)
    return f"replay:{path}"


def rebuilt(folder, task, rows, weak, strong, side, compat=COMPAT):
    """The stage-I set on the questions of `rows`, as (id, prompt, response)."""
    asked = [
        {"id": r["id"], "question": r["content"][len("Question: ") : -len("\nAnswer:")]}
        for r in rows
    ]
    write_rows(folder / "questions.jsonl", asked)
    summary = build(
        Questions(tasks.get(task), source="file", file=str(folder / "questions.jsonl")),
        Models({"weak": weak, "strong": strong}),
        settings={"side": side, "shots": 0, "compat": compat},
        name="set",
        out=folder / "data",
        configs=folder / "configs",
        store=folder / "store.sqlite",
    )
    made = [row for _, row in read_rows(folder / "data" / "set.jsonl")]
    return summary, [(row["id"], row["instruction"], row["output"]) for row in made]


def triples(rows):
    return [(str(row["id"]), row["content"], row["output"]) for row in rows]


def test_full_weak_row_by_row(tmp_path):
    rows = published("gsm8k_llama2_7b_full_weak")
    weak = f"replay:{GAIR / 'gsm8k_llama2_7b_results.jsonl'}"
    summary, made = rebuilt(tmp_path, "gsm8k", rows, weak, "hf:a/b", "naive")
    assert made == triples(rows)
    assert summary.kept == 7000


@pytest.mark.parametrize("side", ["weak", "icl", "hybrid"])
@pytest.mark.parametrize(("iteration", "count"), [("iter1", 2683), ("iter2", 4022)])
def test_stage_one_row_by_row(tmp_path, iteration, count, side):
    icl = published(f"gsm8k_llama2_7b_{iteration}_icl")
    weak = published(f"gsm8k_llama2_7b_{iteration}_weak")
    if iteration == "iter1":
        kept = {row["id"] for row in icl}
        everything = published("gsm8k_llama2_7b_full_weak")
        assert [row for row in everything if row["id"] in kept] == weak
    specs = [recorded(tmp_path / f"{n}.jsonl", r) for n, r in (("weak", weak), ("icl", icl))]
    _, made = rebuilt(tmp_path, "gsm8k", icl, *specs, side)
    assert len(made) == count * (2 if side == "hybrid" else 1)
    if (iteration, side) == ("iter2", "hybrid"):
        assert made == [row for pair in zip(triples(weak), triples(icl)) for row in pair]
    else:
        assert made == triples(published(f"gsm8k_llama2_7b_{iteration}_{side}"))


@pytest.mark.parametrize(
    ("iteration", "kept", "dropped"),
    [
        ("iter1", 2675, {"weak: no answer": 8}),
        ("iter2", 4011, {"weak: no answer": 11}),
    ],
)
def test_stage_one_by_default_keeps_no_empty_answer(tmp_path, iteration, kept, dropped):
    icl = published(f"gsm8k_llama2_7b_{iteration}_icl")
    weak = published(f"gsm8k_llama2_7b_{iteration}_weak")
    specs = [recorded(tmp_path / f"{n}.jsonl", r) for n, r in (("weak", weak), ("icl", icl))]
    summary, _ = rebuilt(tmp_path, "gsm8k", icl, *specs, "weak", compat="")
    assert summary.kept == kept
    assert summary.dropped == dropped


def test_an_iteration_that_disagrees_is_dropped(tmp_path):
    """The weak answers of the first round beside the second round's student: the intersection
    keeps exactly the questions whose published strings are the same."""
    icl = published("gsm8k_llama2_7b_iter2_icl")
    ids = {row["id"] for row in icl}
    first = [row for row in published("gsm8k_llama2_7b_full_weak") if row["id"] in ids]
    specs = [recorded(tmp_path / f"{n}.jsonl", r) for n, r in (("weak", first), ("icl", icl))]
    summary, made = rebuilt(tmp_path, "gsm8k", icl, *specs, "weak")

    def said(row):
        return extract("gsm8k", row["output"], compat=COMPAT)

    same = [a for a, b in zip(first, icl) if said(a).answer == said(b).answer]
    assert made == triples(same)
    assert 0 < summary.dropped["answers different"] == len(icl) - len(same)


def test_math_stage_one_row_by_row(tmp_path):
    """The published files hold 1,000 rows: the 448 on which both sides agree, in order, and then
    552 whose published answers differ, which no intersection can give."""
    weak, icl = (published(f"math_gemma_2b_iter1_{side}") for side in ("weak", "icl"))
    specs = [recorded(tmp_path / f"{n}.jsonl", r) for n, r in (("weak", weak), ("icl", icl))]
    for side, rows in (("weak", weak), ("icl", icl)):
        _, made = rebuilt(tmp_path, "math", icl, *specs, side)
        assert made == triples(rows)[:448]
        assert not any(a["pred"] == b["pred"] for a, b in zip(weak[448:], icl[448:]))


def test_gsm8k_pairs_obey_the_rules():
    weak = {row["id"]: row["output"] for row in published("gsm8k_llama2_7b_full_weak")}
    sides, equal_answers, empty_rejected = Counter(), [], 0
    rows = published("gsm8k_llama2_7b_iter2_hybrid_paired")
    for row in rows:
        chosen, _ = row["output"]
        sides["chosen" if chosen == weak[row["id"]] else "rejected"] += 1
        assert weak[row["id"]] in row["output"]
        strings = [extract("gsm8k", text, compat=COMPAT).answer for text in row["output"]]
        assert strings[0] != strings[1]
        assert strings[0]
        empty_rejected += not strings[1]
        if all(strings) and equal(*strings).kind == "equal":
            equal_answers.append(row["id"])
    assert len(rows) == len({row["id"] for row in rows}) == 2563
    assert sides == {"chosen": 866, "rejected": 1697}
    assert empty_rejected == 43
    assert len(equal_answers) < 20


def test_math_pairs_obey_the_rules():
    rows = published("math_gemma_2b_iter1_hybrid_paired")
    by_id = defaultdict(list)
    for row in rows:
        by_id[row["id"]].append(tuple(row["output"]))
    assert len(rows) == 1359
    assert len(by_id) == 525
    assert max(map(len, by_id.values())) == 3
    duplicates = sum(len(pairs) - len(set(pairs)) for pairs in by_id.values())
    assert duplicates == 22
    one_side = sum(
        1
        for pairs in by_id.values()
        if len({c for c, _ in pairs}) > 1 and len({r for _, r in pairs}) > 1
    )
    assert one_side == 0
