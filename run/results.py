"""A table of test accuracy and performance gap recovered from the scores of a narrative.

    python3 run/results.py FOLDER floor NAME... ceiling

FOLDER holds seed-*/NAME.score.json, as `w2s-data score --json` prints them. The gap recovered is
(accuracy - floor) / (ceiling - floor), seed by seed (arXiv 2312.09390, section 3).
"""

import json
import statistics
import sys
from pathlib import Path


def spread(values):
    mean = statistics.fmean(values)
    return f"{mean:.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{mean:.3f}"


def main(folder, *names):
    seeds = sorted(Path(folder).glob("seed-*"))
    scores = {
        name: [json.loads((seed / f"{name}.score.json").read_text("utf-8")) for seed in seeds]
        for name in names
    }
    counts = {name: [manifest(seed, name)["counts"]["rows"] for seed in seeds] for name in names}
    accuracy = {name: [score["accuracy"] for score in given] for name, given in scores.items()}
    print(f"| system ({len(seeds)} seeds) | rows | test accuracy | gap recovered | unparsed |")
    print("|---|---|---|---|---|")
    for name in names:
        gaps = [
            (value - floor) / (ceiling - floor)
            for value, floor, ceiling in zip(accuracy[name], accuracy["floor"], accuracy["ceiling"])
        ]
        rows = round(statistics.fmean(counts[name]))
        unparsed = round(statistics.fmean(score["unparsed"] for score in scores[name]))
        cells = (name, f"{rows:,}", spread(accuracy[name]), spread(gaps), str(unparsed))
        print(f"| {' | '.join(cells)} |")


def manifest(seed, name):
    return json.loads((seed / "data" / f"{name}.manifest.json").read_text("utf-8"))


if __name__ == "__main__":
    main(*sys.argv[1:])
