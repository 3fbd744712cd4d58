"""Per-row weights as copies: the form of a weight that LLaMA-Factory trains on unchanged.

No default trainer of LLaMA-Factory (0.9.5) takes a weight per row. A row of weight w that stands
K*w times in the set adds K*w times its loss, in every stage. Systematic resampling (Kitagawa 1996;
Carpenter, Clifford and Fearnhead 1999) gives whole numbers of copies: one random offset, and steps
of equal length through the sum of the weights. Each row's copies differ from K*w by less than one,
their expectation is K*w, and they sum to the budget exactly.

    steps.weights.compile_rows(ended, "share", budget=5000, seed=42, notes=notes)   # whole rows
    list(steps.weights.copies([("a", 1.0), ("b", 0.25)], budget=5))                 # [4, 1]

A method that makes weighted endings (soft labels: one ending a label) puts `weight` on each and
names `weights="column:weight"` in its `Stage`.
"""

from __future__ import annotations

import contextlib
import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from w2s_data.errors import W2SError, out_of_range, unknown
from w2s_data.io import Spool
from w2s_data.rows import Row, digest, drop, rng

# Weights by name: the column that holds it, and whether the weight is its complement.
NAMED = {
    "entropy": ("entropy_normalised", True),
    "share": ("share", False),
    "score": ("score", False),
}
SMALLEST = 1e-290  # of the sum: by a smaller one a budget cannot be divided
NO_COPY, ZERO = "weights: no copy in the budget", "weights: weight 0"


def compile_rows(
    rows: Iterable[Row],
    weights: str,
    *,
    budget: int | None = None,
    seed: int = 42,
    notes: dict[str, Any] | None = None,
) -> Iterator[Row]:
    """Ended rows in their order, each ending as many times as its weight earns.

    `weights` is `share`, `score`, `entropy` (1 - the normalised entropy) or `column:NAME`, looked
    for on the ending, then on the row, then in its `meta`. `budget` is the number of endings in
    the result, by default that of the endings with a positive weight. The weight itself goes
    through as the ending's `weight`. A row without a copy is dropped with its reason. Rows marked
    `held_out` are compiled each by itself: as many copies as it has endings of positive weight,
    shared out among them by weight, so that an evaluation counts each row alike and a soft label
    as it is. Permuting the rows changes no row's copies. Two passes over a spool; memory is flat.
    Raises W2SError for a row without the column, or a weight that is no number >= 0.
    """
    spool = Spool(weigh(rows, weights))
    trained = (
        (f"{place} {row['id']}", ending["weight"])
        for row in spool
        if not row.get("held_out")
        for place, ending in enumerate(row.get("endings", ()))
    )
    counts = copies(trained, budget=budget, seed=seed, notes=notes)
    for row in spool:
        if "endings" not in row:
            yield row
            continue
        times = _by_itself(row, seed) if row.get("held_out") else counts
        endings = [one for ending in row["endings"] for one in [ending] * next(times)]
        yield row | {"endings": endings} if endings else _absent(row)
    next(counts, None)


def _by_itself(row: Row, seed: int) -> Iterator[int]:
    """The copies of each ending of one row, as many in all as have a positive weight."""
    units = [_units(ending["weight"]) for ending in row["endings"]]
    drawn = _Drawn(max(1, sum(units)), sum(map(bool, units)), seed, row["id"])
    return map(drawn.step, units)


def weigh(rows: Iterable[Row], weights: str) -> Iterator[Row]:
    """Ended rows with the `weight` of each ending, as `compile_rows` reads it."""
    column(weights)
    for row in rows:
        endings = row.get("endings", ())
        weighted = [_with_weight(row, ending, weights) for ending in endings]
        yield row | {"endings": weighted} if weighted else row


