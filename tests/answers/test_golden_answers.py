"""Adjudicated pairs, hard cases and published strings."""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction

import pytest
from golden import rows

from w2s_data.answers import PUBLISHED, canonical, equal, extract

pytestmark = pytest.mark.golden


def test_adjudicated_math_pairs() -> None:
    counts: Counter[str] = Counter()
    for row in rows("answers/math_pairs.jsonl"):
        if row["equal"] is None:
            continue
        kind = equal(row["pred"], row["gold"]).kind
        right = {"equal": True, "different": False}.get(kind)
        name = (
            "undecided" if right is None else "right" if right == row["equal"] else f"wrong {kind}"
        )
        counts[name] += 1
    total = sum(counts.values())
    assert counts["wrong equal"] == 0, counts
    assert counts["right"] / (total - counts["undecided"]) >= 0.9997, counts
    assert counts["undecided"] / total <= 0.0005, counts


def test_adversarial_cases() -> None:
    misses = []
    for row in rows("answers/adversarial.jsonl"):
        kind = equal(row["pred"], row["gold"]).kind
        right = {"equal": True, "different": False}.get(kind)
        if right != row["expected"]:
            misses.append((row["id"], row["policy"], kind))
    assert len(misses) <= 4, misses
    assert all(kind == "undecided" for _, policy, kind in misses if policy == "math"), misses


def test_published_gsm8k_strings() -> None:
    data = rows("gair/gsm8k_llama2_7b_results.jsonl")
    preds = [extract("gsm8k", row["response"], compat=PUBLISHED) for row in data]
    assert [found.answer for found in preds if found] == [row["pred"] for row in data]
    assert sum(row["pred"] == "" for row in data) == 94
    matches = [bool(equal(row["pred"], row["gold"], compat=PUBLISHED)) for row in data]
    assert matches == [row["result"] for row in data]
    assert sum(matches) == 2896


def number(text: str) -> Fraction | None:
    return Fraction(text.replace(",", "")) if re.fullmatch(r"-?[\d,]+(\.\d+)?", text) else None


def test_gsm8k_by_number() -> None:
    right = 0
    for row in rows("gair/gsm8k_llama2_7b_results.jsonl"):
        found = extract("gsm8k", row["response"])
        assert (found is None) == (row["pred"] == "")
        verdict = equal(found.answer, row["gold"]) if found else None
        right += bool(verdict)
        value, gold = number(found.answer if found else ""), number(row["gold"])
        if value is not None and gold is not None:
            assert bool(verdict) == (value == gold)
    assert right == 2909


@pytest.mark.parametrize("side", ["weak", "icl"])
def test_published_math_strings(side: str) -> None:
    for row in rows(f"gair/math_gemma_2b_iter1_{side}.json"):
        found = extract("math", row["output"], compat=PUBLISHED)
        assert found is not None
        assert found.answer == row["pred"] == canonical(found.answer, compat=PUBLISHED)


def test_published_intersections_and_pairs() -> None:
    def pred(text: str) -> str:
        found = extract("gsm8k", text, compat=PUBLISHED)
        return found.answer if found else "?"

    full = {r["id"]: pred(r["output"]) for r in rows("gair/gsm8k_llama2_7b_full_weak.json")}
    weak = {r["id"]: pred(r["output"]) for r in rows("gair/gsm8k_llama2_7b_iter1_weak.json")}
    icl = {r["id"]: pred(r["output"]) for r in rows("gair/gsm8k_llama2_7b_iter1_icl.json")}
    assert len(weak) == len(icl) == 2683
    assert weak == {key: full[key] for key in weak} == icl
    assert sum(answer == "" for answer in weak.values()) == 8
    second = [pred(r["output"]) for r in rows("gair/gsm8k_llama2_7b_iter2_weak.json")]
    assert (len(second), sum(answer == "" for answer in second)) == (4022, 11)
    pairs = rows("gair/gsm8k_llama2_7b_iter2_hybrid_paired.json")
    sides = [(pred(chosen), pred(rejected)) for chosen, rejected in (r["output"] for r in pairs)]
    assert len(sides) == 2563
    assert all(chosen != rejected for chosen, rejected in sides)
    assert sum(rejected == "" for _, rejected in sides) == 43


def test_math_answers_equal_themselves() -> None:
    for row in rows("gair/math_test.jsonl"):
        answer = row["answer"]
        for spelling in (
            f"${answer}$",
            f"\\boxed{{{answer}}}",
            answer.replace("\\frac", "\\dfrac"),
        ):
            assert equal(answer, spelling).kind == "equal", json.dumps([answer, spelling])
