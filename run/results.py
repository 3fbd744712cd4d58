"""A table of test accuracy and performance gap recovered from the scores of a narrative.

    python3 run/results.py FOLDER floor NAME... ceiling

FOLDER holds seed-*/NAME.score.json and NAME.verdicts.jsonl, as `w2s-data score --json --out` gives
them. The gap recovered is (accuracy - floor) / (ceiling - floor) (arXiv 2312.09390, section 3).
Intervals are 95 % bootstrap ones over seeds and, within each, test questions: every draw takes the
same questions for all systems, so that floor, ceiling and system vary together.
"""

import json
import random
import statistics
import sys
from pathlib import Path

DRAWS = 2000


def rights(seed, name):
    """1 or 0 for each test question, in the order of the ids."""
    rows = map(json.loads, (seed / f"{name}.verdicts.jsonl").read_text("utf-8").splitlines())
    return [int(row["right"]) for row in sorted(rows, key=lambda row: row["id"])]


def drawn(right, rng):
    """The systems' accuracies on seeds and questions drawn with replacement."""
    seeds = len(right[0])
    sums, asked = [0] * len(right), 0
    for seed in rng.choices(range(seeds), k=seeds):
        count = len(right[0][seed])
        questions = rng.choices(range(count), k=count)
        asked += count
        sums = [total + sum(map(r[seed].__getitem__, questions)) for total, r in zip(sums, right)]
    return [total / asked for total in sums]


def gaps(accuracy):
    """The gap recovered by each system; the first is the floor, the last the ceiling."""
    floor, ceiling = accuracy[0], accuracy[-1]
    return [(value - floor) / ((ceiling - floor) or float("nan")) for value in accuracy]


def shown(value, draws):
    cuts = statistics.quantiles(draws, n=40)
    return f"{value:.3f} ({cuts[0]:.3f} to {cuts[-1]:.3f})"


def main(folder, *names):
    seeds = sorted(Path(folder).glob("seed-*"))
    right = [[rights(seed, name) for seed in seeds] for name in names]
    accuracy = [statistics.fmean(one for seed in system for one in seed) for system in right]
    rng = random.Random(0)
    draws = [drawn(right, rng) for _ in range(DRAWS)]
    print(f"| system ({len(seeds)} seeds) | rows | test accuracy | gap recovered | unparsed |")
    print("|---|---|---|---|---|")
    columns = zip(names, accuracy, gaps(accuracy), zip(*draws), zip(*map(gaps, draws)))
    for name, value, gap, values, recovered in columns:
        rows = statistics.fmean(manifest(seed, name)["counts"]["rows"] for seed in seeds)
        unparsed = statistics.fmean(score(seed, name)["unparsed"] for seed in seeds)
        cells = (name, f"{rows:,.0f}", shown(value, values), shown(gap, recovered))
        print(f"| {' | '.join(cells)} | {unparsed:.0f} |")


def manifest(seed, name):
    return json.loads((seed / "data" / f"{name}.manifest.json").read_text("utf-8"))


def score(seed, name):
    return json.loads((seed / f"{name}.score.json").read_text("utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
