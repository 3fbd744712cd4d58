"""A seeded world of MATH-schema word problems whose every step is known.

A problem is a *draft*: an opening value, a chain of moves and a wording seed.
Drafts are drawn from ``random.Random(f"{seed}/{split}/{index}")`` alone, so a
row's id is enough to draw it again, word it otherwise, or cut it in pieces.
"""

import argparse
import json
import random
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

QUESTIONS = Path(__file__).parent / "bundled" / "questions"
SEED = 7
SPLITS = {"train_1": 1500, "train_2": 3000, "test": 500}
LARGEST = 150
RATIO_SHARE = 0.08
RATIOS = ((1, 2), (1, 4), (3, 4), (1, 5), (2, 5), (3, 5), (4, 5), (1, 10), (3, 10))

SIGNS = {"add": "+", "sub": "-", "mul": r"\times", "div": r"\div", "mod": r"\bmod"}
OPERATE = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: Fraction(x, y),
    "mod": lambda x, y: x % y,
}

# The sentences. Slots: {a} {b} numbers in $...$, {A} {B} bare numbers, {n} name, {i} items,
# {p} the letter of the value so far, {q} the next letter.
WORDING = json.loads((QUESTIONS / "wording.json").read_text(encoding="utf-8"))
NAMES, ITEMS = WORDING["names"].split(), WORDING["items"].split()


def draft(split, index, seed=SEED):
    """The problem behind ``{split}/{index}``: type, opening, moves and spelling."""
    rng = random.Random(f"{seed}/{split}/{index}")
    kind, level = rng.choice(list(WORDING["openings"])), rng.randint(1, 5)
    while True:
        chain = _chain(rng, kind, level)
        if chain:
            return {
                "id": f"{split}/{index:05d}",
                "key": f"{seed}/{split}/{index}",
                "type": kind,
                "chain": chain,
                "name": rng.choice(NAMES),
                "item": rng.choice(ITEMS),
                "decimal": rng.random() < 0.5,
            }


def _chain(rng, kind, level):
    """An opening and moves with ``level`` steps in all as (move, a, b), or None on a dead end."""
    ratio = level > 1 and rng.random() < RATIO_SHARE
    chain = [_opening(rng, rng.choice(list(WORDING["openings"][kind])))]
    for _ in range(20):
        value, left = run(chain)[0], level - ratio - len(run(chain)[1])
        if not left:
            break
        move = _move(
            rng, rng.choice([m for m in WORDING["moves"][kind] if left > 1 or "_" not in m]), value
        )
        chain += [move] if move else []
    ending = _ratio(rng, run(chain)[0]) if ratio else None
    chain += [ending] if ending else []
    return chain if len(run(chain)[1]) == level else None


def _opening(rng, move):
    a, b = rng.randint(2, 12), rng.randint(2, 9)
    if move in ("add", "sub", "given"):
        a, b = rng.randint(3, 60), rng.randint(2, 40)
        return (move, a + b, b) if move == "sub" else (move, a, b)
    if move == "mod":
        b = rng.randint(3, 9)
        return move, b * rng.randint(2, 9) + rng.randint(1, b - 1), b
    return (move, a * b, b) if move == "div" else (move, a, b)


def _move(rng, move, value):
    """A move with small numbers that keeps the value a positive integer, or None."""
    if move.endswith("_mul"):
        a, b = rng.randint(2, 6), rng.randint(2, 9)
        fits = value + a * b <= LARGEST if move == "add_mul" else a * b < value
        return (move, a, b) if fits else None
    if move == "div":
        divisors = [b for b in range(2, 10) if value % b == 0]
        return (move, 0, rng.choice(divisors)) if divisors else None
    b = {"add": (2, 40), "sub": (2, 40), "mul": (2, 6), "mod": (3, 9)}[move]
    b = rng.randint(*b)
    result = OPERATE[move](value, b)
    return (move, 0, b) if 0 < result <= LARGEST and result != value else None


