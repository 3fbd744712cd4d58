"""Reliability-Aware Alignment. Yue Guo, Yi Yang. arXiv 2406.19032.

A weak model answers each question in several variations: the options permuted, the question worded
otherwise or paraphrased. Where its answers differ it is unsure. `filter` keeps the questions of low
entropy (section 3.2), `reweight` learns every answer with a weight that grows with its share
(section 3.3). `naive` learns the answers to the questions as they stand; floor and ceiling are
those of the method baselines.

Departures from the published code: the first variation is the question as it stands; answers are
compared by the answer engine; a response without a readable answer is counted, never learnt. With
five variations entropy takes a handful of values, so the median cut can keep far more than half:
the notes say how many questions lie on the cut, and `rule=exactly` keeps just the share asked for.
The weights reach the trainer as copies (`steps.weights`); the paper multiplies the loss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from w2s_data.answers import classes
from w2s_data.errors import W2SError
from w2s_data.io import Spool, read_rows
from w2s_data.methods import Share, Stage, Temperature
from w2s_data.prompts import render
from w2s_data.rows import Row, digest, drop, keep
from w2s_data.steps import replies, uncertainty, vary
from w2s_data.steps.sample import Sampler
from w2s_data.steps.tidy import tidy
from w2s_data.steps.weights import copies
from w2s_data.tasks import Task, judge

Ways = Annotated[int, Field(ge=2, le=100)]
Positive = Annotated[float, Field(gt=0)]
Unreadable = Literal["auto", "drop", "class"]
By = Literal["entropy", "entropy_weighted", "entropy_semantic"]
Notes = dict[str, Any]

TRIES = 2  # paraphrases asked for each one that is needed


def naive(rows: Iterable[Row], *, weak: Sampler) -> Iterator[Row]:
    """Every question with the weak model's answer to it as it stands."""
    for row in weak(rows, "weak"):
        text = row["weak"][0]["text"]
        answer = judge.declared(weak.task, text, row.get("choices", ()))
        response = tidy(text, weak.task)
        if not answer:
            yield drop(row, "weak: no answer")
        else:
            yield keep(row, {"response": response, "answer": answer})


def uncertainty_filter(
    rows: Iterable[Row],
    *,
    weak: Sampler,
    notes: Notes,
    paraphraser: Sampler | None = None,
    variations: Ways = 5,
    temperature: Temperature = 0.0,
    logprobs: bool = False,
    unreadable: Unreadable = "auto",
    by: By = "entropy",
    rule: Literal["percentile", "exactly"] = "percentile",
    share: Share = 0.5,
    do_sampling: bool = False,
    seed: int = 42,
) -> Iterator[Row]:
    """Keep the questions on which the weak model is least unsure (section 3.2).

    The weak model answers `variations` forms of each question, one answer each, at `temperature`;
    every (variation, answer) of a kept question is a row. `rule=percentile` keeps the entropies up
    to the percentile 100*`share` (the paper's median), ties and all; `exactly` keeps that share of
    the questions, ties decided by seed and id. `do_sampling` draws as many rows as there are
    questions. `logprobs` also records the probability-weighted and the semantic entropy, and `by`
    says which entropy decides. `unreadable`: a question with an unreadable answer is dropped
    (`drop`), or such answers are an answer of their own (`class`); `auto` is `class` for choices
    and verdicts and `drop` for the rest, as published. A `paraphraser` rewrites questions that
    have neither options nor other wordings; the bundled ones need none.
    """
    asked = _asked(rows, weak, paraphraser, notes, variations, temperature, logprobs, seed)
    judged = Spool(_judged(row, weak.task, unreadable, by, 0.0) for row in asked)
    cut, last = _cut(judged, by, rule, share, seed)
    ties = Counter[bool]()

    def filtered() -> Iterator[Row]:
        for row in judged:
            if "dropped" in row:
                yield row
                continue
            kept = row[by] < cut or (row[by] == cut and _rank(row, seed) <= last)
            ties[kept] += row[by] == cut
            yield row if kept else drop(_without(row), f"{by} above the cut")
        notes["filter"] = {
            "cut": cut,
            "questions on the cut, kept": ties[True],
            "questions on the cut, dropped": ties[False],
        }

    notes["entropy"] = _distribution(judged)
    yield from _drawn(filtered(), len(judged), seed) if do_sampling else filtered()


