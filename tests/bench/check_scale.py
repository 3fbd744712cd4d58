"""`w2s_data.check` on many preference rows: seconds of one core, and memory by the number of rows.

    python tests/bench/check_scale.py [ROWS]

Each size runs in a process of its own, without the tokenizer rules; with `--trainer`
LLaMA-Factory is asked, too. The loaded set is a file that is mapped into memory: it counts in the
peak, and costs none. The rows have some 200 words each; one in a hundred is a copy and one
in a hundred nearly one. The text of one in a thousand of the others is shared by all of them but
for a number, the case in which naive near-duplicate search compares all pairs.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from w2s_data import factory
from w2s_data.check import check

WORDS = [f"word{n}" for n in range(5000)]


def rows(number: int):
    kept = None
    for i in range(number):
        draw = random.Random(i)

        def text(length, draw=draw):
            return " ".join(draw.choices(WORDS, k=length))

        row = {"instruction": f"Question: {text(60)}?\nAnswer:", "chosen": text(70)}
        row |= {"rejected": text(70), "id": f"q-{i}", "input": "", "system": ""}
        if i % 100 == 1:
            row = kept | {"id": f"copy-{i}"}
        elif i % 100 == 2:
            row = kept | {"id": f"near-{i}", "chosen": kept["chosen"] + " indeed"}
        elif i % 1000 == 3:
            same = " ".join(WORDS[:60])
            row |= {"instruction": f"What is {i} times 7? {same}", "chosen": same, "rejected": "no"}
        if i % 100 == 0:
            kept = row
        yield row


def own_memory() -> int:
    """MB of this process without the files that are mapped into it (the loaded set is one)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) // 1024


def measure(number: int, ask_trainer: bool) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.jsonl"
        with open(path, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows(number))
        factory.register(folder, "set", factory.entry("dpo", "alpaca", "set.jsonl"))
        before = time.process_time(), time.perf_counter()
        found = check(folder, ask_trainer=ask_trainer)
        seconds = time.process_time() - before[0], time.perf_counter() - before[1]
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "rows": found.sets["set"].rows,
            "MB on file": round(path.stat().st_size / 1e6),
            "core seconds": round(seconds[0] + children.ru_utime + children.ru_stime, 1),
            "wall seconds": round(seconds[1], 1),
            "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
            "own MB at the end": own_memory(),
            "found": {one.code: one.count for one in found},
        }


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(measure(int(sys.argv[2]), "--trainer" in sys.argv)))
        sys.exit()
    most = int(next((each for each in sys.argv[1:] if each.isdigit()), 100_000))
    for number in (most // 100, most // 10, most):
        call = [sys.executable, __file__, "--one", str(number), *sys.argv[1:]]
        print(subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip())
