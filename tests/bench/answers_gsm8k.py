"""Published GSM8K responses, end to end: extract and compare, against math-verify's default.

python tests/bench/answers_gsm8k.py
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

from w2s_data.answers import equal, extract

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
GAIR = SHARED / "golden" / "gair"


def responses() -> list[tuple[str, str]]:
    """(response, gold) of every published greedy and sampled response with a known gold."""
    results = [json.loads(line) for line in (GAIR / "gsm8k_llama2_7b_results.jsonl").open()]
    gold = {row["id"]: row["gold"] for row in results}
    found = [(row["response"], row["gold"]) for row in results]
    for name in ("iter1_icl", "iter2_icl", "iter2_weak"):
        rows = json.loads((GAIR / f"gsm8k_llama2_7b_{name}.json").read_text())
        found += [(row["output"], gold[row["id"]]) for row in rows]
    return found


def truth(response: str, gold: str) -> bool | None:
    """Numeric truth where the declared line is one plain number, None elsewhere."""
    line = re.search(r"####[ ]*\$?(-?[\d,]*\.?\d+)\.?\s*$", response)
    if "####" not in response:
        return False
    if not line or not re.fullmatch(r"-?[\d,.]+", gold):
        return None
    return Fraction(line.group(1).replace(",", "")) == Fraction(gold.replace(",", ""))


def ours(response: str, gold: str) -> bool:
    found = extract("gsm8k", response)
    return found is not None and bool(equal(found.answer, gold))


def main() -> None:
    everything = responses()
    graders = {"w2s_data": ours}
    try:
        from math_verify import parse, verify

        graders["math-verify"] = lambda response, gold: bool(verify(parse(gold), parse(response)))
    except ImportError:
        print("math-verify is not installed")
    speeds = {}
    for name, grade in graders.items():
        data = everything if name == "w2s_data" else everything[:: int((*sys.argv, "10")[1])]
        began, kinds = time.process_time(), Counter[str]()
        verdicts = [grade(response, gold) for response, gold in data]
        speeds[name] = len(data) / (time.process_time() - began)
        for (response, gold), verdict in zip(data, verdicts):
            known = truth(response, gold)
            kinds[
                "no plain number" if known is None else "right" if known == verdict else "wrong"
            ] += 1
            if known is not None and known != verdict and kinds["wrong"] <= 8:
                print(f"  {name} says {verdict}, gold {gold}: ...{response[-70:]!r}")
        print(f"{name:12} {speeds[name]:10,.0f} responses/s  {dict(kinds)}")
    if len(speeds) == 2:
        print(f"w2s_data / math-verify: {speeds['w2s_data'] / speeds['math-verify']:.0f}x")


if __name__ == "__main__":
    main()