def reliability_weights(
    rows: Iterable[Row],
    *,
    weak: Sampler,
    notes: Notes,
    paraphraser: Sampler | None = None,
    variations: Ways = 5,
    temperature: Temperature = 0.0,
    logprobs: bool = False,
    unreadable: Unreadable = "auto",
    score: Literal["softmax", "share", "calibrated"] = "softmax",
    softmax_temperature: Positive = 0.2,
    calibration: str = "",
    do_sampling: bool = False,
    seed: int = 42,
) -> Iterator[Row]:
    """Learn every (variation, weak answer) with the answer's reliability as its weight
    (section 3.3).

    `score` of an answer: the softmax of the answers' shares at `softmax_temperature` (the paper's,
    0.2), its plain share, or, `calibrated`, the accuracy that answers of this share have in the
    file `calibration`: jsonl rows with `share` and `correct`, as the stage `calibrate` writes them.
    The other parameters are those of `filter`.
    """
    curve = _curve(calibration) if score == "calibrated" else []
    heat = 0.0 if score == "share" else softmax_temperature
    asked = _asked(rows, weak, paraphraser, notes, variations, temperature, logprobs, seed)
    judged = Spool(_judged(row, weak.task, unreadable, "entropy", heat, curve) for row in asked)
    notes["entropy"] = _distribution(judged)
    if curve:
        notes["calibration"] = {f"share {share:.3g}": right for share, right in curve}
    yield from _drawn(judged, len(judged), seed) if do_sampling else judged


def calibrate(
    rows: Iterable[Row],
    *,
    weak: Sampler,
    gold: Mapping[str, Row],
    notes: Notes,
    paraphraser: Sampler | None = None,
    variations: Ways = 5,
    temperature: Temperature = 0.0,
    logprobs: bool = False,
    unreadable: Unreadable = "auto",
    softmax_temperature: Positive = 0.2,
    seed: int = 42,
) -> Iterator[Row]:
    """Every (variation, weak answer) with entropy, share, score, and whether it is `correct`.

    Ground truth is the judge. `reweight` calibrates with the file that this writes: take questions
    that the weak model was not taught with, or it will look better than it is. On the questions of
    `filter` and `reweight` it holds the data of figures 3 to 6, which `w2s-data report` draws.
    """
    asked = _asked(rows, weak, paraphraser, notes, variations, temperature, logprobs, seed)
    judged = Spool(
        _judged(row, weak.task, unreadable, "entropy", softmax_temperature) for row in asked
    )
    notes["entropy"] = _distribution(judged)
    for row in judged:
        if "endings" in row and row["id"] in gold:
            names = judge.names(gold[row["id"]])  # type: ignore[arg-type]
            yield keep(row, *(_ruled(ending, weak.task, names) for ending in row["endings"]))
        else:
            yield row if "dropped" in row else drop(_without(row), "no gold answer")


def _ruled(ending: Row, task: Task, names: tuple[str, ...]) -> Row:
    return ending | {"correct": judge.compare(task, ending["answer"], names) == "equal"}


STAGES = {
    "naive": Stage(naive, trains="sft", trained="strong"),
    "filter": Stage(uncertainty_filter, trains="sft", trained="strong"),
    "reweight": Stage(reliability_weights, trains="sft", trained="strong", weights="score"),
    "calibrate": Stage(calibrate, trains="sft", split="train_1", trained="strong"),
}


# --- variations and the weak model's answers to them ------------------------------------------


