"""Time and memory from the store to a written DPO set, as the number of questions grows.

    python tests/bench/scale.py [7000 70000]

For each size a store is filled with one weak and ten student responses a question (synthetic
GSM8K-like texts, answers drawn so that votes spread), then `w2s-data build --stage dpo` runs in a
process of its own. Prints seconds, peak memory and how both grow against the first size.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from w2s_data.io import write_rows
from w2s_data.rows import Sample
from w2s_data.store import Request, Store

SAMPLES = 10
CHILD = (
    "import resource, sys, time\n"
    "from w2s_data.cli import main\n"
    "begin = time.process_time()\n"
    "main(sys.argv[1:], standalone_mode=False)\n"
    "used = resource.getrusage(resource.RUSAGE_SELF)\n"
    "print(time.process_time() - begin, used.ru_maxrss / 1024, file=sys.stderr)\n"
)


def responses(number: int) -> tuple[str, list[str]]:
    drawn = random.Random(number)
    filler = " ".join(f"Step {k}: {drawn.randrange(100)} + {k} is counted." for k in range(5))
    answers = drawn.choices(range(3), weights=(8, 1, 1), k=SAMPLES + 1)
    texts = [f"{filler} Draw {k}.\n#### {number + a}" for k, a in enumerate(answers)]
    return texts[0], texts[1:]


def fill(folder: Path, count: int) -> None:
    rows = ({"id": str(i), "question": f"How many are {i} and 0?"} for i in range(count))
    write_rows(folder / "questions.jsonl", rows)
    with Store(folder / "store.sqlite") as store:
        for start in range(0, count, 1000):
            weak, student = [], []
            for i in range(start, min(start + 1000, count)):
                request = Request(f"Question: How many are {i} and 0?\nAnswer:", temperature=1.0)
                first, rest = responses(i)
                weak.append((request, [sample(0, first)]))
                student.append((request, [sample(k, text) for k, text in enumerate(rest)]))
            store.add_many(weak, "replay:weak")
            store.add_many(student, "replay:student")


def sample(index: int, text: str) -> Sample:
    return Sample(index=index, text=text, finish="stop", tokens=60)


def measure(count: int) -> tuple[float, float, float, int]:
    """CPU seconds, wall seconds, peak memory in MB, rows written."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, count)
        arguments = "build --stage dpo --task gsm8k --questions questions.jsonl --quiet --name set"
        arguments += " --weak replay:weak --student replay:student --store store.sqlite"
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, *arguments.split()],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        wall = time.perf_counter() - begin
        cpu, peak = map(float, done.stderr.split()[-2:])
        manifest = json.loads((folder / "data" / "set.manifest.json").read_text("utf-8"))
        return cpu, wall, peak, manifest["counts"]["rows"]


def main(sizes: list[int]) -> None:
    print(f"{'questions':>10} {'rows':>8} {'cpu s':>8} {'wall s':>8} {'peak MB':>8} {'time x':>7}")
    first = None
    for size in sizes:
        cpu, wall, peak, rows = measure(size)
        first = first or (size, cpu)
        growth = cpu / first[1]
        print(f"{size:>10,} {rows:>8,} {cpu:>8.1f} {wall:>8.1f} {peak:>8.0f} {growth:>7.2f}")
        print(f"{'':>10} questions x {size / first[0]:.2f}")
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"(the measuring process itself peaked at {own:.0f} MB)")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [7000, 70000])
