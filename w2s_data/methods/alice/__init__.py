"""Alice: Proactive Learning with Teacher's Demonstrations for Weak-to-Strong Generalization.

Shujin Wu, Cheng Qian, Yi R. Fung, Paul Pu Liang, Heng Ji. arXiv 2504.07316.

A weak teacher, taught on train_1, answers each question of train_2 many times. Where its answers
fall into one cluster they are learnt as they are. Where they fall into several, the teacher's
uncertainty is put into words, and the untrained student, shown the question, its own answer, the
teacher's answer and the uncertainty, writes the answer that is learnt. A cascade chains this: on
`--part 1/2` the teacher supervises a middle model, which, trained, is the teacher on `--part 2/2`.

Departures from the published code: a question gives one row whatever happens; n samples are asked
of one prompt; the question is carried, never cut out of a rendered prompt; embeddings are computed
once; clusters do not depend on the order of the samples (`rule=first` brings the published greedy
rule back); every reply is checked before it is used, and a bad one is a counted drop.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial, wraps
from typing import Annotated, Any, Literal

from pydantic import Field

from w2s_data.io import Spool
from w2s_data.methods import Count, Share, Stage, Temperature
from w2s_data.methods.alice.doubt import extracted, summarised
from w2s_data.methods.alice.final import final
from w2s_data.methods.alice.replies import (
    Reply,
    going_on,
    proactive_prompt,
    read,
    solving,
    without,
)
from w2s_data.methods.alice.samples import Cut, clustered_row, sampled, sure
from w2s_data.rows import Row, drop, keep
from w2s_data.steps.cluster import Rule
from w2s_data.steps.embed import PACKAGED, embedder, once, weights_of
from w2s_data.steps.sample import Sampler
from w2s_data.tasks import Task, ask, judge

Style = Literal["auto", "base", "instruct"]
Words = Annotated[int, Field(ge=5)]


# --- the teacher's lessons ---------------------------------------------------------------------


def chains_of_thought(
    rows: Iterable[Row],
    *,
    teacher: Sampler,
    gold: Mapping[str, Any],
    form: Literal["cot", "qa"] = "cot",
    rationales: Literal["own", "teacher"] = "own",
    n: Count = 1,
    temperature: Temperature = 0.7,
    top_p: Share = 0.95,
) -> Iterator[Row]:
    """What the teacher learns: its own chains of thought, filtered by ground truth.

    Questions with a gold rationale (GSM8K, MATH) keep it, unless `rationales=teacher`. For the
    others the teacher is asked `n` times, and its first right answer in the task's format is kept.
    `form=qa` keeps the bare gold answers. The one stage of this method that sees ground truth.
    """
    task = teacher.task

    def written(row: Row) -> Row:
        known = gold[row["id"]]
        if form == "qa":
            return keep(row, {"response": task.response(None, known["answer"])})
        if rationales == "own" and known["solution"]:
            return keep(row, {"response": known["response"]})
        return row

    def solve(asked: Iterable[Row]) -> Iterator[Row]:
        prompt = solving(task)
        for row in teacher(
            asked, "samples", prompt=prompt, n=n, temperature=temperature, top_p=top_p, stop=()
        ):
            known = gold[row["id"]]
            checked = [_right(read(sample, row, task), known, task) for sample in row["samples"]]
            right = next((reply for reply, wrong in checked if not wrong), None)
            ending = drop(row, f"teacher: {checked[0][1]}")
            yield keep(row, {"response": right.text}) if right else ending

    return going_on(map(written, rows), solve)


def _right(reply: Reply, known: Any, task: Task) -> tuple[Reply, str]:
    """The reply, and why it is not learnt: "" for a right one."""
    wrong = reply.fault or ("" if reply.formatted else "no answer in the format")
    if wrong or reply.answer is None:
        return reply, wrong
    verdict = judge.compare(task, reply.answer, judge.names(known))
    return reply, {"equal": "", "different": "wrong answer"}.get(verdict, "answer undecided")


def original_labels(
    rows: Iterable[Row],
    *,
    teacher: Sampler,
    temperature: Temperature = 0.6,
    top_p: Share = 0.95,
) -> Iterator[Row]:
    """Original weak-to-strong: one sample of the teacher for every question.

    It is the paper's `qa` or `cot` baseline by what the teacher was taught.
    """
    for row in teacher(rows, "samples", temperature=temperature, top_p=top_p):
        reply = read(row["samples"][0], row, teacher.task)
        wrong = reply.fault
        yield drop(row, f"teacher: {wrong}") if wrong else keep(row, {"response": reply.text})


# --- proactive learning ------------------------------------------------------------------------


def proactive_answers(
    rows: Iterable[Row],
    *,
    teacher: Sampler,
    student: Sampler,
    summarizer: Sampler | None = None,
    notes: dict[str, Any],
    n: Annotated[int, Field(ge=2)] = 100,
    temperature: Annotated[Temperature, Field(gt=0)] = 0.9,
    top_p: Share = 0.95,
    cluster: Literal["task", "answer", "meaning"] = "task",
    rule: Rule = "densest",
    threshold: Share = 0.9,
    embedding: str = PACKAGED,
    instruction: str = "",
    stop: Literal["never", "decided"] = "never",
    chunk: Count = 20,
    risk: Share = 0.05,
    style: Style = "auto",
    shots: Annotated[int, Field(ge=0)] = 4,
    sentences: Count = 3,
    words: Words = 80,
    seed: int = 42,
) -> Iterator[Row]:
    """The teacher's answer where it is sure, the student's own considered one where it is not.

    Four rounds. The teacher answers `n` times. The samples are clustered by answer or, for open
    questions, by meaning (cosine above `threshold`, of embeddings that follow an `instruction` if
    the model takes one; `rule`: see steps/cluster.py); clusters of one are left out. One cluster,
    or one answer in several: the largest cluster's first sample is learnt (label `original`), of
    a meaning the first with its most frequent answer. Else the `summarizer` says in at most
    `sentences` sentences and `words` words what the teacher is unsure about; without one the
    competing answers are named, and the step where they part (not to a base student). The student
    answers alone, greedily, and then with all of this before it: that answer is learnt (`new`).

    `stop=decided` samples in steps of `chunk` and ends for a question once the rest of the n
    samples would, in all but the share `risk` of seeded simulations, change neither the largest
    cluster nor whether there are several. `style`: a model asked with a chat template is
    instructed, a base model is shown the form to fill in; `shots` answers of which the teacher is
    sure are shown to a base student as examples.
    """
    task, count = teacher.task, Counter[str]()
    if cluster == "task":
        cluster = "meaning" if judge.kind(task) == "open" else "answer"
    embed = None
    if cluster == "meaning" and not teacher.dry_run:
        embed = embedder(embedding, instruction)
        embed = once(embed) if stop == "decided" else embed
        notes["embedding"] = weights_of(embedding).fingerprint
    cut = Cut(task, rule, threshold, embed)
    base = style == "base" or (style == "auto" and not student.backend.chat)

    drawn = sampled(
        rows,
        partial(teacher, into="samples", temperature=temperature, top_p=top_p),
        cut,
        [*range(chunk, n, chunk), n] if stop == "decided" else [n],
        risk,
        seed,
    )
    clustered = Spool(clustered_row(row, cut, count) for row in drawn)
    shown = sure(clustered, shots if base else 0, seed)

    def alone(row: Row) -> str:
        if not base:
            return solving(task)(row)
        others = [pair for row_id, *pair in shown if row_id != row["id"]]
        return ask(task, row, demonstrations=others[:shots])

    def zero_shot(asked: Iterable[Row]) -> Iterator[Row]:
        for row in student(asked, "samples", prompt=alone, stop=None if base else ()):
            reply = read(row["samples"][0], row, task)
            row = without(row, "samples") | {"student": reply.text}
            useless = reply.fault and not student.dry_run
            yield drop(row, f"student: {reply.fault}") if useless else row

    def proactive(asked: Iterable[Row]) -> Iterator[Row]:
        prompt = proactive_prompt(task, base)
        for row in student(asked, "final", prompt=prompt, stop=None if base else ()):
            yield final(row, task)

    def summarise(asked: Iterable[Row]) -> Iterator[Row]:
        if summarizer is None:
            return map(partial(extracted, task=task, steps=not base), asked)
        return summarised(asked, summarizer, sentences, words, count)

    doubted = going_on(clustered, summarise)
    for row in going_on(going_on(doubted, zero_shot), proactive):
        if "endings" in row:
            count[f"answers: {row['label']}"] += 1
        yield row
    notes |= {"samples": dict(sorted(count.items()))}
    if stop == "decided":
        notes["generation saved"] = 1 - count["asked"] / max(1, n * count["questions"])


@wraps(proactive_answers, assigned=("__annotations__",))
def refuted_answers(rows: Iterable[Row], **given: Any) -> Iterator[Row]:
    """Beyond the paper: pairs of the student's final answer over the teacher's refuted one.

    As `sft`, but only questions where the student's answer differs from the teacher's. `strong`
    is the model that is trained: name the student after SFT; by default it is the task's base.
    """
    for row in proactive_answers(rows, **given):
        yield row if "dropped" in row else _contrast(row, given["teacher"].task)


def _contrast(row: Row, task: Task) -> Row:
    (learnt,) = row["endings"]
    row = without(row, "endings")
    if row["label"] == "original":
        return drop(row, "teacher: sure")
    verdict = judge.alike(task, row["answer"], row["teacher_answer"])
    if verdict != "different":
        kept = verdict == "equal"
        return drop(row, "student: the teacher's answer" if kept else "student: undecided")
    pair = {"prompt": row["prompt"], "chosen": learnt["response"], "rejected": row["teacher"]}
    return keep(row, pair | {"entropy": row["entropy"]})


STAGES = {
    "cot": Stage(chains_of_thought, trains="sft", split="train_1", trained="teacher"),
    "original": Stage(original_labels, trains="sft", untrained="student"),
    "sft": Stage(proactive_answers, trains="sft", untrained="student"),
    "dpo": Stage(refuted_answers, trains="dpo", trained="strong", untrained="student"),
}
