"""Guiding Through Complexity. Xuan He, Da Yin, Nanyun Peng. arXiv 2410.20533.

Which supervision of hard tasks teaches more: solutions of the full tasks, many of them wrong, or
clean solutions of their easier subtasks? Each hard task is broken into subtasks, a weak teacher
samples solutions of all, and they are judged against the reference. From the right and the wrong
ones training sets are mixed at an exact outcome error rate and one budget (`sft`), or paired
(`dpo`, `orpo`). Before that, the strong base learns the easy levels from ground truth
(`foundation`).

Departures from the published code: subtasks carry their parent's id instead of being found by
their text; every choice is drawn by seed and id; a reply without its headings is a counted drop,
not an empty row; the answer engine judges, a model only what is undecided; wrong steps are
located by checking them where that is possible (`steps.stepwise`), and the measure is named.

On the generator's problems no decomposer and no paraphraser is needed: exact subtasks and
paraphrases are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.methods import Count, Share, Stage, Temperature
from w2s_data.methods.complexity import published
from w2s_data.methods.complexity.decompose import decomposed, hard
from w2s_data.methods.complexity.mixing import Kind, Unit, mixed
from w2s_data.methods.complexity.paraphrase import paraphrased
from w2s_data.methods.complexity.solutions import (
    judged,
    measured,
    rewritten,
    sampled,
    solution,
    told,
)
from w2s_data.methods.complexity.teaching import Teaching, bare, is_easy, place, prompt_like
from w2s_data.rows import Row, drop, keep
from w2s_data.steps.sample import Sampler

Paired = Literal["full", "sub", "both"]
Difficulty = Literal["level", "subject", "length"]
Severity = Literal["any", "mild", "grave"]
Parts = Annotated[int, Field(ge=0, le=3)]
Rate = Annotated[float, Field(ge=0, le=0.9)]
Budget = Annotated[int, Field(ge=0)]
Times = Annotated[float, Field(ge=0)]

EASY = ("1", "2", "3")


def foundation(
    rows: Iterable[Row],
    *,
    gold: Mapping[str, Row],
    difficulty: Difficulty = "level",
    easy: tuple[str, ...] = EASY,
) -> Iterator[Row]:
    """The first stage of the recipe: easy questions with their gold responses (section 4.3).

    `easy` lists the levels (or, with difficulty=subject, the subjects or sources) that are easy;
    with difficulty=length it is the longest easy solution in words, digits and signs.
    """
    for row in rows:
        known = gold.get(row["id"])
        if not known or not known["response"]:
            yield drop(row, "no gold response")
        elif not is_easy(row, gold, difficulty, easy):
            yield drop(row, "hard: left to the supervision")
        else:
            yield keep(row, {"response": known["response"]})


def supervision(
    rows: Iterable[Row],
    *,
    gold: Mapping[str, Row],
    notes: dict[str, Any],
    weak: Sampler,
    weaker: Sampler | None = None,
    decomposer: Sampler | None = None,
    paraphraser: Sampler | None = None,
    judge: Sampler | None = None,
    kind: Kind = "full",
    error_rate: Rate = 0.5,
    sub_error_rate: Rate = 0.0,
    budget: Budget = 0,
    unit: Unit = "rows",
    supplement: Share = 0.5,
    severity: Severity = "any",
    parts: Parts = 2,
    n: Count = 3,
    temperature: Temperature = 1.0,
    top_p: Share = 1.0,
    shortest: Times = 0.5,
    longest: Times = 1.5,
    ask_length: bool = False,
    difficulty: Difficulty = "level",
    easy: tuple[str, ...] = EASY,
    seed: int = 42,
) -> Iterator[Row]:
    """The second stage: solutions of hard tasks at an exact outcome error rate (sections 5 to 7).

    `error_rate` is the wrong share of the full tasks' solutions (and of their paraphrases),
    `sub_error_rate` that of the subtasks'. `budget` counts rows, or tokens (words, digits and signs
    of prompt and response); 0 takes as many rows as the rates allow. In the two mixed kinds the
    share `supplement` of the rows are subtasks, or paraphrases, of the full tasks in the set.

    Every kind draws from the same tasks (full+paraphrase from those that have one): `parts`
    subtasks each (2 or 3; 0: none are made), `n` samples of each at `temperature`, `shortest` to
    `longest` times the reference's length (`ask_length` asks for that, too). Where all samples are
    wrong, the right solution is the reference: rewritten by the `paraphraser`, or as it is.
    `severity` takes any wrong sample, or the one with the fewest (mild) or most (grave) wrong
    steps; with a `weaker` model full tasks are wrong in its way.
    `difficulty` and `easy` as for the foundation: what is easy is left out here.
    """
    if not parts and "sub" in kind:
        raise W2SError(f"kind={kind} needs subtasks: set parts to 2 or 3")
    how = Teaching(
        gold=gold,
        weak=weak,
        weaker=weaker,
        decomposer=decomposer,
        paraphraser=paraphraser,
        judge=judge,
        parts=parts,
        n=n,
        temperature=temperature,
        top_p=top_p,
        shortest=shortest,
        longest=longest,
        ask_length=ask_length,
        severity=severity,
        difficulty=difficulty,
        easy=easy,
        seed=seed,
    )
    tasks = Spool(taught(rows, how, paraphrases=kind == "full+paraphrase"))
    _note_faults(notes, how)
    if weak.dry_run:
        yield from (drop(bare(row), "dry run") for row in tasks)
        return
    yield from mixed(
        tasks,
        kind=kind,
        rates=(error_rate, sub_error_rate),
        budget=budget,
        unit=unit,
        supplement=supplement,
        seed=seed,
        notes=notes,
    )


def preferences(
    rows: Iterable[Row],
    *,
    gold: Mapping[str, Row],
    notes: dict[str, Any],
    weak: Sampler,
    decomposer: Sampler | None = None,
    paraphraser: Sampler | None = None,
    judge: Sampler | None = None,
    kind: Paired = "both",
    severity: Severity = "any",
    parts: Annotated[int, Field(ge=1, le=3)] = 2,
    n: Count = 3,
    temperature: Temperature = 1.0,
    top_p: Share = 1.0,
    shortest: Times = 0.5,
    longest: Times = 1.5,
    ask_length: bool = False,
    difficulty: Difficulty = "level",
    easy: tuple[str, ...] = EASY,
    seed: int = 42,
) -> Iterator[Row]:
    """Pairs of a right and a wrong solution, of full tasks, subtasks or both (section 4.2).

    A full task without both, or without a subtask that has both, is dropped. The rows of a task
    share `parent`; `part` and `span` say which of its steps they cover. Parameters as for the
    supervision.
    """
    how = Teaching(
        gold=gold,
        weak=weak,
        weaker=None,
        decomposer=decomposer,
        paraphraser=paraphraser,
        judge=judge,
        parts=parts,
        n=n,
        temperature=temperature,
        top_p=top_p,
        shortest=shortest,
        longest=longest,
        ask_length=ask_length,
        severity=severity,
        difficulty=difficulty,
        easy=easy,
        seed=seed,
    )
    for row in taught(rows, how):
        yield bare(row) if "dropped" in row else _paired(row, kind)
    _note_faults(notes, how)


def published_supervision(
    rows: Iterable[Row],
    *,
    notes: dict[str, Any],
    pairs: str = "",
    kind: Literal["full", "sub", "full+sub"] = "full",
    error_rate: Rate = 0.5,
    sub_error_rate: Rate = 0.0,
    budget: Budget = 0,
    unit: Unit = "rows",
    supplement: Share = 0.5,
    seed: int = 42,
) -> Iterator[Row]:
    """The supervision from a preference file in the published format, `pairs`.

    The questions are the file's own (`--questions FILE --field question=original.task`). The
    rejected solutions are the wrong ones; their wrong steps are measured against the chosen ones.
    """
    yield from mixed(
        Spool(_from_published(rows, pairs)),
        kind=kind,
        rates=(error_rate, sub_error_rate),
        budget=budget,
        unit=unit,
        supplement=supplement,
        seed=seed,
        notes=notes,
    )


def published_preferences(
    rows: Iterable[Row], *, pairs: str = "", kind: Paired = "both"
) -> Iterator[Row]:
    """The pairs of a preference file in the published format, `pairs` (see published_sft)."""
    for row in _from_published(rows, pairs):
        yield row if "dropped" in row else _paired(row, kind)


STAGES = {
    "foundation": Stage(foundation, "sft", "train_1", "strong", recipe="complexity"),
    "sft": Stage(supervision, "sft", trained="strong", goes_on=True, recipe="complexity"),
    "dpo": Stage(preferences, trains="dpo"),
    "orpo": Stage(preferences, trains="orpo"),
    "published_sft": Stage(
        published_supervision, "sft", trained="strong", goes_on=True, recipe="complexity"
    ),
    "published_dpo": Stage(published_preferences, trains="dpo"),
    "published_orpo": Stage(published_preferences, trains="orpo"),
}


def taught(rows: Iterable[Row], how: Teaching, paraphrases: bool = False) -> Iterator[Row]:
    """The hard rows with subtasks and solutions; the others dropped."""
    rows = decomposed(hard(rows, how), how)
    rows = measured(rewritten(judged(sampled(rows, how), how), how), how)
    return paraphrased(rows, how) if paraphrases else rows


def _paired(row: Row, kind: Paired) -> Row:
    for side in ("right", "wrong"):
        if not row[side]:
            return drop(bare(row), f"full task: no {side} solution")
    complete = [part for part in row["parts"] if part["right"] and part["wrong"]]
    if not complete:
        return drop(bare(row), "no subtask has both solutions")
    items = {"full": [row], "sub": complete, "both": [row, *complete]}[kind]
    return keep(bare(row), *(_pair(row, item) for item in items))


def _pair(row: Row, item: Row) -> Row:
    right, wrong = item["right"], told(item["wrong"])
    story = {name: wrong[name] for name in ("measure", "wrong_steps", "steps")}
    return (
        place(row, item)
        | story
        | {
            "prompt": item["prompt"],
            "question": item["question"],
            "chosen": right["response"],
            "rejected": wrong["response"],
            "chosen_origin": right["origin"],
            "rejected_origin": wrong["origin"],
        }
    )


def _from_published(rows: Iterable[Row], path: str) -> Iterator[Row]:
    """The questions' pairs in the order of the file; questions without one are dropped."""
    if not path:
        raise W2SError("pairs must name a file in the published format: --set pairs=FILE")
    asked = Spool(rows)
    left = published.known(asked)
    like = next(iter(asked), None)
    for entry in published.read(path):
        if like is None or entry["id"] not in left:
            continue
        left.remove(entry["id"])
        row = {"id": entry["id"], "task": like["task"]} | _solved(entry, like)
        parts = [part | _solved(part, like) for part in entry["parts"]]
        yield row | {"parts": [part | {"span": "unknown"} for part in parts]}
    yield from (drop(row, "no pair in the file") for row in asked if row["id"] in left)


def _solved(entry: Row, like: Row) -> Row:
    return {
        "question": entry["task"],
        "prompt": prompt_like(like, entry["task"]),
        "right": solution(entry["chosen"], "published"),
        "wrong": {
            "response": entry["rejected"],
            "origin": "published",
            "against": entry["chosen"],
        },
    }


def _note_faults(notes: dict[str, Any], how: Teaching) -> None:
    notes |= {f"unused: {reason}": count for reason, count in sorted(how.faults.items())}
