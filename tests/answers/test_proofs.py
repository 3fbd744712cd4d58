"""The worker processes: limits, replacement, and no process left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from w2s_data.answers import equal, prove, remember
from w2s_data.answers.nodes import func, num, var
from w2s_data.answers.parse import parse
from w2s_data.store import Store

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="reads /proc")


def workers_of(pid: int) -> list[int]:
    """The proof workers whose parent is this process."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if b"w2s_data.answers._worker" in words and parent == pid:
            found.append(int(entry.name))
    return found


def test_a_proof_and_its_ground() -> None:
    found = equal("\\int_0^1 x^2 \\, dx", "\\frac13")
    assert (found.kind, found.reason) == ("equal", "symbolic proof: symbolic")


def test_a_question_that_hangs_is_killed_in_time_and_the_pool_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prove, "SECONDS", 2.0)
    began = time.monotonic()
    found = equal("\\int_0^1 \\frac{\\sin(x^5)}{x^x+1} dx", "x")
    assert (found.kind, found.reason) == ("undecided", "symbolic proof: timeout")
    assert time.monotonic() - began < 8
    monkeypatch.undo()
    prove.warm()
    assert equal("\\int_0^2 x \\, dx", "2").kind == "equal"


def test_the_start_of_a_worker_counts_and_its_verdict_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prove.close()
    monkeypatch.setattr(prove, "SECONDS", 0.1)
    hasty = equal("\\int_0^3 x^2 \\, dx", "9")
    assert hasty.reason.endswith(prove.NOT_STARTED)
    monkeypatch.undo()
    prove.warm()
    assert equal("\\int_0^3 x^2 \\, dx", "9").kind == "equal"


def test_hard_members_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "SECONDS", 2.0)
    lists = [
        ", ".join(f"\\int_0^{k} \\sin(x^{(k * s) % 7 + 3}) dx" for k in range(1, 60))
        for s in (1, 3)
    ]
    began = time.monotonic()
    assert equal(*lists).kind == "undecided"
    assert time.monotonic() - began < 8


def test_a_worker_has_a_limit_on_memory() -> None:
    prove.warm()
    for worker in prove._pool().idle:
        limits = Path(f"/proc/{worker.process.pid}/limits").read_text()
        assert f"Max address space         {prove.MEMORY_BYTES}" in limits


def test_expressions_too_large_to_write_out_are_not_asked() -> None:
    assert prove.tower(parse("2^{10^{10}}x")[0])
    assert prove.tower(func("factorial", num(10**9)))
    assert not prove.tower(parse("x^{10}+n!")[0])
    assert prove.zero(parse("9^{9^{9}}")[0], var("x")) == {"kind": "too large"}


def test_any_thread_may_ask() -> None:
    found: list[str] = []

    def work(k: int) -> None:
        found.append(equal(f"\\int_0^1 {k}x^2 \\, dx", f"\\frac{{{k}}}{{3}}").kind)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == ["equal"] * 6


CHILD = """
import sys, time
from w2s_data.answers import equal, prove
prove.SECONDS = 60.0
assert equal("\\\\int_0^1 x^2 \\\\, dx", "\\\\frac13").kind == "equal"
print("ready", flush=True)
if sys.argv[1] == "wait":
    time.sleep(60)
"""


def start(mode: str) -> tuple[subprocess.Popen[str], list[int]]:
    child = subprocess.Popen([sys.executable, "-c", CHILD, mode], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "ready"
    return child, workers_of(child.pid)


def gone(pids: list[int], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        alive = [p for p in pids if Path(f"/proc/{p}/cmdline").exists() and _command(p)]
        if not alive:
            return True
        time.sleep(0.1)
    return False


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_no_worker_outlives_a_parent_killed_by_force() -> None:
    child, workers = start("wait")
    assert workers
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert gone(workers)


def test_no_worker_outlives_a_parent_that_ends() -> None:
    child, workers = start("end")
    child.wait(30)
    assert gone(workers)


def test_importing_the_engine_loads_no_sympy_and_starts_no_process() -> None:
    code = "import sys, w2s_data.answers; assert 'sympy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_proofs_are_kept_in_the_store_and_timeouts_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    replies = {"proved": {"kind": "equal", "why": "expand"}, "hard": {"kind": "timeout"}}

    def reply(question: dict[str, str]) -> dict[str, str]:
        asked.append(question["op"])
        return replies[question["op"]]

    monkeypatch.setattr(prove, "_asked", reply)
    for _ in range(2):
        monkeypatch.setattr(prove, "_known", {})
        with Store(tmp_path / "store.sqlite") as store, remember(store.memo):
            for op in ("proved", "hard", "proved"):
                assert prove.ask({"op": op}) == replies[op]
    assert asked == ["proved", "hard", "hard"]
    with Store(tmp_path / "store.sqlite") as store, remember(store.memo):
        work = threading.Thread(target=lambda: prove.ask({"op": "hard"}))
        work.start()
        work.join()
    assert asked[3:] == ["hard"]


def test_hostile_answers_are_decided_in_time() -> None:
    hostile = [
        "7" * 10_000,
        "x" * 100_000,
        "9^" * 3000 + "9",
        "(10^8)!" * 50,
        "{" * 1000 + "1" + "}" * 1000,
        "(" * 5000,
        "\\frac{" * 900,
        "\x00\x07\ud800" * 50,
        "=" * 15_000,
        "1," * 9000,
        "|" * 9000,
        "\\pm " * 4000,
        "x_{" * 300,
        "\\sqrt" * 3000 + "2",
        "+".join(f"\\sqrt{{{p}}}" for p in range(2, 400)),
        "9^{2500}*" * 2000 + "1",
        "+".join(f"\\frac{{1}}{{{n}^{{700}}}}" for n in range(2, 300)),
    ]
    for answer in hostile:
        for other in ("1", "x", hostile[0], hostile[2]):
            began = time.process_time()
            equal(answer, other)
            assert time.process_time() - began < 2.5, (answer[:40], other[:40])
