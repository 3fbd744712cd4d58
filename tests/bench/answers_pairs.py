"""Adjudicated MATH pairs: accuracy, speed and memory against other graders, all in one run.

    python tests/bench/answers_pairs.py [FILE.jsonl]

Peers that are not installed (math-verify, mathruler) are left out. Time is processor time, so
that a busy machine does not show; the scaling to two cores is elapsed time, too.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from w2s_data.answers import DEFAULT, PUBLISHED, batch, equal, forms, integers

equal_module = sys.modules["w2s_data.answers.equal"]

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
Grader = Callable[[str, str], Any]


def graders() -> dict[str, Grader]:
    found: dict[str, Grader] = {
        "w2s_data": lambda pred, gold: equal(pred, gold).kind,
        "w2s_data, no cache": cold,
        "raw string": lambda pred, gold: pred.strip() == gold.strip(),
        "paper 1's string": lambda pred, gold: bool(equal(pred, gold, compat=PUBLISHED)),
    }
    try:
        from mathruler.grader import grade_answer

        found["mathruler"] = lambda pred, gold: bool(grade_answer(pred, gold))
    except ImportError:
        print("mathruler is not installed")
    try:
        from math_verify import parse, verify

        def math_verify(pred: str, gold: str) -> bool:
            sides = (text if "$" in text else f"${text}$" for text in (gold, pred))
            return bool(verify(*(parse(side) for side in sides)))

        found["math-verify"] = math_verify
    except ImportError:
        print("math-verify is not installed")
    return found


def cold(pred: str, gold: str) -> str:
    """Our verdict with every cache of this process emptied before."""
    for cache in (forms._cached, equal_module._cached, integers._factorised):
        cache.cache_clear()
    return equal(pred, gold).kind


def spelled(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each pair in over 40 spellings, side by side, so that starting a process weighs little."""
    frames = ("{}", "${}$", "\\boxed{{{}}}", "{{{}}}", "{}.", "\\({}\\)", " {}", "$ {} $")
    wraps = [frame.replace("{}", " " * blanks + "{}") for blanks in range(6) for frame in frames]
    return [(w.format(a), w.format(b)) for a, b in dict.fromkeys(pairs) for w in wraps]


def measured(name: str, grade: Grader, rows: list[dict[str, Any]]) -> float:
    """Print one line of the table; the rows per second of processor time."""
    times, wrong_equal, wrong_different, undecided, failed = [], 0, 0, 0, 0
    for row in rows:
        began = time.process_time()
        try:
            kind = grade(row["pred"], row["gold"])
        except Exception:
            kind, failed = False, failed + 1
        times.append(time.process_time() - began)
        if row["equal"] is None:
            continue
        if kind == "undecided":
            undecided += 1
        elif kind in (True, "equal"):
            wrong_equal += not row["equal"]
        else:
            wrong_different += row["equal"]
    judged = sum(row["equal"] is not None for row in rows)
    right = judged - wrong_equal - wrong_different - undecided
    ordered, speed = sorted(times), len(rows) / sum(times)
    milliseconds = [1000 * ordered[int(q * (len(ordered) - 1))] for q in (0.5, 0.99, 1)]
    print(
        f"{name:18} {speed:10,.0f} rows/s  p50/p99/max ms "
        + "/".join(f"{m:.3f}" for m in milliseconds)
        + f"  false equal {wrong_equal}  false different {wrong_different}  undecided {undecided}"
        f"  raised {failed}  accuracy {100 * right / (judged - undecided):.3f} %"
    )
    return speed


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED / "golden/answers/math_pairs.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    print(f"{len(rows)} rows, {len({(r['pred'], r['gold']) for r in rows})} unique pairs")
    speeds = {}
    for name, grade in graders().items():
        speeds[name] = measured(name, grade, rows)
        if name == "w2s_data":
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{'':18} {memory:10,.0f} MB at most in this process")
    if "math-verify" in speeds:
        print(f"w2s_data / math-verify: {speeds['w2s_data'] / speeds['math-verify']:.0f}x")
    scaling(spelled([(r["pred"], r["gold"]) for r in rows]))


def scaling(pairs: list[tuple[str, str]]) -> None:
    """One process against two, both fresh; a share of a busy machine is told by `cores used`."""
    chunks = [pairs[start : start + 500] for start in range(0, len(pairs), 500)]
    for processes in (1, 2):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        found = batch._Batch(chunks, DEFAULT, None).over(processes)
        elapsed, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert len(found) == len(chunks)
        print(
            f"{processes} processes: {len(pairs) / elapsed:,.0f} unique pairs/s elapsed, "
            f"{len(pairs) / spent:,.0f} per second of a core, {spent / elapsed:.2f} cores used"
        )


if __name__ == "__main__":
    main()
