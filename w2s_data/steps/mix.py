"""Training sets at an exact outcome error rate and an exact budget.

Each task of a pool has a right solution, a wrong one, or both. `draw` takes so many tasks that
exactly round(rate * rows) of them give their wrong solution; tasks are taken in the order of
their ranks, hashes of their ids, so the order of the pool changes nothing. Tasks that have both
come first: then sets of one size hold the same tasks at every rate, and what is wrong at a low
rate is wrong at a higher one. 16 bytes a task are held in memory.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from w2s_data.errors import W2SError
from w2s_data.rows import digest

Choices = npt.NDArray[np.int8]
NONE, RIGHT, WRONG = 0, 1, 2
_TOKEN = re.compile(r"\d|[^\W\d]+|[^\w\s]")


class Pool:
    """What each task costs with its right and with its wrong solution; None: it has none."""

    def __init__(self, seed: int, name: str):
        self.name = name
        self._seed = str(seed)
        self._ranks, self._right, self._wrong = array("Q"), array("i"), array("i")

    def add(self, task_id: str, right: int | None, wrong: int | None) -> None:
        self._ranks.append(int(digest("mix", self._seed, task_id)[:16], 16))
        self._right.append(-1 if right is None else right)
        self._wrong.append(-1 if wrong is None else wrong)

    def __len__(self) -> int:
        return len(self._ranks)

    def right(self) -> npt.NDArray[np.int32]:
        return np.array(self._right, np.int32)

    def wrong(self) -> npt.NDArray[np.int32]:
        return np.array(self._wrong, np.int32)

    def order(self) -> npt.NDArray[np.intp]:
        """The tasks' positions by rank."""
        return np.argsort(np.array(self._ranks, np.uint64), kind="stable")

    def only(self, right: npt.NDArray[np.bool_], wrong: npt.NDArray[np.bool_]) -> Pool:
        """The same tasks, with the right solutions and the wrong ones of some."""
        part = Pool(0, self.name)
        part._seed, part._ranks = self._seed, self._ranks
        part._right = array("i", np.where(right, self.right(), -1).astype(np.int32).tobytes())
        part._wrong = array("i", np.where(wrong, self.wrong(), -1).astype(np.int32).tobytes())
        return part

    def cost(self, choices: Choices) -> int:
        """The cost of the chosen solutions together."""
        right = self.right()[choices == RIGHT].sum(dtype=np.int64)
        return int(right + self.wrong()[choices == WRONG].sum(dtype=np.int64))


def tokens(text: str) -> int:
    """The length of a text in words, digits and signs: about a model's tokens, whatever its
    tokenizer."""
    return sum(1 for _ in _TOKEN.finditer(text))


def wrong_rows(rows: int, rate: float) -> int:
    """How many of so many rows are wrong at the rate: the nearest whole number, half up."""
    return math.floor(Fraction(str(rate)) * rows + Fraction(1, 2))


def draw(pool: Pool, rows: int, rate: float) -> Choices:
    """For each task of the pool NONE, RIGHT or WRONG: `rows` tasks in all.

    Raises W2SError that names the largest (or least) rate, or the most rows, that are possible.
    """
    has_right, has_wrong = pool.right() >= 0, pool.wrong() >= 0
    order = pool.order()
    both, right, wrong = (
        order[mask[order]]
        for mask in (has_right & has_wrong, has_right & ~has_wrong, has_wrong & ~has_right)
    )
    bad = wrong_rows(rows, rate)
    _possible(pool.name, rows, rate, len(both), len(right), len(wrong))
    shared = min(len(both), rows)
    others = rows - shared
    least, most = max(0, others - min(len(right), rows - bad)), min(len(wrong), bad)
    alone = min(max(wrong_rows(others, rate), least), most)
    choices = np.zeros(len(pool), np.int8)
    choices[wrong[:alone]] = WRONG
    choices[right[: others - alone]] = RIGHT
    choices[both[: bad - alone]] = WRONG
    choices[both[bad - alone : shared]] = RIGHT
    return choices


def _possible(name: str, rows: int, rate: float, both: int, right: int, wrong: int) -> None:
    bad = wrong_rows(rows, rate)
    if rows > both + right + wrong:
        raise W2SError(
            f"budget must be at most {both + right + wrong:,} rows of {name}: so many have a "
            f"judged solution, was: {rows:,}"
        )
    for side, have, most in (("wrong", bad, wrong + both), ("right", rows - bad, right + both)):
        if have <= most:
            continue
        bound = most / rows if side == "wrong" else 1 - most / rows
        limit = f"at {'most' if side == 'wrong' else 'least'} {_cut(bound, side == 'wrong')}"
        raise W2SError(
            f"the error rate of {name} must be {limit} for {rows:,} rows, was: {rate}; only "
            f"{most:,} have a {side} solution, enough for "
            f"{largest(lambda n: _fits(n, rate, both, right, wrong), rows):,} rows at this rate"
        )


def _cut(share: float, down: bool) -> float:
    """A share to four digits that keeps to its side."""
    scaled = share * 10_000
    return (math.floor(scaled) if down else math.ceil(scaled)) / 10_000


def _fits(rows: int, rate: float, both: int, right: int, wrong: int) -> bool:
    bad = wrong_rows(rows, rate)
    return rows <= both + right + wrong and bad <= wrong + both and rows - bad <= right + both


def largest(fits: Callable[[int], bool], below: int) -> int:
    """The largest number up to `below` that fits, by bisection; 0 if 1 does not."""
    low, high = 0, below
    while low < high:
        middle = (low + high + 1) // 2
        if fits(middle):
            low = middle
        else:
            high = middle - 1
    return low
