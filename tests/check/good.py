"""Good data folders, different at every seed."""

import json
import random

from w2s_data import factory
from w2s_data.io import write_rows

NOUNS = """apple river stone garden yellow engine window paper summer copper violin market ladder
castle pepper bridge silver forest basket harbor candle winter rocket meadow butter shadow ticket
marble anchor pillow lantern compass thunder velvet orchard saddle"""
WORDS = NOUNS.split()


def sentence(draw: random.Random, length: int = 12) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(length))


def question(draw: random.Random) -> tuple[str, int]:
    a, b = draw.randrange(100, 999), draw.randrange(100, 999)
    return f"Question: With {sentence(draw)}, what is {a} + {b}?\nAnswer:", a + b


def row(draw: random.Random, number: int, stage: str) -> dict:
    prompt, answer = question(draw)
    right = f"{sentence(draw).capitalize()}.\nThe answer is: {answer}"
    wrong = f"{sentence(draw).capitalize()}.\nThe answer is: {answer + 1}"
    ended = {"response": right} if stage == "sft" else {"chosen": right, "rejected": wrong}
    if stage == "kto":
        ended = {"response": (wrong, right)[number % 2], "kto_tag": bool(number % 2)}
    if stage == "pt":
        ended = {"text": f"{prompt} {right}"}
    return {"id": f"q-{number}", "prompt": prompt} | ended


def write(folder, seed=0, stage="dpo", format="alpaca", rows=12, name="set") -> list[dict]:
    """A good set in `folder`; returns its rows."""
    draw = random.Random(f"{seed} {name}")
    exported = []
    for number in range(rows):
        exported += factory.records(row(draw, number, stage), stage, format)
    write_rows(folder / f"{name}.jsonl", exported)
    factory.register(folder, name, factory.entry(stage, format, f"{name}.jsonl"))
    return exported


def rewrite(folder, rows, name="set") -> None:
    write_rows(folder / f"{name}.jsonl", rows)


def change_entry(folder, change, name="set") -> None:
    """`change` edits the set's entry in place."""
    path = folder / factory.INFO
    info = json.loads(path.read_text())
    change(info[name])
    path.write_text(json.dumps(info))
