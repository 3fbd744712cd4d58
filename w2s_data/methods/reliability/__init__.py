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

from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.methods import Share, Stage, Temperature
from w2s_data.methods.reliability.asking import asked
from w2s_data.methods.reliability.judging import curve_of, judged
from w2s_data.rows import Row, digest, drop, keep
from w2s_data.steps.sample import Sampler
from w2s_data.steps.tidy import tidy
from w2s_data.steps.weights import copies
from w2s_data.tasks import Task, judge

Ways = Annotated[int, Field(ge=2, le=100)]
Positive = Annotated[float, Field(gt=0)]
Unreadable = Literal["auto", "drop", "class"]
By = Literal["entropy", "entropy_weighted", "entropy_semantic"]
Notes = dict[str, Any]

HEAT = 0.2  # of the paper's softmax


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
    answered = asked(rows, weak, paraphraser, notes, variations, temperature, logprobs, seed)
    known = Spool(judged(row, weak.task, unreadable, by, HEAT) for row in answered)
    cut, last = _cut(known, by, rule, share, seed)
    ties = Counter[bool]()

    def filtered() -> Iterator[Row]:
        for row in known:
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

    notes["entropy"] = _distribution(known)
    yield from _drawn(filtered(), len(known), seed) if do_sampling else filtered()


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
    softmax_temperature: Positive = HEAT,
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
    curve = curve_of(calibration) if score == "calibrated" else []
    heat = 0.0 if score == "share" else softmax_temperature
    answered = asked(rows, weak, paraphraser, notes, variations, temperature, logprobs, seed)
    known = Spool(judged(row, weak.task, unreadable, "entropy", heat, curve) for row in answered)
    notes["entropy"] = _distribution(known)
    if curve:
        notes["calibration"] = {f"share {share:.3g}": right for share, right in curve}
    yield from _drawn(known, len(known), seed) if do_sampling else known


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
    softmax_temperature: Positive = HEAT,
    seed: int = 42,
) -> Iterator[Row]:
    """Every (variation, weak answer) with entropy, share, score, and whether it is `correct`.

    Ground truth is the judge. `reweight` calibrates with the file that this writes: take questions
    that the weak model was not taught with, or it will look better than it is. On the questions of
    `filter` and `reweight` it holds the data of figures 3 to 6, which `w2s-data report` draws.
    """
    answered = asked(rows, weak, paraphraser, notes, variations, temperature, logprobs, seed)
    known = Spool(
        judged(row, weak.task, unreadable, "entropy", softmax_temperature) for row in answered
    )
    notes["entropy"] = _distribution(known)
    for row in known:
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


def _cut(known: Spool, by: str, rule: str, share: float, seed: int) -> tuple[float, str]:
    """The largest entropy that is kept, and the largest rank that is kept at that entropy."""
    values = np.fromiter((row[by] for row in known if "endings" in row), float)
    if not len(values):
        return 0.0, ""
    if rule == "percentile":
        return float(np.percentile(values, 100 * share)), "~"
    kept = round(share * len(values))
    if not kept:
        raise W2SError(f"share={share} keeps none of {len(values)} questions")
    cut = float(np.partition(values, kept - 1)[kept - 1])
    below = int((values < cut).sum())
    tied = sorted(_rank(row, seed) for row in known if row.get(by) == cut and "endings" in row)
    return cut, tied[kept - below - 1]


def _rank(row: Row, seed: int) -> str:
    return digest("tie", str(seed), row["id"])


def _distribution(known: Spool) -> dict[str, int]:
    """Questions by entropy."""
    counted = Counter(round(row["entropy"], 3) for row in known if "endings" in row)
    return {f"questions at {value:.3f}": counted[value] for value in sorted(counted)}


def _drawn(rows: Iterable[Row], wanted: int, seed: int) -> Iterator[Row]:
    """`wanted` of all endings, or all where there are fewer, each equally likely."""
    spool = Spool(rows)
    there = sum(_count(row) for row in spool)
    keys = ((f"draw {k} {row['id']}", 1.0) for row in spool for k in range(_count(row)))
    drawn = copies(keys, budget=min(wanted, there) or 1, seed=seed)
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