def copies(
    weighted: Iterable[tuple[str, float]],
    *,
    budget: int | None = None,
    seed: int = 42,
    notes: dict[str, Any] | None = None,
) -> Iterator[int]:
    """How many copies each (key, weight) gets, in the order given; the keys are unique.

    The copies sum to `budget` (by default the number of positive weights). With K = budget / sum
    of the weights, each differs from K*w by less than one and has it as its expectation over the
    offset; weight 0 has no copy. Decided in the order of a hash of seed and key, in exact
    arithmetic: the order of the items changes nothing. `notes` is given budget, copies_per_weight
    (K), largest_deviation, mean_deviation and items by number of copies, once the first count is
    asked for. Raises W2SError for a weight that is no number >= 0, or when all are 0.
    """
    if budget is not None and budget < 1:
        raise out_of_range("budget", ">= 1", budget)
    with contextlib.closing(sqlite3.connect("")) as database, _on_disk():
        database.execute("PRAGMA cache_size = -32768")
        database.execute("CREATE TABLE item (place INTEGER PRIMARY KEY, rank BLOB, weight REAL)")
        database.execute("CREATE TABLE drawn (place INTEGER, copies INTEGER)")
        total = positive = 0

        def ranked() -> Iterator[tuple[bytes, float]]:
            nonlocal total, positive
            for key, weight in weighted:
                total += _units(_checked(key, weight))
                positive += weight > 0
                yield bytes.fromhex(digest("copies", str(seed), key)[:32]), float(weight)

        database.executemany("INSERT INTO item (rank, weight) VALUES (?, ?)", ranked())
        if not database.execute("SELECT 1 FROM item").fetchone():
            return
        if total < _units(SMALLEST):
            raise W2SError("weights: no row has a positive weight; nothing is left to train on")
        drawn = _Drawn(total, positive if budget is None else budget, seed)
        hashed = database.execute("SELECT place, weight FROM item ORDER BY rank, weight")
        steps = ((place, drawn.step(_units(weight))) for place, weight in hashed)
        database.executemany("INSERT INTO drawn VALUES (?, ?)", steps)
        if notes is not None:
            notes.update(drawn.facts())
        for (count,) in database.execute("SELECT copies FROM drawn ORDER BY place"):
            yield count


class _Drawn:
    """Systematic resampling item by item, and how far the copies are from the weights."""

    def __init__(self, total: int, budget: int, seed: int, key: str = ""):
        self.total, self.budget = total, budget
        self.passed = 0
        self.offset = rng(seed, key, "copies").randrange(total)
        self.largest = self.off = 0
        self.items: Counter[int] = Counter()

    def step(self, units: int) -> int:
        """The next item's copies: the whole numbers that its stretch of the sum steps over."""
        before = (self.passed * self.budget + self.offset) // self.total
        self.passed += units
        count = (self.passed * self.budget + self.offset) // self.total - before
        off = abs(count * self.total - units * self.budget)
        self.largest, self.off = max(self.largest, off), self.off + off
        self.items[count] += 1
        return count

    def facts(self) -> dict[str, Any]:
        whole = _units(1.0)
        return {
            "budget": self.budget,
            "copies_per_weight": self.budget * whole / self.total,
            "largest_deviation": self.largest / self.total,
            "mean_deviation": self.off / self.total / self.items.total(),
            "items_by_copies": {str(count): self.items[count] for count in sorted(self.items)},
        }


def column(weights: str) -> tuple[str, bool]:
    """The column `weights` reads, and whether the weight is 1 minus it."""
    if weights.startswith("column:") and weights != "column:":
        return weights.removeprefix("column:"), False
    if weights not in NAMED:
        raise unknown("weights", weights, [*NAMED, "column:NAME"])
    return NAMED[weights]


def hold_out(rows: Iterable[Row], share: float, seed: int = 42) -> Iterator[Row]:
    """Ended rows, `held_out` for evaluation in this share of the prompts: rows that share a prompt
    stay on one side, so that no copy of a training row is evaluated. Any order gives the same."""
    for row in rows:
        prompt = row["prompt"] if isinstance(row["prompt"], str) else str(row["prompt"])
        place = int(digest("held out", str(seed), prompt)[:16], 16)
        chosen = "endings" in row and place < share * 2**64
        yield row | {"held_out": True} if chosen else row


def _with_weight(row: Row, ending: Row, weights: str) -> Row:
    name, complement = column(weights)
    places = (ending, row, row.get("meta", {}))
    found = next((place[name] for place in places if place.get(name) is not None), None)
    if found is None:
        numbers = {k for place in places for k, v in place.items() if isinstance(v, int | float)}
        raise W2SError(
            f"weights {weights}: row {row['id']!r} has no {name!r}; columns with numbers: "
            f"{', '.join(sorted(numbers)) or 'none'}; name one with --weights column:NAME"
        )
    value = _checked(row["id"], found)
    return ending | {"weight": max(0.0, 1 - value) if complement else value}


def _checked(key: str, weight: Any) -> float:
    number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not number or not math.isfinite(weight) or weight < 0:
        raise W2SError(f"weights: row {key!r}: a weight must be a number >= 0, was: {weight!r}")
    return float(weight)


def _units(weight: float) -> int:
    """A weight in the smallest unit of a float (2**-1074), so that sums are exact."""
    above, below = weight.as_integer_ratio()
    return above << (1075 - below.bit_length())


def _absent(row: Row) -> Row:
    zero = all(ending["weight"] == 0 for ending in row["endings"])
    rest = {name: value for name, value in row.items() if name != "endings"}
    return drop(rest, ZERO if zero else NO_COPY)


@contextlib.contextmanager
def _on_disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise W2SError(f"weights: the temporary file cannot be written: {error}") from None
