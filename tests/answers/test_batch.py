"""Many pairs at once: from threads, daemons, scripts without a main guard, and Ray's workers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from w2s_data.answers import batch, equal, equal_many

PAIRS = [(str(n), f"{2 * n}/2") for n in range(900)] + [("1", "2")] * 300
OTHERS = [("\ud800", "x"), ("", ""), ("5 m", "5 mi")]


def test_two_processes_decide_as_one_does() -> None:
    pairs = [*PAIRS, *OTHERS]
    assert equal_many(pairs, processes=2) == equal_many(pairs, processes=1)
    assert equal_many(PAIRS, processes=2) == [equal(a, b) for a, b in PAIRS]
    assert equal_many([], processes=2) == []


def test_a_policy_and_a_compat_mode_reach_the_processes() -> None:
    pairs = [("10%", "0.1"), ("3,000", "3000.0")] * 400
    for marks in ({"policy": "fraction"}, {"compat": "w2s-reasoning"}):
        assert equal_many(pairs, processes=2, **marks) == [equal(a, b, **marks) for a, b in pairs]


def test_pairs_whose_process_died_are_decided_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(batch, "Worker", no_process)
    assert equal_many(PAIRS, processes=2) == [equal(a, b) for a, b in PAIRS]


SCRIPT = """
import multiprocessing, sys, threading
from w2s_data.answers import equal_many

def work():
    found = equal_many([("0.5", "1/2"), ("1", "2")] * 600, processes=2)
    print([verdict.kind for verdict in found].count("equal"), flush=True)

def in_a_thread():
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

child = multiprocessing.get_context("fork").Process(target=in_a_thread, daemon=True)
child.start()
child.join()
work()
"""


def test_a_daemons_thread_and_a_script_without_a_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60)
    assert found.stdout.split() == ["600", "600"], found.stderr


@pytest.mark.ray
def test_inside_workers_of_ray() -> None:
    ray = pytest.importorskip("ray", reason="ray is not installed (pip install w2s_data[ray])")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)

    @ray.remote
    def work(k: int) -> list[str]:
        proof = equal_many([(f"\\int_0^{k} x^2 dx", f"{k}^3/3")], processes=1)
        many = equal_many(PAIRS, processes=2)
        return [proof[0].kind, many[0].kind, many[-1].kind]

    try:
        answers = ray.get([work.remote(k) for k in range(2, 5)], timeout=120)
    finally:
        ray.shutdown()
    assert answers == [["equal", "equal", "different"]] * 3