def _asked(
    rows: Iterable[Row],
    weak: Sampler,
    paraphraser: Sampler | None,
    notes: Notes,
    n: int,
    temperature: float,
    logprobs: bool,
    seed: int,
) -> Iterator[Row]:
    """Each row with its `ways`, every one with the weak model's sample; or dropped."""
    varied = Spool(_varied(rows, weak.task, paraphraser, notes, n, seed))
    ways = (way for row in varied for way in row.get("ways", ()))
    answered = weak(ways, "weak", temperature=temperature, logprobs=logprobs)
    for row in varied:
        if "dropped" in row:
            yield row
        else:
            yield row | {"ways": [next(answered) for _ in row["ways"]]}


def _varied(
    rows: Iterable[Row],
    task: Task,
    paraphraser: Sampler | None,
    notes: Notes,
    n: int,
    seed: int,
) -> Iterator[Row]:
    rejected = Counter[str]()
    for row in _paraphrased(rows, task, paraphraser, n):
        others: list[str] = []
        for found in row.pop("paraphrases", ()):
            others += [found] if isinstance(found, str) else []
            rejected.update([] if isinstance(found, str) else found)
        ways = vary.vary(row, task, n, seed, others)
        if len(ways) < n and vary.needs_paraphrases(row, task):
            yield drop(row, f"fewer than {n} ways to ask the question")
        else:
            yield row | {"ways": ways}
    if paraphraser:
        notes["paraphrases rejected"] = dict(sorted(rejected.items()))


def _paraphrased(
    rows: Iterable[Row], task: Task, paraphraser: Sampler | None, n: int
) -> Iterator[Row]:
    """Rows with their `paraphrases`: texts, or [the reason why one is of no use]."""
    if not paraphraser:
        for row in rows:
            if not vary.needs_paraphrases(row, task):
                yield row
                continue
            own = list(vary.own_paraphrases(row, n - 1))
            if not own:
                raise W2SError(
                    f"task {task.name!r} has neither options nor other wordings: name a model that "
                    "paraphrases its questions with --role paraphraser=MODEL"
                )
            yield row | {"paraphrases": own}
        return

    def prompt(row: Row) -> str:
        slots = {"question": row["question"], "right": None, "wrong": None}
        return render("complexity_paraphrase", **slots)

    asked = paraphraser(rows, "replies", prompt=prompt, n=TRIES * (n - 1), temperature=1.0, stop=())
    for row in asked:
        given = replies.Paraphrase(row["question"], None, None)
        read = [replies.paraphrase(sample, given, "") for sample in row["replies"]]
        rest = {name: value for name, value in row.items() if name != "replies"}
        texts = [[one] if isinstance(one, str) else one.question for one in read]
        yield rest | {"paraphrases": texts}


# --- from answers to uncertainty --------------------------------------------------------------


def _judged(
    row: Row,
    task: Task,
    unreadable: Unreadable,
    by: str,
    heat: float,
    curve: uncertainty.Curve | None = None,
) -> Row:
    """The row kept with an ending for each readable answer, and its uncertainty; or dropped.

    `heat` is the softmax temperature of the score, 0 for the plain share; `curve` calibrates it.
    """
    if "dropped" in row:
        return row
    ways = row["ways"]
    samples = [way["weak"][0] for way in ways]
    answers = [vary.original(way, task, s["text"]) for way, s in zip(ways, samples)]
    row = {name: value for name, value in row.items() if name != "ways"} | {
        "answers": answers,
        "unreadable": answers.count(None),
    }
    groups = [list(group) for group in _groups(answers, task)]
    silent = [i for i, answer in enumerate(answers) if not answer]
    if not groups:
        return drop(row, "weak: no readable answer")
    majority = {"answer": answers[groups[0][0]]}
    if silent and _drops(unreadable, task):
        return drop(row | majority, "weak: an unreadable answer")
    groups += [silent] if silent else []

    logs = [sample["logprob"] for sample in samples if "logprob" in sample]
    known = uncertainty.entropies(groups, logs if len(logs) == len(samples) else None)
    if by not in known:
        raise W2SError(f"by={by} needs log-probabilities: add --set logprobs=true")
    parts = uncertainty.shares(groups)
    scores = uncertainty.softmax_scores(groups, heat) if heat else parts
    if curve:
        scores = {i: uncertainty.calibrated(part, curve) for i, part in parts.items()}
    row = row | known | majority | {"share": parts[groups[0][0]], "score": scores[groups[0][0]]}
    return keep(
        row,
        *(
            {"prompt": way["prompt"], "response": tidy(sample["text"], task), "answer": answer}
            | ({"choices": way["choices"]} if "choices" in way else {})
            | {"variation": k, "share": parts[k], "score": scores[k]}
            | known
            for k, (way, sample, answer) in enumerate(zip(ways, samples, answers))
            if answer
        ),
    )


