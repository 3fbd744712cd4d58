"""Symbolic proofs in worker processes that are killed at a hard limit and replaced.

A worker is a fresh `python -m w2s_data.answers._worker`, never a fork of this process. It ends by
itself when its input closes or its parent is gone, and it limits its own memory.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, MutableMapping
from fractions import Fraction
from pathlib import Path

from w2s_data.answers.nodes import Node
from w2s_data.answers.numeric import variables
from w2s_data.answers.parse import Malformed, parse

SECONDS = 2.0
MEMORY_BYTES = 1 << 30
STARTUP_SECONDS = 60.0
MAX_QUESTION = 20_000
_LARGEST_EXPONENT = 100_000
_TASKS_PER_WORKER = 500

Reply = dict[str, str]


class _Worker:
    """One process and its pipes; used by one thread at a time."""

    def __init__(self) -> None:
        source = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(p for p in (source, os.environ.get("PYTHONPATH", "")) if p)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "w2s_data.answers._worker", str(MEMORY_BYTES), str(SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            bufsize=0,
            start_new_session=True,
        )
        self.tasks = 0
        if self.read(STARTUP_SECONDS) != b'{"kind": "ready"}':
            self.kill()
            raise OSError("the proof worker did not start")

    def ask(self, question: Reply, seconds: float) -> Reply:
        assert self.process.stdin is not None
        self.tasks += 1
        try:
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
        except OSError:
            return {"kind": "crashed"}
        line = self.read(seconds)
        if line is None:
            return {"kind": "timeout"}
        try:
            reply: Reply = json.loads(line)
        except ValueError:
            return {"kind": "crashed"}
        return reply

    def read(self, seconds: float) -> bytes | None:
        """One line of output, b"" at its end, None when the time is over."""
        assert self.process.stdout is not None
        descriptor, deadline, found = self.process.stdout.fileno(), time.monotonic() + seconds, b""
        while not found.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not _readable(descriptor, left):
                return None
            chunk = os.read(descriptor, 65536)
            if not chunk:
                return b""
            found += chunk
        return found.rstrip()

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


class _Pool:
    """The workers of one process; any thread may ask."""

    def __init__(self) -> None:
        self.free = threading.Condition()
        self.idle: list[_Worker] = []
        self.all: set[_Worker] = set()
        self.starting = 0
        self.closed = False
        self.size = max(1, min(8, os.cpu_count() or 1))

    def take(self) -> _Worker:
        with self.free:
            while not self.idle and len(self.all) + self.starting >= self.size:
                self.free.wait()
            if self.idle:
                return self.idle.pop()
            self.starting += 1
        return self.started()

    def started(self) -> _Worker:
        try:
            worker = _Worker()
            with self.free:
                self.all.add(worker)
            return worker
        finally:
            with self.free:
                self.starting -= 1
                self.free.notify()

    def give(self, worker: _Worker, healthy: bool) -> None:
        keep = healthy and worker.tasks < _TASKS_PER_WORKER and not self.closed
        if not keep:
            worker.kill()
        with self.free:
            if keep:
                self.idle.append(worker)
            else:
                self.all.discard(worker)
            self.free.notify()
        if not keep and not self.closed:
            threading.Thread(target=self.refill, daemon=True).start()

    def close(self) -> None:
        with self.free:
            self.closed = True
            workers, self.idle, self.all = list(self.all), [], set()
        for worker in workers:
            worker.kill()

    def refill(self) -> None:
        """Start a worker in the place of a killed one, so that the next proof need not wait."""
        with contextlib.suppress(OSError):
            worker = self.take_new()
            self.give(worker, True)

    def take_new(self) -> _Worker:
        with self.free:
            if self.closed or self.idle or len(self.all) + self.starting >= self.size:
                raise OSError("no worker needed")
            self.starting += 1
        return self.started()


_POOLS: dict[int, _Pool] = {}


def _pool() -> _Pool:
    """The pool of this process: a forked child starts its own."""
    return _POOLS.setdefault(os.getpid(), _Pool())


def close() -> None:
    """End the worker processes of this process; the next proof starts new ones."""
    pool = _POOLS.pop(os.getpid(), None)
    if pool is not None:
        pool.close()


atexit.register(close)

_budget = threading.local()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """All proofs inside together take at most so long; the rest of them time out at once.

    Waiting for a free worker does not count.
    """
    before = getattr(_budget, "ends", None)
    _budget.ends = time.monotonic() + seconds if before is None else before
    try:
        yield
    finally:
        _budget.ends = before


_known: MutableMapping[str, str] = {}
_MAX_KNOWN = 100_000


def remember(mapping: MutableMapping[str, str]) -> None:
    """Keep proofs in `mapping` (question -> reply, both JSON), for instance one on disk.

    Only proofs are kept; a timeout is tried again by the next process.
    """
    global _known
    _known = mapping


def ask(question: Reply) -> Reply:
    """The reply of a worker: `kind` is what it found, or "timeout", "memory" or "crashed"."""
    name = json.dumps(question, sort_keys=True)
    if len(name) > MAX_QUESTION:
        return {"kind": "too long"}
    if name in _known:
        known: Reply = json.loads(_known[name])
        return known
    reply = _asked(question)
    if reply["kind"] not in ("timeout", "crashed", "memory") and len(_known) < _MAX_KNOWN:
        _known[name] = json.dumps(reply)
    return reply


def _asked(question: Reply) -> Reply:
    began, ends = time.monotonic(), getattr(_budget, "ends", None)
    if ends is not None and ends - began < 0.01:
        return {"kind": "timeout"}
    pool = _pool()
    try:
        worker = pool.take()
    except OSError as problem:
        return {"kind": "crashed", "why": str(problem)}
    if ends is not None:
        ends = _budget.ends = ends + time.monotonic() - began
    reply: Reply = {"kind": "crashed"}
    try:
        left = SECONDS if ends is None else max(0.1, min(SECONDS, ends - time.monotonic()))
        reply = worker.ask(question, left)
    finally:
        pool.give(worker, reply["kind"] not in ("timeout", "crashed", "memory"))
    return reply


def readable(node: Node) -> bool:
    """Whether the worker will read back the very same node from its key."""
    try:
        return parse(node.key)[0].key == node.key
    except (Malformed, RecursionError, ValueError, ArithmeticError):
        return False


def tower(node: Node) -> bool:
    """Whether a power or factorial in the node is too large to be written out."""
    if node.head == "n" or not isinstance(node, Node):
        return False
    if node.head in "*^":
        for base, exponent in node.args[1] if node.head == "*" else (node.args,):
            if exponent.head == "n" and abs(exponent.args[0]) > _LARGEST_EXPONENT:
                return True
            if tower(base) or tower(exponent):
                return True
        return False
    if node.head == "+":
        return any(tower(term) for term, _ in node.args[1])
    if node.head == "f":
        arguments = node.args[1:]
        if node.args[0] in ("factorial", "binomial"):
            return any(a.head != "v" and not _small(a) for a in arguments)
        return any(tower(argument) for argument in arguments)
    return False


def _small(node: Node) -> bool:
    return (node.head == "n" and bool(abs(node.args[0]) <= 10_000)) or bool(variables(node))


def zero(a: Node, b: Node) -> Reply:
    """Whether a - b is zero: kind "equal" by a proof, "different" by 50 digits, or neither."""
    if tower(a) or tower(b):
        return {"kind": "too large"}
    if not (readable(a) and readable(b)):
        return {"kind": "unreadable"}
    first, second = sorted((a.key, b.key))
    return ask({"op": "zero", "a": first, "b": second})


def decimal_of(node: Node, places: int) -> Fraction | None:
    """The value of a real constant to `places` decimal places, None where it has none."""
    if not readable(node):
        return None
    reply = ask({"op": "digits", "a": node.key, "places": str(places)})
    return Fraction(reply["value"]) if reply["kind"] == "digits" else None
