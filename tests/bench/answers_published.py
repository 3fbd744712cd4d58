"""What better equality changes in the published sets of paper 1 (arXiv 2407.13647).

python tests/bench/answers_published.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from w2s_data.answers import PUBLISHED, equal, extract

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
GAIR = SHARED / "golden" / "gair"


def load(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((GAIR / name).read_text(encoding="utf-8"))
    return found


def kinds(rule: str, a: str, b: str) -> tuple[str, str]:
    """(published verdict, default verdict) on the answers of two responses."""
    old = [extract(rule, text, compat=PUBLISHED) for text in (a, b)]
    before = equal(*(found.answer if found else "" for found in old), compat=PUBLISHED).kind
    new = [extract(rule, text) for text in (a, b)]
    if None in new:
        return before, "no answer"
    return before, equal(*(found.answer if found else "" for found in new)).kind


def table(title: str, pairs: list[tuple[str, str]], rule: str) -> None:
    counts: dict[tuple[str, str], int] = {}
    for a, b in pairs:
        found = kinds(rule, a, b)
        counts[found] = counts.get(found, 0) + 1
    print(f"{title}: {len(pairs)} pairs")
    for (before, now), count in sorted(counts.items()):
        print(f"  published {before:9}  default {now:10} {count:6}")


def main() -> None:
    for rule, name in (
        ("gsm8k", "gsm8k_llama2_7b_iter2_hybrid_paired.json"),
        ("math", "math_gemma_2b_iter1_hybrid_paired.json"),
    ):
        sides = [(row["output"][0], row["output"][1]) for row in load(name)]
        table(f"{name}, chosen against rejected", sides, rule)
    for rule, stem in (
        ("gsm8k", "gsm8k_llama2_7b_iter1"),
        ("gsm8k", "gsm8k_llama2_7b_iter2"),
        ("math", "math_gemma_2b_iter1"),
    ):
        weak = {row["id"]: row["output"] for row in load(f"{stem}_weak.json")}
        icl = {row["id"]: row["output"] for row in load(f"{stem}_icl.json")}
        both = [(weak[key], icl[key]) for key in weak if key in icl]
        table(f"{stem}, weak against icl", both, rule)
    results = [json.loads(line) for line in (GAIR / "gsm8k_llama2_7b_results.jsonl").open()]
    answers = [(row["result"], extract("gsm8k", row["response"]), row["gold"]) for row in results]
    now = [found is not None and bool(equal(found.answer, gold)) for _, found, gold in answers]
    old = [bool(result) for result, _, _ in answers]
    gained = sum(new and not before for new, before in zip(now, old))
    lost = sum(before and not new for new, before in zip(now, old))
    print(f"correct: published {sum(old)}, default {sum(now)} (gained {gained}, lost {lost})")


if __name__ == "__main__":
    main()
