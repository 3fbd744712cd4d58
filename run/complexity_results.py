"""The table of Guiding Through Complexity: test accuracy on hard and on all questions.

    python3 run/complexity_results.py FOLDER EASY NAME...

FOLDER holds seed-*/NAME.score.json, as `w2s-data score --json` prints them, and the manifests of
the sets. EASY lists the easy levels (or subjects). Intervals are 95 % bootstrap ones over seeds and,
within each, test questions. What the paper found stands below.
"""

import json
import random
import statistics
import sys
from pathlib import Path

DRAWS = 2000
PAPER = """
What the paper found on its models (Llama-3-8B; arXiv 2410.20533):
hard tasks with 90 % wrong solutions teach more than clean subtasks (section 5); at one error rate,
the share of wrong steps makes up to 30 points of MATH accuracy (section 6); full tasks gain more
from their subtasks than from their paraphrases at one budget (section 7)."""


def verdicts(score, easy):
    """1 or 0 for each hard question, and for each of all."""
    parts = score["by_level"] or score["by_subject"]
    return [
        [
            one
            for level, part in parts.items()
            if level not in left_out
            for one in ones(part["accuracy"], part["questions"])
        ]
        for left_out in (easy, ())
    ]


def ones(accuracy, count):
    right = round(accuracy * count)
    return [1] * right + [0] * (count - right)


def shown(seeds):
    """The mean over the seeds with its interval."""
    rng = random.Random(0)
    draws = [
        statistics.fmean(
            statistics.fmean(rng.choices(seed, k=len(seed)))
            for seed in rng.choices(seeds, k=len(seeds))
        )
        for _ in range(DRAWS)
    ]
    cuts = statistics.quantiles(draws, n=40)
    mean = statistics.fmean(map(statistics.fmean, seeds))
    return f"{mean:.3f} ({cuts[0]:.3f} to {cuts[-1]:.3f})"


def wrong_steps(manifests):
    """The mean share of wrong steps in the wrong solutions, as the builds noted it."""
    shares = [m["notes"].get("wrong steps of wrong solutions", "") for m in manifests]
    known = [float(share.split()[0]) for share in shares if share]
    return f"{statistics.fmean(known):.2f}" if known else "-"


def read(path):
    return json.loads(path.read_text("utf-8"))


def main(folder, easy, *names):
    seeds = sorted(Path(folder).glob("seed-*"))
    print(f"| set ({len(seeds)} seeds) | rows | wrong steps | hard questions | all questions |")
    print("|---|---|---|---|---|")
    for name in names:
        manifests = [read(seed / "data" / f"{name}.manifest.json") for seed in seeds]
        scores = [verdicts(read(seed / f"{name}.score.json"), easy.split(",")) for seed in seeds]
        rows = statistics.fmean(m["counts"]["rows"] for m in manifests)
        cells = [f"{rows:,.0f}", wrong_steps(manifests), *map(shown, zip(*scores))]
        print(f"| {' | '.join([name, *cells])} |")
    print(PAPER)


if __name__ == "__main__":
    main(*sys.argv[1:])
