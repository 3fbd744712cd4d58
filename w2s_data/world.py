"""A seeded world of MATH-schema word problems whose every step is known.

A problem is a *draft*: an opening value, a chain of moves and a wording seed.
Drafts are drawn from ``random.Random(f"{seed}/{split}/{index}")`` alone, so a
row's id is enough to draw it again, word it otherwise, or cut it in pieces.
"""

import argparse
import json
import random
from fractions import Fraction
from pathlib import Path

SEED = 7
SPLITS = {"train_1": 1500, "train_2": 3000, "test": 500}
LARGEST = 150
RATIO_SHARE = 0.08

SIGNS = {"add": "+", "sub": "-", "mul": r"\times", "div": r"\div", "mod": r"\bmod"}
OPERATE = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: Fraction(x, y),
    "mod": lambda x, y: x % y,
}

NAMES = (
    "Anna Ben Carla David Emma Felix Grace Henry Iris Jack Kira Leo Maria Noah Olga Paul "
    "Rosa Sam Tina Victor Wendy Yusuf Zoe Amir Bella Chen Dora Eli Fatima Hugo"
).split()
ITEMS = (
    "apples books cards coins marbles pencils shells stamps stickers tickets beads cookies "
    "eggs flowers keys lemons nuts pears plates toys"
).split()

