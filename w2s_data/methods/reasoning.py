"""Weak-to-Strong Reasoning. Yuqing Yang, Yan Ma, Pengfei Liu. arXiv 2407.13647.

A weak model, taught with ground truth on train_1, answers train_2. Stage I keeps the questions on
which the weak model and the strong base (few-shot, the weak model's answers as demonstrations)
agree, and the strong model learns from them. Stage II lets that student answer n times and turns
its confident majorities into contrastive pairs against or for the weak answer.

Departures from the published code: answers are compared by the answer engine instead of as
strings; an empty answer has no vote and agrees with nothing; a demonstration is never shown to its
own question; a pair's two answers are proven different; a response ends where it declares its
answer. `compat="w2s-reasoning"` brings back the
published strings, empty answers included.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from w2s_data.answers import equal, extract, vote
from w2s_data.errors import W2SError
from w2s_data.io import Spool
from w2s_data.methods import Count, Share, Stage, Temperature
from w2s_data.rows import Row, digest, drop, keep, rng
from w2s_data.steps.sample import Sampler
from w2s_data.steps.tidy import tidy
from w2s_data.tasks import Task, ask
from w2s_data.tasks.choice import listed

Compat = Literal["", "w2s-reasoning"]


def consistent_answers(
    rows: Iterable[Row],
    *,
    weak: Sampler,
    strong: Sampler,
    side: Literal["naive", "weak", "icl", "hybrid"] = "hybrid",
    shots: int = 4,
    demonstrations: tuple[str, ...] = (),
    compat: Compat = "",
    seed: int = 42,
) -> Iterator[Row]:
    """Stage I: keep a question when weak and strong reach the same answer (section 3.1).

    `side` says whose responses are learnt: the weak model's, the strong model's (`icl`), both
    interleaved (`hybrid`), or every weak response without a filter (`naive`). The strong base is
    shown `shots` weak responses as demonstrations, drawn by `seed` or the ids in
    `demonstrations`. Second iteration: the stage-I student as `strong`, with `shots=0`.
    """
    if side == "naive":
        for row in weak(rows, "weak"):
            yield _naive(row, weak.task, compat)
        return
    answered = Spool(weak(rows, "weak"))
    shown = _demonstrations(answered, weak.task, shots, demonstrations, seed)

    def few_shot(row: Row) -> str:
        others = [pair for row_id, *pair in shown if row_id != row["id"]]
        return ask(strong.task, row, demonstrations=others[:shots])

    for row in strong(answered, "icl", prompt=few_shot):
        yield _intersect(row, weak.task, side, compat)


def contrastive_pairs(
    rows: Iterable[Row],
    *,
    weak: Sampler,
    student: Sampler,
    n: Count = 10,
    temperature: Temperature = 1.0,
    top_p: Share = 1.0,
    confidence: Share = 0.6,
    overrule: Share = 0.8,
    max_pairs: Count = 1,
    compat: Compat = "",
    seed: int = 42,
) -> Iterator[Row]:
    """Stage II: pairs from the student's majority against the weak answer (section 3.2).

    The student answers each question `n` times; its confidence is the majority's share of all n
    samples. Below `confidence` the question is dropped. If the weak answer is the majority, the
    weak response is chosen over a sample with another answer; if not, and the confidence reaches
    `overrule`, a majority sample is chosen over the weak response. `max_pairs` is 1 for GSM8K and
    3 for MATH in the paper.
    """
    sampled = student(weak(rows, "weak"), "samples", n=n, temperature=temperature, top_p=top_p)
    for row in sampled:
        samples = [tidy(sample["text"], student.task, compat) for sample in row["samples"]]
        weak_text = tidy(row["weak"][0]["text"], student.task, compat)
        row = row | {"weak": weak_text, "samples": samples}
        ballot = _ballot(row, student.task, compat)
        yield _contrast(row, ballot, confidence, overrule, max_pairs, seed)


STAGES = {
    "sft": Stage(consistent_answers, trains="sft", trained="strong"),
    "dpo": Stage(contrastive_pairs, trains="dpo"),
    "orpo": Stage(contrastive_pairs, trains="orpo"),
    "simpo": Stage(contrastive_pairs, trains="simpo"),
    "kto": Stage(contrastive_pairs, trains="kto"),
}


def _answer(text: str, task: Task, compat: Compat) -> str:
    """The declared answer, "" for none."""
    found = extract(task.rule, text, compat=compat or None)
    return found.answer if found else ""


def _naive(row: Row, task: Task, compat: Compat) -> Row:
    response = tidy(row["weak"][0]["text"], task, compat)
    if not response:
        return drop(row, "weak: empty response")
    return keep(row, {"response": response, "side": "weak"})


def _demonstrations(
    rows: Iterable[Row], task: Task, shots: int, by_hand: tuple[str, ...], seed: int
) -> list[tuple[str, str, str]]:
    """(id, question, weak response) of `shots` rows, and a spare for a demonstration's own turn.

    Those chosen by hand come first; the rest is drawn from the responses that end by themselves
    and declare an answer, right or wrong.
    """
    picked = {row["id"]: row for row in rows if row["id"] in by_hand}
    for row_id in by_hand:
        if row_id not in picked:
            raise W2SError(f"demonstrations: no question has the id {row_id!r}")
    drawable = (row for row in rows if row["id"] not in picked and _complete(row, task))
    drawn = heapq.nsmallest(
        shots + 1, drawable, key=lambda row: digest("demonstration", str(seed), row["id"])
    )
    shown = [picked[row_id] for row_id in by_hand] + drawn
    return [(r["id"], listed(r), tidy(r["weak"][0]["text"], task)) for r in shown[: shots + 1]]


def _complete(row: Row, task: Task) -> bool:
    sample = row["weak"][0]
    return sample["finish"] == "stop" and extract(task.rule, sample["text"]) is not None


def _intersect(row: Row, task: Task, side: str, compat: Compat) -> Row:
    responses = {name: tidy(row[name][0]["text"], task, compat) for name in ("weak", "icl")}
    answers = {name: _answer(text, task, compat) for name, text in responses.items()}
    for name, answer in answers.items():
        if not answer and not compat:
            return drop(row, f"{name}: no answer")
    verdict = equal(answers["weak"], answers["icl"], compat=compat or None)
    if verdict.kind != "equal":
        return drop(row, f"answers {verdict.kind}")
    sides = ("weak", "icl") if side == "hybrid" else (side,)
    return keep(row, *({"response": responses[s], "side": s} for s in sides))


class Ballot(NamedTuple):
    """The student's vote on a row, and where weak answer and samples stand to its majority."""

    majority: str
    confidence: float
    entropy: float
    weak: str
    samples: list[str]