def _groups(answers: list[str | None], task: Task) -> list[tuple[int, ...]]:
    """Classes of equal answers, the largest first: letters and verdicts as they are."""
    if judge.kind(task) == "value" and task.rule != "ethics":
        return list(classes(answers).groups)
    same: dict[str, list[int]] = {}
    for i, answer in enumerate(answers):
        if answer:
            same.setdefault(answer.strip().casefold(), []).append(i)
    ordered = sorted(same, key=lambda name: (-len(same[name]), name))
    return [tuple(same[name]) for name in ordered]


def _drops(unreadable: Unreadable, task: Task) -> bool:
    closed = judge.kind(task) == "choice" or task.rule == "ethics"
    return unreadable == "drop" or (unreadable == "auto" and not closed)


def _curve(path: str) -> uncertainty.Curve:
    """The calibration curve of a file's rows."""
    if not path:
        raise W2SError(
            "score=calibrated needs --set calibration=FILE: build one with --stage calibrate"
        )
    points = []
    for line, row in read_rows(path):
        share, correct = row.get("share"), row.get("correct")
        if not isinstance(share, int | float) or not isinstance(correct, bool):
            raise W2SError(f"{path}:{line}: expected a number share and a true or false correct")
        points.append((float(share), float(correct)))
    if not points:
        raise W2SError(f"{path}: no rows to calibrate with")
    return uncertainty.calibration(points)


# --- from uncertainty to what is kept ---------------------------------------------------------


def _cut(judged: Spool, by: str, rule: str, share: float, seed: int) -> tuple[float, str]:
    """The largest entropy that is kept, and the largest rank that is kept at that entropy."""
    values = np.fromiter((row[by] for row in judged if "endings" in row), float)
    if not len(values):
        return 0.0, ""
    if rule == "percentile":
        return float(np.percentile(values, 100 * share)), "~"
    kept = round(share * len(values))
    if not kept:
        raise W2SError(f"share={share} keeps none of {len(values)} questions")
    cut = float(np.partition(values, kept - 1)[kept - 1])
    below = int((values < cut).sum())
    tied = sorted(_rank(row, seed) for row in judged if row.get(by) == cut and "endings" in row)
    return cut, tied[kept - below - 1]


def _rank(row: Row, seed: int) -> str:
    return digest("tie", str(seed), row["id"])


def _distribution(judged: Spool) -> dict[str, int]:
    """Questions by entropy."""
    counted = Counter(round(row["entropy"], 3) for row in judged if "endings" in row)
    return {f"questions at {value:.3f}": counted[value] for value in sorted(counted)}


def _drawn(rows: Iterable[Row], wanted: int, seed: int) -> Iterator[Row]:
    """`wanted` of all endings, or all where there are fewer, each equally likely."""
    spool = Spool(rows)
    endings = [len(row.get("endings", ())) for row in spool]
    keys = ((f"draw {k} {row['id']}", 1.0) for row in spool for k in range(_count(row)))
    drawn = copies(keys, budget=min(wanted, sum(endings)) or 1, seed=seed)
    for row in spool:
        if "endings" not in row:
            yield row
            continue
        kept = [ending for ending in row["endings"] if next(drawn)]
        yield row | {"endings": kept} if kept else drop(_without(row), "not drawn")
    next(drawn, None)


def _count(row: Row) -> int:
    return len(row.get("endings", ()))


def _without(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "endings"}