# Slots: {a} {b} numbers, {n} name, {i} items, {p} current letter, {q} next letter.
OPENINGS = {
    "Prealgebra": {
        "given": ["{n} has {a} {i}.", "{n} starts with {a} {i}.", "There are {a} {i} in a basket of {n}.",
                  "At first {n} owns {a} {i}."],
        "add": ["{n} finds {a} {i} in one drawer and {b} in another.", "{n} has {a} old {i} and {b} new ones."],
        "mul": ["{n} has {a} boxes with {b} {i} in each.", "{n} fills {a} bags with {b} {i} each."],
        "div": ["{n} and some friends, {b} people in all, share {a} {i} equally; {n} takes one share."],
    },
    "Algebra": {
        "given": ["Let ${p} = {A}$.", "Suppose that ${p} = {A}$."],
        "add": ["Let ${p} - {B} = {A}$.", "The number ${p}$ satisfies ${p} - {B} = {A}$."],
        "sub": ["Let ${p} + {B} = {A}$.", "The number ${p}$ satisfies ${p} + {B} = {A}$."],
        "div": ["Let ${B}{p} = {A}$.", "The number ${p}$ satisfies ${B}{p} = {A}$."],
        "mul": [r"Let $\frac{{{p}}}{{{A}}} = {B}$.", "A number ${p}$ divided by {a} gives {b}."],
    },
    "Number Theory": {
        "given": ["Start with the integer {a}.", "{n} thinks of the integer {a}."],
        "add": ["Take the sum of {a} and {b}.", "{n} adds the integers {a} and {b}."],
        "mul": ["Take the product of {a} and {b}.", "{n} multiplies the integers {a} and {b}."],
        "mod": ["Take the remainder when {a} is divided by {b}.", "{n} divides {a} by {b} and notes the remainder."],
        "div": ["Take the quotient of {a} by {b}.", "The integer {a} is {b} times the one {n} thinks of."],
    },
    "Counting & Probability": {
        "add": ["A bag of {n} holds {a} red and {b} blue {i}.", "{n} counts {a} small and {b} large {i} in a bag."],
        "mul": ["{n} owns {a} shirts and {b} hats; every pair is one outfit.",
                "A menu of {n} has {a} soups and {b} desserts; every pair is one meal."],
        "given": ["There are {a} {i} in a bag of {n}.", "A code of {n} can be chosen in {a} ways."],
        "sub": ["A code of {n} can be chosen in {a} ways, but {b} are forbidden."],
    },
    "Geometry": {
        "given": ["A segment has length {a}.", "{n} draws a line of length {a}."],
        "add": ["Segments of lengths {a} and {b} are joined end to end.", "{n} extends a line of length {a} by {b}."],
        "mul": ["Take the area of a rectangle with sides {a} and {b}.", "{n} draws a {a} by {b} rectangle; take its area."],
        "div": ["A rectangle has area {a} and one side {b}; take the other side.",
                "A line of length {a} is cut into {b} equal parts; take one part."],
    },
}
MOVES = {
    "Prealgebra": {
        "add": ["{n} buys {b} more.", "A friend brings {b} more.", "Then {b} more are found."],
        "sub": ["{n} gives away {b} of them.", "{n} loses {b} of them.", "Then {b} of them are sold."],
        "mul": ["The number of {i} then grows to {b} times as many.", "Soon there are {b} times as many."],
        "div": ["They are shared equally among {b} children and {n} takes one share.", "{n} keeps only one of {b} equal parts."],
        "mod": ["{n} packs them in boxes of {b} and keeps those left over."],
        "add_mul": ["{n} buys {a} packs of {b} {i}.", "Each of {a} friends brings {b} more."],
        "sub_mul": ["{n} gives {b} to each of {a} friends.", "Then {a} bags with {b} {i} each are sold."],
    },
    "Algebra": {
        "add": ["Let ${q} = {p} + {B}$.", "The number ${q}$ is {b} more than ${p}$."],
        "sub": ["Let ${q} = {p} - {B}$.", "The number ${q}$ is {b} less than ${p}$."],
        "mul": ["Let ${q} = {B}{p}$.", "The number ${q}$ is {b} times ${p}$."],
        "div": [r"Let ${q} = \frac{{{p}}}{{{B}}}$.", "The number ${q}$ is ${p}$ divided by {b}."],
        "add_mul": [r"Let ${q} = {p} + {A} \times {B}$.", "The number ${q}$ is ${p}$ plus {a} times {b}."],
        "sub_mul": [r"Let ${q} = {p} - {A} \times {B}$.", "The number ${q}$ is ${p}$ minus {a} times {b}."],
    },
    "Number Theory": {
        "add": ["Add {b} to it.", "Increase it by {b}."],
        "sub": ["Subtract {b} from it.", "Decrease it by {b}."],
        "mul": ["Multiply it by {b}.", "Take {b} times that."],
        "div": ["Divide it by {b}.", "Take one part in {b} of that."],
        "mod": ["Take its remainder modulo {b}.", "Divide by {b} and keep the remainder."],
        "add_mul": ["Add the product of {a} and {b}.", "Increase it by {a} times {b}."],
        "sub_mul": ["Subtract the product of {a} and {b}.", "Decrease it by {a} times {b}."],
    },
    "Counting & Probability": {
        "add": ["There are {b} further choices.", "Then {b} more come in."],
        "sub": ["Of these, {b} are not allowed.", "Then {b} are taken out."],
        "mul": ["Each can be combined with {b} colours.", "For each there are {b} ways to go on."],
        "div": ["Groups of {b} count as one.", "Every {b} of them are the same by symmetry."],
        "add_mul": ["Then {a} groups of {b} more are added.", "A second list has {a} rows of {b}; add these."],
        "sub_mul": ["Leave out {a} groups of {b}.", "In {a} cases, {b} are not allowed."],
    },
    "Geometry": {
        "add": ["Make it {b} larger.", "Then {b} is added to it."],
        "sub": ["Make it {b} smaller.", "Then {b} is cut off."],
        "mul": ["Scale it by {b}.", "Put {b} equal copies together."],
        "div": ["Cut it in {b} equal pieces and take one.", "Shrink it by a factor of {b}."],
        "add_mul": ["Attach a rectangle of {a} by {b}.", "Then {a} pieces of {b} each are added."],
        "sub_mul": ["Remove a rectangle of {a} by {b}.", "Then {a} pieces of {b} each are cut off."],
    },
}
RATIOS = {
    "Prealgebra": ["They are shared fairly by {b} people, cutting where needed."],
    "Algebra": [r"Let ${q} = \frac{{{p}}}{{{B}}}$.", "The number ${q}$ is ${p}$ divided by {b}."],
    "Number Theory": ["Write it over {b} in lowest terms.", "Divide it by {b}, as a number below one."],
    "Counting & Probability": ["One of {b} equally likely outcomes is drawn; these are the good ones."],
    "Geometry": ["Compare it with a measure of {b}, as a ratio."],
}
QUESTIONS = {
    "Prealgebra": ["How many {i} does {n} have now?", "How many {i} are left for {n}?", "Find the number of {i} at the end."],
    "Algebra": ["What is ${p}$?", "Find ${p}$.", "Compute the value of ${p}$."],
    "Number Theory": ["What is the result?", "Which number do you get?", "Find the final number."],
    "Counting & Probability": ["How many are there?", "How many ways are there in all?", "Find the final count."],
    "Geometry": ["What is the final measure?", "Find the measure at the end.", "How large is it now?"],
}
RATIO_QUESTIONS = {
    "Prealgebra": ["How many {i} does each get?", "What is one share?"],
    "Counting & Probability": ["What is the probability of a good one?", "Find the probability."],
    "Geometry": ["What is the ratio?", "Find the ratio."],
}
LEADS = [
    ("We have {}.", "Then {}.", r"So we get $\boxed{{{}}}$."),
    ("First, {}.", "Next, {}.", r"This gives $\boxed{{{}}}$."),
    ("Compute {}.", "Now {}.", r"Hence $\boxed{{{}}}$."),
]


