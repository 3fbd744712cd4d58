"""Processes that answer questions as JSON lines: fresh interpreters, killed at will and replaced.

A worker is a fresh `python -m MODULE`, never a fork of this process: it may be started from any
thread, in a daemonic process and under a script without a main guard. It ends by itself when its
input closes or its parent is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

READY = {"kind": "ready"}
STARTUP_SECONDS = 60.0
_TASKS_PER_WORKER = 500


class Worker:
    """One process and its pipes; used by one thread at a time.

    Raises OSError where the process does not start.
    """

    def __init__(self, module: str, *arguments: object) -> None:
        source = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(p for p in (source, os.environ.get("PYTHONPATH", "")) if p)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *(str(a) for a in arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            bufsize=0,
            start_new_session=True,
        )
        self.tasks = 0
        self.read_so_far = b""
        if self.reply(STARTUP_SECONDS) != READY:
            self.kill()
            raise OSError("a worker process of the answer engine did not start")

    def send(self, question: object) -> None:
        """Pass a question on; a process that is gone shows in its reply."""
        assert self.process.stdin is not None
        self.tasks += 1
        rest = memoryview(json.dumps(question).encode() + b"\n")
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[self.process.stdin.write(rest) :]

    def reply(self, seconds: float) -> Any:
        """The next reply; None when the time is over, {"kind": "crashed"} without a process."""
        assert self.process.stdout is not None
        descriptor, deadline = self.process.stdout.fileno(), time.monotonic() + seconds
        while not self.read_so_far.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not _readable(descriptor, left):
                return None
            chunk = os.read(descriptor, 1 << 20)
            if not chunk:
                return {"kind": "crashed"}
            self.read_so_far += chunk
        line, self.read_so_far = self.read_so_far, b""
        try:
            return json.loads(line)
        except ValueError:
            return {"kind": "crashed"}

    def kill(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()


def _readable(descriptor: int, seconds: float) -> bool:
    if hasattr(select, "poll"):
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN | select.POLLHUP)
        return bool(waiting.poll(max(1, int(seconds * 1000))))
    return bool(select.select([descriptor], [], [], seconds)[0])


class Pool:
    """The workers of one process; any thread may take one."""

    def __init__(self, start: Callable[[], Worker]) -> None:
        self.start = start
        self.changed = threading.Condition()
        self.idle: list[Worker] = []
        self.all: set[Worker] = set()
        self.starting = 0
        self.waiting = 0
        self.closed = False
        self.size = max(4, min(8, os.cpu_count() or 1))

    def take(self, seconds: float) -> tuple[Worker | None, float]:
        """A worker and the seconds that are left; no worker when none has started in time.

        Waiting for workers that are all busy with the questions of other threads does not count.
        """
        with self.changed:
            self.waiting += 1
            try:
                while not self.idle and seconds > 0 and not self.closed:
                    if self.starting < self.waiting:
                        self._begin_one(self.size)
                    began, counts = time.monotonic(), self.starting > 0
                    self.changed.wait(seconds if counts else STARTUP_SECONDS)
                    seconds -= time.monotonic() - began if counts else 0.0
                return (self.idle.pop() if self.idle else None), seconds
            finally:
                self.waiting -= 1

    def give(self, worker: Worker, healthy: bool) -> None:
        """Take a worker back; one that is sick or old goes, and another starts in its place."""
        old = worker.tasks >= _TASKS_PER_WORKER
        with self.changed:
            keep = healthy and not self.closed and not (old and self.idle)
            if keep:
                self.idle.append(worker)
            else:
                self.all.discard(worker)
            self.changed.notify()
        if not keep:
            worker.process.kill()
            threading.Thread(target=worker.kill, daemon=True).start()
        if not keep or old:
            self.spare()

    def spare(self) -> None:
        """Start a worker if none is idle, so that the next question need not wait for it."""
        with self.changed:
            if not self.idle and not self.starting and not self.closed:
                self._begin_one(self.size + 1)

    def _begin_one(self, most: int) -> None:
        if len(self.all) + self.starting < most:
            self.starting += 1
            threading.Thread(target=self._started, daemon=True).start()

    def _started(self) -> None:
        worker = None
        try:
            worker = self.start()
        except OSError:
            time.sleep(0.1)
        finally:
            with self.changed:
                self.starting -= 1
                if worker is not None and not self.closed:
                    self.all.add(worker)
                    self.idle.append(worker)
                self.changed.notify_all()
        if worker is not None and self.closed:
            worker.kill()

    def close(self) -> None:
        with self.changed:
            self.closed = True
            workers, self.idle, self.all = list(self.all), [], set()
            self.changed.notify_all()
        for worker in workers:
            worker.kill()


# --- the other side ---------------------------------------------------------------------------


def questions(watch: Callable[[], None] = lambda: None) -> Iterator[Any]:
    """The questions this process is asked; it ends at once with its input or its parent.

    `watch` is called about four times a second, from another thread.
    """
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(lines, watch), daemon=True).start()
    return (json.loads(line) for line in iter(lines.get, None))


def say(reply: object) -> None:
    """Write one reply; print and warnings of others must not go to descriptor 1."""
    rest = memoryview(json.dumps(reply).encode() + b"\n")
    while rest:
        rest = rest[os.write(1, rest) :]


def _listen(lines: queue.Queue[bytes], watch: Callable[[], None]) -> None:
    parent, pending = os.getppid(), b""
    while True:
        ready = select.select([0], [], [], 0.25)[0]
        watch()
        if os.getppid() != parent:
            os._exit(0)
        if not ready:
            continue
        chunk = os.read(0, 1 << 20)
        if not chunk:
            os._exit(0)
        *whole, pending = (pending + chunk).split(b"\n")
        for line in whole:
            lines.put(line)
