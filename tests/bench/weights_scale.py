"""Time and memory of compiling weights into copies, as the number of rows grows.

    python tests/bench/weights_scale.py [100000 1000000]

Each size runs in a process of its own: rows with one ending of a random weight are written to a
file, read as a stream, compiled into as many copies, and the copies written to another file. Prints
the CPU seconds of the compilation alone and of everything, and the peak memory.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from w2s_data.io import read_rows, write_rows
from w2s_data.rows import keep
from w2s_data.steps.weights import compile_rows, copies

TEXT = "First, 7 times 5 is 35. Then 35 and 4 make 39. " * 3


def rows(count):
    drawn = random.Random(1)
    for i in range(count):
        ending = {"response": f"{TEXT}\n#### {i}", "score": drawn.random()}
        yield keep({"id": f"train/{i:07d}", "prompt": f"Question: {i}?\nAnswer:"}, ending)


def measure(count):
    """Print CPU seconds of drawing and of the whole, peak MB, the notes."""
    begin = time.process_time()
    drawn = random.Random(1)
    total = sum(copies((f"0 {i}", drawn.random()) for i in range(count)))
    drawing = time.process_time() - begin
    assert total == count
    with tempfile.TemporaryDirectory() as name:
        write_rows(f"{name}/rows.jsonl", rows(count))
        begin, notes = time.process_time(), {}
        read = (row for _, row in read_rows(f"{name}/rows.jsonl"))
        compiled = compile_rows(read, "score", notes=notes)
        endings = (ending for row in compiled for ending in row.get("endings", ()))
        written = write_rows(f"{name}/copies.jsonl", endings)
        whole = time.process_time() - begin
    assert written == notes["budget"] == count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([drawing, whole, peak, notes["largest_deviation"], notes["mean_deviation"]]))


def main(sizes):
    heads = ("rows", "draw s", "whole s", "peak MB", "largest", "mean")
    print("{:>10} {:>8} {:>8} {:>8} {:>8} {:>8}".format(*heads))
    for size in sizes:
        command = [sys.executable, Path(__file__), "--one", str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        drawing, whole, peak, largest, mean = json.loads(done.stdout)
        print(
            f"{size:>10,} {drawing:>8.1f} {whole:>8.1f} {peak:>8.0f} {largest:>8.4f} {mean:>8.4f}"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]))
    else:
        main([int(size) for size in sys.argv[1:]] or [100_000, 1_000_000])