def draft(split, index, seed=SEED):
    """The problem behind ``{split}/{index}``: type, opening, moves and spelling."""
    rng = random.Random(f"{seed}/{split}/{index}")
    kind, level = rng.choice(list(OPENINGS)), rng.randint(1, 5)
    while True:
        chain = _chain(rng, kind, level)
        if chain:
            return {
                "id": f"{split}/{index:05d}", "key": f"{seed}/{split}/{index}", "type": kind, "chain": chain,
                "name": rng.choice(NAMES), "item": rng.choice(ITEMS), "decimal": rng.random() < 0.5,
            }


def _chain(rng, kind, level):
    """An opening and moves with ``level`` steps in all as (move, a, b), or None on a dead end."""
    ratio = level > 1 and rng.random() < RATIO_SHARE
    chain = [_opening(rng, rng.choice(list(OPENINGS[kind])))]
    for _ in range(20):
        value, left = run(chain)[0], level - ratio - len(run(chain)[1])
        if not left:
            break
        move = _move(rng, rng.choice([m for m in MOVES[kind] if left > 1 or "_" not in m]), value)
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
    choices = [(u, d) for u, d in ((1, 2), (1, 4), (3, 4), (1, 5), (2, 5), (3, 5), (4, 5), (1, 10), (3, 10)) if value % u == 0]
    choices = [value // u * d for u, d in choices if value // u * d <= LARGEST]
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
    parts, bank = [], OPENINGS[plan["type"]]
    for move, a, b in plan["chain"]:
        numbers = {"a": f"${a}$", "b": f"${b}$", "A": a, "B": b, "q": next(letters) if parts else ""}
        templates = RATIOS[plan["type"]] if move == "ratio" else bank[move]
        parts.append(rng.choice(templates).format(**slots, **numbers))
        slots["p"] = numbers["q"] or slots["p"]
        bank = MOVES[plan["type"]]
    asks = QUESTIONS[plan["type"]]
    if plan["chain"][-1][0] == "ratio":
        asks = RATIO_QUESTIONS.get(plan["type"], asks)
    return " ".join([*parts, rng.choice(asks).format(**slots)])


def solution_text(equations, answer, rng):
    first, other, last = rng.choice(LEADS)
    lines = [(first if i == 0 else other).format(text) for i, text in enumerate(equations)]
    return " ".join([*lines, last.format(answer)])


def _row(plan, name, wording):
    rng = random.Random(f"{plan['key']}/{wording}")
    value, steps = run(plan["chain"])
    equations, answer = [equation(s, plan["decimal"]) for s in steps], spell(value, plan["decimal"])
    return {
        "id": name, "problem": problem_text(plan, rng), "solution": solution_text(equations, answer, rng),
        "answer": answer, "level": f"Level {len(steps)}", "type": plan["type"], "steps": equations,
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
    """``k`` self-contained subproblems whose steps, in order, are the row's; [] if it has too few."""
    plan = _draft_of(row, seed)
    chain = plan["chain"]
    start = 1 if chain[0][0] == "given" else 0
    if len(chain) - start < k:
        return []
    cuts = [start + (len(chain) - start) * j // k for j in range(k + 1)]
    parts = []
    for j, (low, high) in enumerate(zip(cuts, cuts[1:])):
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
    return "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows)


def main():
    """Write the bundled question files again (``python -m w2s_data.world``)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "bundled" / "questions")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for split, rows in build().items():
        (out / f"math_{split}.jsonl").write_text(dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
