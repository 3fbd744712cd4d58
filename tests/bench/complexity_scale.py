"""Time and memory to link and mix full tasks with their subtasks, as their number grows.

    python tests/bench/complexity_scale.py [10000 100000]

For each size a preference file in the published format is written (two subtasks a task), then
`w2s-data build --method complexity` reads it, links subtasks to full tasks and writes a set at an
error rate of 0.5: full tasks with subtasks, within rows or tokens, and the pairs of both. Each
build is a process of its own. Prints CPU seconds, peak memory, and growth against the first size.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from w2s_data import world
from w2s_data.io import write_rows

CHILD = (
    "import resource, sys, time\n"
    "from w2s_data.cli import main\n"
    "begin = time.process_time()\n"
    "main(sys.argv[1:], standalone_mode=False)\n"
    "used = resource.getrusage(resource.RUSAGE_SELF)\n"
    "print(time.process_time() - begin, used.ru_maxrss / 1024, file=sys.stderr)\n"
)
COMMON = "--method complexity --questions pairs.jsonl --field question=original.task --quiet"
BUILDS = {
    "full+sub": "--stage published_sft --set kind=full+sub --set error_rate=0.5",
    "in tokens": "--stage published_sft --set kind=full+sub --set unit=tokens --set budget={}",
    "pairs": "--stage published_dpo --set kind=both",
}


def entry(number):
    """A task of the generator, its solution and one with a wrong last step."""
    row = world.problem("train_2", number % 2000)
    left = row["steps"][-1].rpartition("=")[0]
    right = f"{row['solution']} The answer is: {row['answer']}"
    wrong = f"{' '.join(row['steps'][:-1])} {left}= 997$. The answer is: 997"
    pair = {"task": f"({number}) {row['problem']}", "chosen": right, "rejected": wrong}
    parts = {f"subtask_{k}": pair | {"task": f"({k}) {pair['task']}"} for k in (1, 2)}
    return {"id": f"task-{number}", "original": pair, **parts}


def measure(folder, name, options):
    """CPU seconds, peak MB and rows written."""
    arguments = f"build {COMMON} --name set --set pairs=pairs.jsonl {options}"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    cpu, peak = map(float, done.stderr.split()[-2:])
    with open(folder / "data" / "set.jsonl", "rb") as file:
        return cpu, peak, sum(1 for _ in file)


def main(sizes):
    print(f"{'tasks':>9} {'set':>10} {'rows':>9} {'cpu s':>7} {'peak MB':>8} {'time x':>7}")
    first = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            write_rows(Path(folder) / "pairs.jsonl", map(entry, range(size)))
            for name, options in BUILDS.items():
                cpu, peak, rows = measure(Path(folder), name, options.format(100 * size))
                growth = cpu / first.setdefault(name, cpu)
                print(f"{size:>9,} {name:>10} {rows:>9,} {cpu:>7.1f} {peak:>8.0f} {growth:>7.1f}")


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [10_000, 100_000])
