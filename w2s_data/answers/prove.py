"""Symbolic proofs in worker processes that are killed at a hard limit and replaced."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

from w2s_data.answers.cursor import Malformed
from w2s_data.answers.nodes import Node
from w2s_data.answers.numeric import variables
from w2s_data.answers.parse import parse
from w2s_data.answers.workers import STARTUP_SECONDS, Pool, Worker

SECONDS = 2.0
MEMORY_BYTES = 1 << 30
MAX_QUESTION = 20_000
NOT_STARTED = "no worker yet"
_LARGEST_EXPONENT = 100_000
_SLOW = 0.25

Reply = dict[str, str]
Memo = Callable[[str, Callable[[], str]], str]
_POOLS: dict[int, Pool] = {}


def _pool() -> Pool:
    """The pool of this process: a forked child starts its own."""
    return _POOLS.setdefault(os.getpid(), Pool(_worker))


def _worker() -> Worker:
    return Worker("w2s_data.answers._worker", MEMORY_BYTES, SECONDS)


def warm() -> None:
    """Wait until a worker is ready, so that the first proof has all of its time."""
    pool = _pool()
    worker, _ = pool.take(STARTUP_SECONDS)
    if worker is not None:
        pool.give(worker, True)


def close() -> None:
    """End the worker processes of this process; the next proof starts new ones."""
    pool = _POOLS.pop(os.getpid(), None)
    if pool is not None:
        pool.close()


atexit.register(close)

_budget = threading.local()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Everything inside takes at most so long: proofs in elapsed time, the start of a worker
    included; other work, where it asks `over`, in the processor time of this thread beside them.

    Waiting while other threads keep all workers busy does not count.
    """
    if getattr(_budget, "ends", None) is not None:
        yield
        return
    _budget.ends = time.monotonic() + seconds
    _budget.work_ends = time.thread_time() + seconds
    try:
        yield
    finally:
        _budget.ends = None


def over() -> bool:
    """Whether the time of `within` is spent on proofs and on work in this thread."""
    return getattr(_budget, "ends", None) is not None and time.thread_time() > _budget.work_ends


_known: dict[str, str] = {}
_MAX_KNOWN = 100_000
_NO_PROOF = ("timeout", "crashed", "memory", NOT_STARTED)
_kept = threading.local()


@contextlib.contextmanager
def remember(memo: Memo) -> Iterator[None]:
    """Keep the proofs of this thread through `memo`, for instance `Store.memo`, while inside.

    Replies of the symbolic engine are kept, "unproved" among them; a timeout is tried again.
    """
    before = getattr(_kept, "memo", None)
    _kept.memo = memo
    try:
        yield
    finally:
        _kept.memo = before


def ask(question: Reply) -> Reply:
    """The reply of a worker: `kind` is what it found, or one of _NO_PROOF."""
    name = json.dumps(question, sort_keys=True)
    if len(name) > MAX_QUESTION:
        return {"kind": "too long"}
    found = _known.get(name)
    if found is None:
        memo = getattr(_kept, "memo", None)
        try:
            found = memo(f"proof {name}", lambda: _proof(question)) if memo else _proof(question)
        except _NoProof as none:
            return none.reply
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[name] = found
    reply: Reply = json.loads(found)
    return reply


class _NoProof(Exception):
    """A reply that is not to be kept."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


def _proof(question: Reply) -> str:
    reply = _asked(question)
    if reply["kind"] in _NO_PROOF:
        raise _NoProof(reply)
    return json.dumps(reply)


def _asked(question: Reply) -> Reply:
    ends = getattr(_budget, "ends", None)
    left = SECONDS if ends is None else ends - time.monotonic()
    if left < 0.01:
        return {"kind": "timeout"}
    pool = _pool()
    at_first, (worker, left) = left, pool.take(left)
    began = time.monotonic()
    if ends is not None:
        _budget.ends = began + left
        _budget.work_ends -= at_first - left
    if worker is None:
        return {"kind": NOT_STARTED}
    reply: Reply | None = None
    try:
        worker.send(question)
        reply = worker.reply(min(left, _SLOW))
        if reply is None:
            pool.spare()
            reply = worker.reply(left - _SLOW)
    finally:
        reply = reply or {"kind": "timeout" if at_first - left < _SLOW else NOT_STARTED}
        pool.give(worker, reply["kind"] not in _NO_PROOF)
        if ends is not None:
            _budget.work_ends -= time.monotonic() - began
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
