"""A table of accuracy, AUROC and gaps recovered from the soft labels of a narrative.

    python run/eleuther_results.py FOLDER TASK SOURCE floor NAME... ceiling

FOLDER holds seed-*/NAME.soft.jsonl, as `w2s-data soft` writes them. Intervals are 95 % bootstrap
ones over seeds and test questions. The last column is what https://blog.eleuther.ai/weak-to-strong/
reports of Qwen1.5 0.5B and Llama 3 8B over 21 data sets.
"""

import json
import statistics
import sys
from pathlib import Path

from w2s_data import tasks
from w2s_data.inputs import Questions
from w2s_data.soft import soft_score

BLOG = {
    "floor": "",
    "ceiling": "",
    "xent": "generalizes on most data sets",
    "logconf": "possible signs of improvement",
}


def rows(seed, name):
    manifest = json.loads((seed / "data" / f"{name}.manifest.json").read_text("utf-8"))
    return manifest["counts"]["rows"]


def main(folder, task, source, *names):
    seeds = sorted(Path(folder).glob("seed-*"))
    questions = Questions(tasks.get(task), "test", source)

    def files(name):
        return [seed / f"{name}.soft.jsonl" for seed in seeds]

    head = ("rows", "accuracy", "gap recovered", "AUROC", "gap recovered", "the blog")
    print(f"| system ({len(seeds)} seeds) | {' | '.join(head)} |")
    print("|---" * 7 + "|")
    for name in names:
        ends = {"floor": files(names[0]), "ceiling": files(names[-1])}
        found = soft_score(files(name), questions, **ends)
        count = round(statistics.fmean(rows(seed, name) for seed in seeds))
        gaps = (found.accuracy, found.accuracy_gap, found.auroc, found.auroc_gap)
        said = BLOG.get(name, "no consistent improvement")
        print(f"| {name} | {count:,} | {' | '.join(map(str, gaps))} | {said} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
