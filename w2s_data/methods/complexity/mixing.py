"""Training sets from tasks with right and wrong solutions: exact rates, one budget."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.methods.complexity.solutions import told
from w2s_data.methods.complexity.teaching import bare, place
from w2s_data.rows import Row, drop, keep
from w2s_data.steps import mix
from w2s_data.steps.interval import wilson

Kind = Literal["full", "sub", "full+sub", "full+paraphrase"]
Unit = Literal["rows", "tokens"]


class Plan(NamedTuple):
    """What is taken of each full task, and of each supplement; and what that costs."""

    full: mix.Choices
    added: mix.Choices
    cost: int


def mixed(
    tasks: Spool,
    *,
    kind: Kind,
    rates: tuple[float, float],
    budget: int,
    unit: Unit,
    supplement: float,
    seed: int,
    notes: dict[str, Any],
) -> Iterator[Row]:
    """The tasks (rows of `taught`) ended as a set at exact rates within an exact budget.

    `rates` are those of full tasks and of subtasks. In rows the budget is met exactly; in tokens
    as nearly as one more row allows.
    """
    full, subs, others, parents = _costs(tasks, unit, seed)

    def plan(rows: int) -> Plan:
        extra = {"full": 0, "sub": rows}.get(kind, math.floor(rows * supplement))
        chosen = mix.draw(full, rows - extra, rates[0])
        if kind == "full+paraphrase":
            side = others.only(chosen == mix.RIGHT, chosen == mix.WRONG)
            added = mix.draw(side, extra, rates[0])
        else:
            there = (chosen != mix.NONE)[parents] if kind != "sub" else np.ones(len(subs), bool)
            side = subs.only(there, there)
            added = mix.draw(side, extra, rates[1])
        return Plan(chosen, added, full.cost(chosen) + side.cost(added))

    drawn = _within(plan, budget, unit, len(full) + len(subs) + len(others))
    _note_rates(notes, kind, drawn, budget, unit)
    yield from _taken(tasks, kind, drawn, notes)


def _costs(tasks: Spool, unit: Unit, seed: int) -> tuple[mix.Pool, mix.Pool, mix.Pool, Any]:
    """Full tasks, subtasks and paraphrases as pools; and each subtask's parent by position."""
    names = ("full tasks", "subtasks", "paraphrases")
    full, subs, others = (mix.Pool(seed, name) for name in names)
    parents = array("q")

    def add(to: mix.Pool, item: Row) -> None:
        costs = (_cost(item, side, unit) for side in ("right", "wrong"))
        to.add(item.get("id", ""), *costs)

    for position, row in enumerate(tasks):
        add(full, row)
        add(others, row.get("paraphrase", {}))
        for part in row.get("parts", ()):
            add(subs, part)
            parents.append(position)
    return full, subs, others, np.array(parents, np.int64)


def _cost(item: Row, side: str, unit: Unit) -> int | None:
    solution = None if "dropped" in item else item.get(side)
    if not solution:
        return None
    return 1 if unit == "rows" else mix.tokens(item["prompt"]) + mix.tokens(solution["response"])


def _within(plan: Callable[[int], Plan], budget: int, unit: Unit, most: int) -> Plan:
    """The largest plan within the budget; 0 is no budget."""
    if budget and unit == "rows":
        return plan(budget)

    def fits(rows: int) -> bool:
        try:
            cost = plan(rows).cost
        except W2SError:
            return False
        return not budget or cost <= budget

    rows = mix.largest(fits, most)
    found = plan(rows or 1)
    if not budget:
        return found
    if not rows:
        raise W2SError(f"budget must be at least {found.cost} tokens for one row, was: {budget}")
    try:
        plan(rows + 1)
    except W2SError:
        raise W2SError(
            f"budget must be at most {found.cost:,} tokens, which all {rows:,} rows that the error "
            f"rates allow have, was: {budget:,}"
        ) from None
    return found


def _taken(tasks: Spool, kind: Kind, drawn: Plan, notes: dict[str, Any]) -> Iterator[Row]:
    found: dict[str, Counter[str]] = {}
    position = 0
    for number, row in enumerate(tasks):
        endings = [_ending(row, row, drawn.full[number])]
        if kind == "full+paraphrase":
            endings.append(_ending(row, row.get("paraphrase", {}), drawn.added[number]))
        else:
            for part in row.get("parts", ()):
                endings.append(_ending(row, part, drawn.added[position]))
                position += 1
        taken = [ending for ending in endings if ending]
        for ending in taken:
            if ending["outcome"] == "wrong":
                counts = {"solutions": 1, "wrong": ending["wrong_steps"], "steps": ending["steps"]}
                found.setdefault(ending["measure"], Counter()).update(counts)
        if "dropped" in row or taken:
            yield bare(row) if "dropped" in row else keep(bare(row), *taken)
        elif not row["right"] and not row["wrong"]:
            yield drop(bare(row), "no judged solution")
        else:
            yield drop(bare(row), "not drawn: the budget is full")
    for measure, counts in sorted(found.items()):
        share = counts["wrong"] / counts["steps"] if counts["steps"] else 0.0
        notes[f"wrong steps by {measure}"] = f"{share:.3f} in {counts['solutions']:,} solutions"


def _ending(row: Row, item: Row, choice: int) -> Row | None:
    if choice == mix.NONE:
        return None
    side = "right" if choice == mix.RIGHT else "wrong"
    return {"prompt": item["prompt"], "outcome": side} | place(row, item) | told(item[side])


def _note_rates(notes: dict[str, Any], kind: Kind, drawn: Plan, budget: int, unit: Unit) -> None:
    supplement = "paraphrases" if kind == "full+paraphrase" else "subtasks"
    for name, choices in (("full tasks", drawn.full), (supplement, drawn.added)):
        taken, wrong = int((choices != mix.NONE).sum()), int((choices == mix.WRONG).sum())
        if taken:
            low, high = wilson(wrong / taken, taken)
            notes[f"outcome errors of {name}"] = (
                f"{wrong:,} of {taken:,}: {wrong / taken:.4f} ({low:.3f} to {high:.3f})"
            )
    if unit == "tokens":
        notes["budget"] = f"{drawn.cost:,} of {budget or drawn.cost:,} tokens"