def _ratio(rng, value):
    """A closing division whose result is a short decimal below one, or None."""
    choices = [value // up * down for up, down in RATIOS if value % up == 0]
    choices = [divisor for divisor in choices if divisor <= LARGEST]
    return ("ratio", 0, rng.choice(choices)) if choices else None


def run(chain):
    """The final value and the steps [(x, operation, y, z), ...] of a chain."""
    steps, value = [], None
    for move, a, b in chain:
        operation = "div" if move == "ratio" else move
        if value is None:
            value = Fraction(a)
            if move != "given":
                steps.append((value, move, Fraction(b), OPERATE[move](value, b)))
        elif "_" in move:
            operation, side = move.split("_")[0], Fraction(a * b)
            steps.append((Fraction(a), "mul", Fraction(b), side))
            steps.append((value, operation, side, OPERATE[operation](value, side)))
        else:
            steps.append((value, operation, Fraction(b), OPERATE[operation](value, Fraction(b))))
        value = steps[-1][3] if steps else value
    return value, steps


def spell(value, decimal=False):
    r"""``3``, ``\frac{1}{2}`` or, with ``decimal``, ``0.5``."""
    if value.denominator == 1:
        return str(value.numerator)
    return f"{float(value):g}" if decimal else rf"\frac{{{value.numerator}}}{{{value.denominator}}}"


def equation(step, decimal=False):
    x, operation, y, z = step
    return f"${spell(x)} {SIGNS[operation]} {spell(y)} = {spell(z, decimal)}$"


def problem_text(plan, rng):
    """The draft in words; another ``rng`` gives another wording of the same numbers."""
    letters = iter("xyzuvwt" if plan["type"] == "Algebra" else "x" * 9)
    slots = {"n": plan["name"], "i": plan["item"], "p": next(letters)}
    parts, bank = [], WORDING["openings"][plan["type"]]
    for move, a, b in plan["chain"]:
        numbers = {
            "a": f"${a}$",
            "b": f"${b}$",
            "A": a,
            "B": b,
            "q": next(letters) if parts else "",
        }
        templates = WORDING["ratios"][plan["type"]] if move == "ratio" else bank[move]
        parts.append(rng.choice(templates).format(**slots, **numbers))
        slots["p"] = numbers["q"] or slots["p"]
        bank = WORDING["moves"][plan["type"]]
    asks = WORDING["questions"][plan["type"]]
    if plan["chain"][-1][0] == "ratio":
        asks = WORDING["ratio_questions"].get(plan["type"], asks)
    return " ".join([*parts, rng.choice(asks).format(**slots)])


def solution_text(equations, answer, rng):
    first, other, last = rng.choice(WORDING["solutions"])
    lines = [(first if i == 0 else other).format(text) for i, text in enumerate(equations)]
    return " ".join([*lines, last.format(answer)])


def _row(plan, name, wording):
    rng = random.Random(f"{plan['key']}/{wording}")
    value, steps = run(plan["chain"])
    equations, answer = [equation(s, plan["decimal"]) for s in steps], spell(value, plan["decimal"])
    return {
        "id": name,
        "problem": problem_text(plan, rng),
        "solution": solution_text(equations, answer, rng),
        "answer": answer,
        "level": f"Level {len(steps)}",
        "type": plan["type"],
        "steps": equations,
    }


def problem(split, index, seed=SEED):
    """The row of problem ``index`` of ``split``."""
    plan = draft(split, index, seed)
    return _row(plan, plan["id"], "text")


def _draft_of(row, seed):
    split, index = (row["id"] if isinstance(row, dict) else row).split("/")[:2]
    return draft(split, int(index), seed)


def paraphrase(row, k=1, seed=SEED):
    """The k-th other wording of a row (or id): same numbers, same steps, other sentences."""
    plan = _draft_of(row, seed)
    return _row(plan, f"{plan['id']}/paraphrase_{k}", f"paraphrase/{k}")


def subtasks(row, k=2, seed=SEED):
    """``k`` self-contained subproblems: their steps, in order, are the row's; [] if too few."""
    plan = _draft_of(row, seed)
    chain = plan["chain"]
    start = 1 if chain[0][0] == "given" else 0
    if len(chain) - start < k:
        return []
    cuts = [start + (len(chain) - start) * j // k for j in range(k + 1)]
    parts = []
    for j, (low, high) in enumerate(pairwise(cuts)):
        opening = chain[:low] if j == 0 else [("given", int(run(chain[:low])[0]), 0)]
        part = plan | {"chain": [*opening, *chain[low:high]]}
        parts.append(_row(part, f"{plan['id']}/subtask_{j + 1}", f"subtask/{k}/{j}"))
    return parts


def build(seed=SEED, splits=SPLITS):
    """Rows of every split, no problem text twice; an index whose text was seen is passed over."""
    seen, out = set(), {}
    for split, size in splits.items():
        rows, index = [], 0
        while len(rows) < size:
            row = problem(split, index, seed)
            index += 1
            if row["problem"] not in seen:
                seen.add(row["problem"])
                rows.append(row)
        out[split] = rows
    return out


def dumps(rows):
    return "".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows
    )


def main():
    """Write the bundled question files again (``python -m w2s_data.world``)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=QUESTIONS)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for split, rows in build().items():
        (out / f"math_{split}.jsonl").write_text(dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
