"""Time and memory of the probes on many activations, beside a dense computation's.

    python tests/bench/probe_scale.py [COUNT...]        default: 5000 50000

Each probe runs in a process of its own on COUNT x 1,024 float16 activations read from disk, as a
build reads them. A dense computation holds n x n float32 distances and as large an adjacency of
bytes; its memory is counted, and its time measured up to 5,000 points.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WIDTH, K = 1024, 50
PROBES = ("knn", "topo")


def write(path, count):
    """Two overlapping clusters, a tenth of the labels turned; written block by block."""
    rng = np.random.default_rng(0)
    acts = np.lib.format.open_memmap(path, "w+", np.float16, (count, WIDTH))
    labels = (np.arange(count) % 2).astype(float)
    for start in range(0, count, 5000):
        block = rng.normal(size=(min(5000, count - start), WIDTH))
        acts[start : start + 5000] = block + 0.1 * labels[start : start + 5000, None]
    turned = rng.random(count) < 0.1
    labels[turned] = 1 - labels[turned]
    np.save(path.with_suffix(".labels.npy"), labels)


def dense(acts, labels):
    """All distances at once, as the original has them."""
    points = np.asarray(acts, np.float32)
    squares = (points**2).sum(1)
    distances = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    near = np.argpartition(distances, K, axis=1)[:, :K]
    adjacency = np.zeros(distances.shape, bool)
    np.put_along_axis(adjacency, near, True, axis=1)
    return labels[near].mean(1)


def one(name, path):
    from w2s_data.steps import probe

    acts = np.load(path, mmap_mode="r")
    labels = np.load(Path(path).with_suffix(".labels.npy"))
    begin, cpu = time.perf_counter(), time.process_time()
    if name == "dense":
        dense(acts, labels)
    else:
        probe.clean(acts, labels, probe=name, use="filter", k=K)
    spent = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{spent[0]:.1f} {spent[1]:.1f} {peak:.0f}")


def main(*counts):
    print("| probe | points | seconds | CPU seconds | peak memory, MB | dense: MB |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for count in map(int, counts or (5000, 50_000)):
            path = Path(folder) / f"{count}.npy"
            write(path, count)
            needed = round(count * count * 5 / 2**20)
            for name in (*PROBES, *(["dense"] if count <= 5000 else [])):
                call = [sys.executable, __file__, "--one", name, str(path)]
                done = subprocess.run(call, capture_output=True, text=True, check=True)
                seconds, cpu, peak = done.stdout.split()
                cells = (name, f"{count:,}", seconds, cpu, f"{int(peak):,}", f"{needed:,}")
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
