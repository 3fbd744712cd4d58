"""Many pairs at once, over processes that are started afresh and end with this one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from w2s_data.answers.compare import Verdict
from w2s_data.answers.equal import equal
from w2s_data.answers.policy import DEFAULT, Policy, policy_named, published

Pair = tuple[str, str]
_CHUNK = 2000
_WORTH_A_PROCESS = 4000


def equal_many(
    pairs: Iterable[Pair],
    policy: Policy | str = DEFAULT,
    *,
    compat: str | None = None,
    processes: int | None = None,
) -> list[Verdict]:
    """`equal` for each pair, in their order, over `processes` processes (default: all cores).

    Small batches stay in this process; so do those of a daemonic one, which may have no children.
    """
    pairs = list(pairs)
    policy = policy_named(policy)
    published(compat)
    count = min(processes or os.cpu_count() or 1, -(-len(pairs) // _CHUNK))
    if count < 2 or (processes is None and len(pairs) < _WORTH_A_PROCESS) or _childless():
        return [equal(a, b, policy, compat=compat) for a, b in pairs]
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:
        chunks = list(_chunks(pairs))
        found = pool.map(_equal_chunk, chunks, [policy] * len(chunks), [compat] * len(chunks))
        return [verdict for chunk in found for verdict in chunk]


def _childless() -> bool:
    from multiprocessing import current_process

    return current_process().daemon


def _chunks(pairs: list[Pair]) -> Iterator[list[Pair]]:
    rest = iter(pairs)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _equal_chunk(pairs: list[Pair], policy: Policy, compat: str | None) -> list[Verdict]:
    return [equal(a, b, policy, compat=compat) for a, b in pairs]
