"""Tables of the weak answers' accuracy by entropy, share and score over the seeds of a narrative.

    python3 run/reliability_results.py FOLDER NAME

FOLDER holds seed-*/data/NAME.jsonl, as `w2s-data build --stage calibrate` writes them.
"""

import json
import sys
from collections import Counter
from pathlib import Path

# Columns, and to how many digits their values are grouped.
COLUMNS = {"entropy": 3, "share": 2, "score": 1}


def answers(folder, name):
    for path in sorted(Path(folder).glob(f"seed-*/data/{name}.jsonl")):
        with open(path, encoding="utf-8") as file:
            yield from map(json.loads, file)


def main(folder, name):
    counts = {column: Counter() for column in COLUMNS}
    for row in answers(folder, name):
        for column, digits in COLUMNS.items():
            counts[column][round(row[column], digits), row["correct"]] += 1
    for column, digits in COLUMNS.items():
        counted = counts[column]
        print(f"\n| {column} | correct | incorrect | accuracy |\n|---|---|---|---|")
        for value in sorted({value for value, _ in counted}):
            right, wrong = counted[value, True], counted[value, False]
            cells = (f"{value:.{digits}f}", f"{right:,}", f"{wrong:,}")
            print(f"| {' | '.join(cells)} | {right / (right + wrong):.3f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
