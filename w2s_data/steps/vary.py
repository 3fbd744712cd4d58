"""One question asked in several ways: options permuted, other wordings, other sentences.

Each way is a row of its own with the question's id and a number, its prompt and, for a choice
question, its `choices`; the first is the question as it stands. `original` brings an answer back to
the question's own terms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from w2s_data import prompts, world
from w2s_data.errors import W2SError
from w2s_data.rows import Row, rng
from w2s_data.tasks import Task, ask, judge
from w2s_data.tasks.choice import LETTERS

_WORLD_ID = re.compile(r"(train_1|train_2|test)/(\d{5})")
_WORLD_TRIES = 50


def vary(row: Row, task: Task, n: int, seed: int, others: Iterable[str] = ()) -> list[Row]:
    """Up to n ways to ask the row's question, distinct, the same for the same seed and id.

    Permutations of the options of a choice question (two options have two), the task's wordings
    where it has some (`wordings`), else the question and the paraphrases `others`.
    """
    if row.get("choices"):
        ways: Iterable[Row] = _permuted(row, task, n, seed)
    elif len(names := wordings(task)) > 1:
        ways = ({"prompt": prompts.render(name, question=row["question"])} for name in names)
    else:
        texts = dict.fromkeys([row["question"], *others])
        ways = ({"question": text, "prompt": ask(task, {"question": text})} for text in texts)
    kept = {name: row[name] for name in ("task", "question", "choices") if name in row}
    numbered = enumerate(islice(ways, n))
    return [kept | way | {"id": f"{row['id']}#{k}", "variation": k} for k, way in numbered]


def wordings(task: Task) -> list[str]:
    """The task's prompt and its other wordings: the templates PROMPT_2, PROMPT_3, ... beside it."""
    stem, dot, end = task.prompt.partition(".jinja")
    names, k = [task.prompt], 2
    while prompts.exists(f"{stem}_{k}{dot}{end}"):
        names.append(f"{stem}_{k}{dot}{end}")
        k += 1
    return names


def needs_paraphrases(row: Row, task: Task) -> bool:
    """Whether only other sentences can vary the question."""
    return not row.get("choices") and len(wordings(task)) == 1


def own_paraphrases(row: Row, n: int) -> Iterator[str]:
    """Up to n other wordings of a bundled question, by its generator; none of another question."""
    match = _WORLD_ID.fullmatch(row["id"])
    if match and world.problem(match[1], int(match[2]))["problem"] == row["question"]:
        texts = (world.paraphrase(row["id"], k)["problem"] for k in range(1, _WORLD_TRIES))
        distinct = dict.fromkeys(text for text in texts if text != row["question"])
        yield from islice(distinct, n)


def original(way: Row, task: Task, text: str) -> str | None:
    """The answer that the response `text` to `way` gives to the question itself, None for none:
    the letter of the chosen option in the question's own order."""
    answer = judge.declared(task, text, way.get("choices", ()))
    return LETTERS[way["order"][LETTERS.index(answer)]] if answer and "order" in way else answer


def _permuted(row: Row, task: Task, n: int, seed: int) -> Iterator[Row]:
    options = len(row["choices"])
    drawn, orders = rng(seed, row["id"], "permutations"), [tuple(range(options))]
    if options < 2:
        raise W2SError(f"row {row['id']!r} has fewer than two options")
    while len(orders) < min(n, math.factorial(options)):
        order = tuple(drawn.sample(range(options), options))
        orders += [order] if order not in orders else []
    for order in orders:
        way = {"choices": [row["choices"][i] for i in order], "order": list(order)}
        yield way | {"prompt": ask(task, row | way)}
