"""The table of Guiding Through Complexity: test accuracy on hard and on all questions.

    python3 run/complexity_results.py FOLDER EASY NAME... HARDEST SUB FULL+SUB FULL+PARA MILD GRAVE

FOLDER holds seed-*/NAME.score.json and NAME.verdicts.jsonl, as `w2s-data score --json --out` gives
them, and the sets with their manifests. EASY lists the easy levels (or subjects). The last six
names are three pairs, whose differences stand below, question by question; then what the paper
found. Intervals are 95 % bootstrap ones over seeds and, within each, test questions.
"""

import json
import random
import statistics
import sys
from pathlib import Path

from results import rights

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
    """The mean over the seeds with its interval; a seed is a list of numbers."""
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


def wrong_steps(paths):
    """The share of wrong steps in the wrong solutions, by each measure."""
    counts = {"arithmetic": [0, 0], "reference": [0, 0]}
    for row in (json.loads(line) for path in paths for line in path.open(encoding="utf-8")):
        if row.get("measure") in counts:
            wrong, steps = counts[row["measure"]]
            counts[row["measure"]] = [wrong + row["wrong_steps"], steps + row["steps"]]
    return " / ".join(f"{wrong / steps:.2f}" if steps else "-" for wrong, steps in counts.values())


def rates(manifests):
    """The achieved outcome error rates, as the first build noted them."""
    noted = manifests[0]["notes"]
    shares = (text for name, text in noted.items() if name.startswith("outcome errors"))
    return ", ".join(share.split(": ")[1].split()[0] for share in shares) or "-"


def read(path):
    return json.loads(path.read_text("utf-8"))


def main(folder, easy, *names):
    seeds = sorted(Path(folder).glob("seed-*"))
    head = "rows | wrong of full, added | wrong steps by arithmetic / by reference"
    print(f"| set ({len(seeds)} seeds) | {head} | hard questions | all questions |")
    print("|---|---|---|---|---|---|")
    for name in names:
        manifests = [read(seed / "data" / f"{name}.manifest.json") for seed in seeds]
        scores = [verdicts(read(seed / f"{name}.score.json"), easy.split(",")) for seed in seeds]
        rows = statistics.fmean(m["counts"]["rows"] for m in manifests)
        sets = [seed / "data" / f"{name}.jsonl" for seed in seeds]
        cells = [f"{rows:,.0f}", rates(manifests), wrong_steps(sets), *map(shown, zip(*scores))]
        print(f"| {' | '.join([name, *cells])} |")
    print()
    for first, second in zip(names[-6::2], names[-5::2]):
        pairs = [zip(rights(seed, first), rights(seed, second)) for seed in seeds]
        print(f"{first} - {second}: {shown([[a - b for a, b in seed] for seed in pairs])}")
    print(PAPER)


if __name__ == "__main__":
    main(*sys.argv[1:])