def _ballot(row: Row, task: Task, compat: Compat) -> Ballot:
    """Stand is "equal", "different", "undecided" or, without an answer, "silent"."""
    answers = [_answer(text, task, compat) for text in row["samples"]]
    counted = vote(answers, compat=compat or None)

    majority = counted.answer or ""

    def stand(answer: str) -> str:
        if not answer and not compat:
            return "silent"
        return equal(answer, majority, compat=compat or None).kind

    weak = _answer(row["weak"], task, compat)
    return Ballot(
        majority, counted.confidence, counted.entropy, stand(weak), [stand(a) for a in answers]
    )


def _contrast(
    row: Row,
    ballot: Ballot,
    confidence: float,
    overrule: float,
    max_pairs: int,
    seed: int,
) -> Row:
    n = len(row["samples"])
    row = row | {
        "answer": ballot.majority,
        "confidence": ballot.confidence,
        "share": ballot.confidence,
        "entropy": ballot.entropy,
        "entropy_normalised": ballot.entropy / math.log(n) if n > 1 else 0.0,
    }
    if not ballot.majority:
        return drop(row, "majority: no answer")
    if ballot.confidence < confidence:
        return drop(row, "confidence below the threshold")
    if ballot.weak not in ("equal", "different"):
        return drop(row, f"weak: {'no answer' if ballot.weak == 'silent' else 'undecided'}")

    agrees = ballot.weak == "equal"
    if not agrees and ballot.confidence < overrule:
        return drop(row, "confidence too low to overrule the weak answer")
    weak = row["weak"]
    others = _texts(row, ballot, "different" if agrees else "equal")
    if not others:
        return drop(row, "too easy: no sample has another answer")

    picked = rng(seed, row["id"], "pairs").sample(others, min(max_pairs, len(others)))
    pairs = [(weak, other) if agrees else (other, weak) for other in picked]
    side = "chosen" if agrees else "rejected"
    story = {"confidence": ballot.confidence, "entropy": ballot.entropy, "weak_side": side}
    return keep(
        row, *({"prompt": row["prompt"], "chosen": c, "rejected": r} | story for c, r in pairs)
    )


def _texts(row: Row, ballot: Ballot, stand: str) -> list[str]:
    """The distinct responses of the samples with this stand to the majority."""
    stands = zip(row["samples"], ballot.samples)
    return list(dict.fromkeys(text for text, found in stands if found == stand))
