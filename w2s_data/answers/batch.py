"""Many pairs at once, over processes that are started afresh and end with this one."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable
from dataclasses import asdict

from w2s_data.answers.equal import settled
from w2s_data.answers.policy import DEFAULT, Policy, policy_named, published
from w2s_data.answers.values import Verdict
from w2s_data.answers.workers import Worker

Pair = tuple[str, str]
_CHUNK = 500
_WORTH_A_PROCESS = 4000
_NO_LIMIT = 1e6


def equal_many(
    pairs: Iterable[Pair],
    policy: Policy | str = DEFAULT,
    *,
    compat: str | None = None,
    processes: int | None = None,
) -> list[Verdict]:
    """`equal` for each pair, in their order, over `processes` processes (default: all cores).

    Small batches stay in this process. Any thread of any process may call it, and a script needs
    no main guard. What a process had in hand when it died is decided here.
    """
    pairs = list(pairs)
    policy = policy_named(policy)
    published(compat)
    count = min(processes or os.cpu_count() or 1, -(-len(pairs) // _CHUNK))
    if count < 2 or (processes is None and len(pairs) < _WORTH_A_PROCESS):
        return decided(pairs, policy, compat)
    chunks = [pairs[start : start + _CHUNK] for start in range(0, len(pairs), _CHUNK)]
    found = _Batch(chunks, policy, compat).over(count)
    return [
        verdict
        for number, chunk in enumerate(chunks)
        for verdict in found.get(number) or decided(chunk, policy, compat)
    ]


def decided(pairs: list[Pair], policy: Policy, compat: str | None) -> list[Verdict]:
    return [settled(a, b, policy, compat=compat) for a, b in pairs]


class _Batch:
    """Chunks of pairs, handed out to processes by one thread each."""

    def __init__(self, chunks: list[list[Pair]], policy: Policy, compat: str | None) -> None:
        self.chunks, self.marks = chunks, (asdict(policy), compat)
        self.left: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(chunks)):
            self.left.put(number)
        self.found: dict[int, list[Verdict]] = {}

    def over(self, processes: int) -> dict[int, list[Verdict]]:
        """The verdicts by number of chunk, without the chunks that were lost."""
        threads = [threading.Thread(target=self.work, daemon=True) for _ in range(processes)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            while not self.left.empty():
                self.left.get_nowait()
        return self.found

    def work(self) -> None:
        try:
            worker = Worker("w2s_data.answers._pairs")
        except OSError:
            return
        try:
            while True:
                number = self.left.get_nowait()
                worker.send([self.chunks[number], *self.marks])
                reply = worker.reply(_NO_LIMIT)
                if not isinstance(reply, list):
                    return
                self.found[number] = [Verdict(*verdict) for verdict in reply]
        except queue.Empty:
            return
        finally:
            worker.kill()
