"""Round 1: the teacher's samples in clusters, and when enough of them are drawn."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

from w2s_data.answers import classes
from w2s_data.io import Spool
from w2s_data.methods.alice.replies import Reply, going_on, read, without
from w2s_data.rows import Row, digest, drop, keep, rng
from w2s_data.steps.cluster import Clusters, Rule, by_answer, by_meaning
from w2s_data.steps.sample import turns
from w2s_data.tasks import Task, judge
from w2s_data.tasks.choice import listed

SIMULATIONS = 100
ATTEMPTS = 10  # clusters that a summarizer is shown


class Cut(NamedTuple):
    """How samples are clustered."""

    task: Task
    rule: Rule
    threshold: float
    embed: Callable[[Any], Any] | None

    def __call__(self, replies: list[Reply]) -> Clusters:
        if self.embed is None:
            return by_answer([self.answer(r) for r in replies], self.rule)
        texts = [None if r.fault else r.text for r in replies]
        return by_meaning(texts, self.embed, self.threshold, self.rule)

    def useless(self, reply: Reply) -> str:
        """Why the reply is in no cluster, "" where it may be."""
        return reply.fault or ("" if reply.answer or self.embed else "no answer")

    def answer(self, reply: Reply) -> str | None:
        """The reply's answer as it is compared with others."""
        known = reply.answer and not reply.fault
        return judge.comparable(self.task, reply.answer or "") if known else None


def sampled(
    rows: Iterable[Row],
    teacher: Callable[..., Iterator[Row]],
    cut: Cut,
    sizes: list[int],
    risk: float,
    seed: int,
) -> Iterator[Row]:
    """Rows with the teacher's `samples`: sizes[-1] of them, or as many as an earlier size when that
    decides what becomes of the question.

    What would follow is drawn SIMULATIONS times from the posterior of the cluster shares (a
    Dirichlet of the counts, with 1 for a cluster not seen yet; unreadable samples stay so). A
    question is decided when no more than the share `risk` of these draws changes its largest
    cluster, or whether there are none, one or several.
    """
    asked = Spool(rows)
    turn = turns(asked, lambda row: row["prompt"])

    def more(waiting: Iterable[Row], done: int, size: int) -> Iterator[Row]:
        known = (without(row, "samples") | {"known": row.get("samples", [])} for row in waiting)
        for row in teacher(
            known, n=size - done, start=lambda row: sizes[-1] * turn.get(row["id"], 0) + done
        ):
            yield without(row, "known") | {"samples": row["known"] + row["samples"]}

    drawn: Iterable[Row] = asked
    for done, size in pairwise([0, *sizes]):
        drawn = going_on(drawn, partial(more, done=done, size=size), _undecided)
        if size < sizes[-1]:
            left = sizes[-1] - size
            drawn = map(partial(_decided, cut=cut, left=left, risk=risk, seed=seed), drawn)
    return iter(drawn)


def _undecided(row: Row) -> bool:
    return not row.get("decided")


def _decided(row: Row, cut: Cut, left: int, risk: float, seed: int) -> Row:
    if not _undecided(row):
        return row
    found = cut([read(sample, row, cut.task) for sample in row["samples"]])
    sizes = [len(group) for group in found.groups] + [1] * found.singletons
    silent = len(row["samples"]) - sum(sizes)
    drawn = rng(seed, row["id"], f"stop {len(row['samples'])}")
    changed = sum(_changed(sizes, silent, left, drawn) for _ in range(SIMULATIONS))
    return row | {"decided": changed <= risk * SIMULATIONS}


def _changed(sizes: list[int], silent: int, left: int, drawn: Any) -> bool:
    weights = [drawn.gammavariate(size, 1) for size in (*sizes, 1)]
    weights.append(drawn.gammavariate(silent, 1) if silent else 0.0)
    more = Counter(drawn.choices(range(len(weights)), weights, k=left))
    after = [size + more[i] for i, size in enumerate((*sizes, 0))]
    return _outcome(sizes) != _outcome(after) or after[0] != max(after)


def _outcome(sizes: list[int]) -> int:
    """No cluster, one, or several."""
    return min(2, sum(size > 1 for size in sizes))


def clustered_row(row: Row, cut: Cut, count: Counter[str]) -> Row:
    """`row` with the teacher's answer, one attempt of each cluster and the entropy; ended when
    there is no cluster, or but one."""
    replies = [read(sample, row, cut.task) for sample in row["samples"]]
    found = cut(replies)
    useless = Counter(cut.useless(reply) for reply in replies)
    used = useless.pop("", 0)
    count.update({f"left out: {why}": many for why, many in useless.items()})
    count.update(questions=1, asked=len(replies), singletons=found.singletons)
    row = without(row, "samples") | {"entropy": found.entropy, "clusters": len(found.groups)}
    if not found.groups:
        reason = "no two samples agree" if used else useless.most_common(1)[0][0]
        return drop(row, f"teacher: {reason}")
    leads = [_lead([replies[i] for i in group], cut) for group in found.groups]
    row |= {"teacher": leads[0].text, "teacher_answer": leads[0].answer}
    if not leads[0].formatted:
        return drop(row, "teacher: no answer in the format")
    if _one_answer(leads, cut):
        told = [replies[i] for group in found.groups for i in group if replies[i].formatted]
        if cut.embed and not _one_answer(told, cut):
            count["sure, but answers differ"] += 1
        return original(row)
    attempts = [lead.text for lead in leads[:ATTEMPTS]]
    answers = [lead.answer if lead.formatted else None for lead in leads[:ATTEMPTS]]
    return row | {"attempts": attempts, "answers": answers}


def _lead(group: list[Reply], cut: Cut) -> Reply:
    """The cluster's first sample in the task's format, or its first. Of a meaning that answers
    differ in it is the first with the most frequent answer."""
    formatted = [reply for reply in group if reply.formatted] or group
    if cut.embed is None:
        return formatted[0]
    most = Counter(map(cut.answer, formatted)).most_common(1)[0][0]
    return next(reply for reply in formatted if cut.answer(reply) == most)


def _one_answer(replies: list[Reply], cut: Cut) -> bool:
    """Whether all of them declare one answer, were it in different words; one alone does."""
    known = [cut.answer(reply) if reply.formatted else None for reply in replies]
    return len(replies) == 1 or (all(known) and len(classes(known).groups) == 1)


def original(row: Row) -> Row:
    ending = {"response": row["teacher"], "label": "original", "entropy": row["entropy"]}
    return keep(row | {"label": "original"}, ending)


def sure(rows: Iterable[Row], shots: int, seed: int) -> list[tuple[str, str, str]]:
    """(id, question, answer) of `shots` questions of which the teacher is sure, and a spare."""
    if not shots:
        return []
    sure = (row for row in rows if row.get("label") == "original")
    drawn = heapq.nsmallest(
        shots + 1, sure, key=lambda row: digest("demonstration", str(seed), row["id"])
    )
    return [(row["id"], listed(row), row["teacher"]) for row in drawn]
