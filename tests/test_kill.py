"""Killed with SIGKILL at fifty random moments and started again: the same files, nothing twice."""

import multiprocessing
import random
import shutil
import time
from collections import Counter

import pytest

pytest.importorskip("torch", reason="needs the extra hf")
pytest.importorskip("transformers", reason="needs the extra hf")

KILLS = 50
QUESTIONS = 16
SAMPLES = 3
BATCH = 16
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["torch", "transformers", "peft", __name__])


def generate_and_write(folder):
    """A build whose every generated sample leaves a line in folder/log."""
    from w2s_data import show, tasks
    from w2s_data.backends.hf import HuggingFace
    from w2s_data.build import build
    from w2s_data.inputs import Models, Questions
    from w2s_data.store import key_of

    answer = HuggingFace.__call__

    def logged(self, requests):
        asked = []

        def passed_on():
            for request in requests:
                asked.append(request)
                yield request

        for position, samples in answer(self, passed_on()):
            with open(folder / "log", "a") as log:
                for sample in samples:
                    log.write(f"{key_of(asked[position], '')} {sample['index']}\n")
            yield position, samples

    show.QUIET = True
    HuggingFace.__call__ = logged
    build(
        Questions(tasks.get("math"), limit=QUESTIONS),
        Models(max_tokens=128, options={"batch_size": BATCH}),
        stage="kto",
        settings={"n": SAMPLES, "confidence": 0.0, "overrule": 0.0},
        name="set",
        out=folder / "data",
        configs=folder / "configs",
        store=folder / "store.sqlite",
    )


def start(folder):
    worker = CONTEXT.Process(target=generate_and_write, args=(folder,))
    worker.start()
    return worker


def files(folder):
    names = ["set.jsonl", "set.dropped.jsonl", "set.manifest.json", "set.README.md"]
    names += ["dataset_info.json"]
    return {name: (folder / "data" / name).read_bytes() for name in names}


def test_fifty_kills_change_nothing(tmp_path):
    undisturbed, folder = tmp_path / "undisturbed", tmp_path / "killed"
    undisturbed.mkdir()
    began = time.monotonic()
    worker = start(undisturbed)
    worker.join()
    duration = time.monotonic() - began
    assert worker.exitcode == 0
    expected = files(undisturbed)

    drawn = random.Random(7)
    folder.mkdir()
    kills = since = finished = 0
    while kills < KILLS:
        worker = start(folder)
        worker.join(drawn.uniform(0.02, 0.6) * duration)
        if worker.exitcode is None:
            worker.kill()
            worker.join()
            kills, since = kills + 1, since + 1
            continue
        assert worker.exitcode == 0
        assert files(folder) == expected
        finished += 1
        for path in (folder / "data").iterdir():
            path.unlink()
        if finished % 3 == 0:
            check_little_twice(folder, since)
            shutil.rmtree(folder)
            folder.mkdir()
            since = 0
    worker = start(folder)
    worker.join()
    assert files(folder) == expected
    assert finished
    assert not list((folder / "data").glob(".*.tmp"))


def check_little_twice(folder, kills):
    """Only what was in flight at a kill is generated again: at most two batches each time."""
    counts = Counter((folder / "log").read_text().split("\n")[:-1])
    assert sum(count - 1 for count in counts.values()) <= 2 * BATCH * kills
    assert len(counts) == QUESTIONS * (SAMPLES + 1)
