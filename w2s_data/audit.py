"""How good is the supervision of a set, after the fact? The one reader of gold beside stages.

Works on the sets of every method here, and on LLaMA-Factory's sets from elsewhere: rows are known
by their id or their prompt. A label is what a row teaches: the response, the chosen one of a pair,
a KTO response with its tag. A soft label (rows with a `weight` and `p`, the probability of the
first of two choices) is its likelier choice, counted once a question whatever its copies; its
`confidence` is that choice's probability. Every share has Wilson's 95 % interval over the questions
behind it, because rows of one question are no independent trials.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from w2s_data import sets, show
from w2s_data.errors import W2SError
from w2s_data.rows import ENDING, Row
from w2s_data.sets import Set
from w2s_data.tally import (
    FALSE,
    VALUES,
    VERDICTS,
    Labels,
    Measure,
    Points,
    Share,
    Tally,
    by_kind,
    share,
)
from w2s_data.tasks import Task
from w2s_data.truth import Truth, open_truth

TEXTS = {"id", *ENDING}
LABELS = ("response", "weak", "teacher")  # what of a dropped row would have been learnt
BINNED = ("confidence", "entropy")  # the columns whose bins a terminal shows; JSON has all


@dataclass(frozen=True)
class Pairs:
    """Chosen against rejected. correct: chosen right, rejected not; inverted: the other way.

    An undecided side makes the pair undecided; a side without an answer is not right.
    """

    correct: Share
    both_right: Share
    neither_right: Share
    inverted: Share
    undecided: Share
    chosen_right: Share
    rejected_wrong: Share


@dataclass(frozen=True)
class Lengths:
    """Mean lengths in characters, of pairs by side and of labels by verdict; None without any."""

    chosen: float | None
    rejected: float | None
    chosen_longer: Share | None
    right: float | None
    wrong: float | None


@dataclass(frozen=True)
class Filter:
    """The filter as a finder of right labels, by question.

    precision: right among the kept; recall: kept among all right labels. lost: right among the
    dropped. reasons: the labels of the dropped, by reason. unknown: dropped without a label on
    file, counted nowhere else.
    """

    precision: Share
    recall: Share
    lost: Share
    reasons: dict[str, Labels]
    unknown: int


@dataclass(frozen=True)
class Audit:
    """One set. by: labels by level, by subject and by each of the set's own kinds (side, ...).

    unmatched: rows that answer no question of the gold; they are counted nowhere else. soft: rows
    of soft labels, of which `labels` counts one a question.
    """

    name: str
    gold: str
    labels: Labels
    unmatched: int
    pairs: Pairs | None
    lengths: Lengths
    filter: Filter | None
    by: dict[str, dict[str, Labels]]
    measures: dict[str, Measure]
    soft: int = 0


def audit(
    names: Sequence[str],
    *,
    gold: str | Path,
    folder: str | Path = "data",
    task: Task | None = None,
    split: str | None = None,
    source: str | None = None,
    fields: Mapping[str, str] | None = None,
    before: str | None = None,
    compat: str | None = None,
) -> list[Audit]:
    """Hold the sets `names` of a LLaMA-Factory dataset folder against ground truth.

    `gold` is a file of questions with answers (jsonl, json, csv, parquet; `fields` maps our names
    to its own), the name of a task, or "task" for the task that the set was built from. `task`,
    `split` and `source` are those of the set's manifest by default. `before` names the set as it
    was before the filter, for sets without a file of dropped rows. `compat` compares the published
    strings. Raises W2SError for what cannot be read, and when no row answers a question.
    """
    found = [sets.find(folder, name) for name in names]
    unfiltered = sets.find(folder, before) if before else None
    done = []
    for one in found:
        truth = open_truth(one, gold, task, split, source, fields, compat)
        done.append(_Auditor(one, truth).audit(unfiltered))
    return done


class _Auditor:
    """One set on its way through."""

    def __init__(self, found: Set, truth: Truth):
        self.set, self.truth = found, truth
        self.rows = self.unmatched = self.soft = 0
        self.labels, self.pairs, self.longer = Tally(), Tally(), Tally()
        self.lengths: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.by: dict[str, dict[str, Tally] | None] = {}
        self.points: dict[str, Points] = defaultdict(Points)
        self.kept: dict[str, str] = {}

    def audit(self, before: Set | None) -> Audit:
        counts = (self.set.manifest() or {}).get("counts", {})
        rows = show.track(f"audit {self.set.name}", self.set.rows(), counts.get("rows"))
        for self.rows, (where, row) in enumerate(rows, 1):
            self._row(row, where)
        if not self.labels.questions:
            raise W2SError(
                f"{self.set.name}: none of its {self.rows} rows answers a question of "
                f"{self.truth.place}; name another --split, or a file of gold answers"
            )
        columns = sorted(self.points)
        filtered = self._filter(before)
        return Audit(
            self.set.name,
            self.truth.place,
            self.labels.labels(),
            self.unmatched,
            self._pairs() if self.pairs.questions else None,
            self._lengths(),
            filtered,
            {kind: by_kind(groups) for kind, groups in sorted(self.by.items()) if groups},
            {name: self.points[name].measure("entropy" not in name) for name in columns},
            self.soft,
        )

    def _row(self, row: Row, where: str) -> None:
        question = self.truth.find(row, where)
        if question is None:
            self.unmatched += 1
            return
        p = self._p(question, row)
        if p is not None:
            self.soft += 1
            if question in self.kept:
                return
            row = self._likelier(question, row, p)
        verdict = self.truth.verdict(question, _label(row), row)
        self._length("right" if verdict == "right" else "not right", _label(row))
        if "chosen" in row:
            self._pair(question, row, verdict)
        if row.get("kto_tag") is False:
            verdict = {"right": "wrong", "undecided": "undecided"}.get(verdict, "right")
        else:
            self._measure(row, verdict, question)
        self.labels.add(verdict, question)
        self.kept.setdefault(question, verdict)
        self._kinds(row, verdict, question)

    def _p(self, question: str, row: Row) -> float | None:
        """The probability of the first of two choices, of a row that is part of a soft label; a
        dropped row has no weight, and may have the weak label alone."""
        dropped = "dropped" in row
        p = row.get("p", row.get("weak") if dropped else None)
        told = isinstance(p, float) and (dropped or isinstance(row.get("weight"), float))
        return p if told and len(self.truth.choices.get(question, ())) == 2 else None

    def _likelier(self, question: str, row: Row, p: float) -> Row:
        """The row as one that teaches the likelier choice, with its probability as confidence."""
        rest = {name: value for name, value in row.items() if not isinstance(value, float)}
        choice = self.truth.choices[question][p <= 0.5]
        return rest | {"response": f" {choice}", "confidence": max(p, 1 - p)}

    def _pair(self, question: str, row: Row, chosen: str) -> None:
        self.pairs.add(f"{chosen} {self.truth.verdict(question, row['rejected'], row)}", question)
        self._length("chosen", row["chosen"])
        self._length("rejected", row["rejected"])
        longer = len(row["chosen"]) > len(row["rejected"])
        self.longer.add("longer" if longer else "not", question)

    def _pairs(self) -> Pairs:
        def where(chosen: Sequence[str], rejected: Sequence[str]) -> Share:
            return self.pairs.share(*(f"{c} {r}" for c in chosen for r in rejected))

        decided = ("right", *FALSE)
        unclear = [f"undecided {r}" for r in VERDICTS] + [f"{c} undecided" for c in decided]
        return Pairs(
            correct=where(["right"], FALSE),
            both_right=where(["right"], ["right"]),
            neither_right=where(FALSE, FALSE),
            inverted=where(FALSE, ["right"]),
            undecided=self.pairs.share(*unclear),
            chosen_right=where(["right"], VERDICTS),
            rejected_wrong=where(VERDICTS, FALSE),
        )

    def _length(self, kind: str, text: str) -> None:
        self.lengths[kind][0] += len(text)
        self.lengths[kind][1] += 1

    def _lengths(self) -> Lengths:
        means = {kind: total / count for kind, (total, count) in self.lengths.items()}
        longer = self.longer.share("longer") if self.longer.questions else None
        sides = (means.get("chosen"), means.get("rejected"), longer)
        return Lengths(*sides, means.get("right"), means.get("not right"))

    def _kinds(self, row: Row, verdict: str, question: str) -> None:
        """Count the label by level, subject, and the row's own words that have few values."""
        meta = self.truth.meta[question]
        own = {n: v for n, v in row.items() if isinstance(v, str | bool) and n not in TEXTS}
        for kind, value in (own | meta).items():
            groups = self.by.setdefault(kind, {})
            if groups is not None and (len(groups) < VALUES or str(value) in groups):
                groups.setdefault(str(value), Tally()).add(verdict, question)
            elif kind not in meta:
                self.by[kind] = None

    def _measure(self, row: Row, verdict: str, question: str) -> None:
        for name, value in row.items():
            if isinstance(value, float):
                self.points[name].add(value, verdict, question)

    def _filter(self, before: Set | None) -> Filter | None:
        reasons: dict[str, Tally] = defaultdict(Tally)
        unknown = 0
        for question, reason, verdict in self._dropped(before):
            if verdict is None:
                unknown += 1
            else:
                reasons[reason].add(verdict, question)
        if not reasons:
            return None
        kept = Counter(self.kept.values())
        lost = sum((tally.counts for tally in reasons.values()), Counter[str]())
        right = kept["right"] + lost["right"]
        return Filter(
            share(kept["right"], kept.total(), kept.total()),
            share(kept["right"], right, right),
            share(lost["right"], lost.total(), lost.total()),
            by_kind(reasons),
            unknown,
        )

    def _dropped(self, before: Set | None) -> Iterator[tuple[str, str, str | None]]:
        """(question, reason, verdict) of each question that is not in the set; the verdict on the
        label it would have had, None where no file tells."""
        if before:
            yield from self._only(before)
            return
        for row in self.set.dropped():
            question = self.truth.find(row, f"{self.set.name}.dropped.jsonl")
            if question is not None:
                p = self._p(question, row)
                row = row if p is None else self._likelier(question, row, p)
                verdict = self._story(question, row)
                if verdict is not None:
                    self._measure(row, verdict, question)
                yield question, row["dropped"], verdict

    def _only(self, before: Set) -> Iterator[tuple[str, str, str]]:
        """As `_dropped`, of the set as it was before the filter; a soft label comes once."""
        soft: set[str] = set()
        for where, row in before.rows():
            question = self.truth.find(row, where)
            if question is None or question in self.kept or question in soft:
                continue
            p = self._p(question, row)
            if p is not None:
                soft.add(question)
                row = self._likelier(question, row, p)
            verdict = self.truth.verdict(question, _label(row), row)
            yield question, f"in {before.name} only", verdict

    def _story(self, question: str, row: Row) -> str | None:
        """The verdict on a dropped row's answer, or on what would have been its label."""
        if isinstance(row.get("answer"), str):
            return self.truth.compared(question, row["answer"])
        texts = (row[name] for name in LABELS if isinstance(row.get(name), str))
        text = next(texts, None)
        return None if text is None else self.truth.verdict(question, text, row)


def _label(row: Row) -> str:
    return row["chosen"] if "chosen" in row else row["response"]


def facts(found: Audit) -> dict[str, dict[str, str]]:
    """The audit as sections of names and values for a person."""
    labels, told = found.labels, dict[str, dict[str, str]]()
    told["labels"] = {"rows": f"{labels.rows:,}", "questions": f"{labels.questions:,}"}
    if found.soft:
        told["labels"]["rows of soft labels"] = f"{found.soft:,}"
    told["labels"] |= {name: _told(getattr(labels, name)) for name in VERDICTS}
    if found.unmatched:
        told["labels"]["rows that gold does not know"] = f"{found.unmatched:,}"
    if found.pairs:
        shares = vars(found.pairs).items()
        told["pairs"] = {name.replace("_", " "): _told(value) for name, value in shares}
    if found.filter:
        told["filter"] = {n: _told(getattr(found.filter, n)) for n in ("precision", "recall")}
        told["dropped, and right"] = {"all": _told(found.filter.lost)}
        for reason, dropped in found.filter.reasons.items():
            told["dropped, and right"][reason] = _told(dropped.right)
        if found.filter.unknown:
            told["dropped, and right"]["not known"] = f"{found.filter.unknown:,}"
    for kind, groups in found.by.items():
        told[f"errors by {kind}"] = {name: _told(group.error) for name, group in groups.items()}
    for name, measure in found.measures.items():
        told[f"right by {name}"] = _measured(name, measure)
    lengths = found.lengths
    sides = {side: getattr(lengths, side) for side in ("chosen", "rejected", "right", "wrong")}
    told["mean characters"] = {s: f"{mean:,.0f}" for s, mean in sides.items() if mean is not None}
    if lengths.chosen_longer:
        told["mean characters"]["chosen is longer"] = _told(lengths.chosen_longer)
    return told


def side_by_side(audits: Sequence[Audit]) -> dict[str, dict[str, str]]:
    """The facts of several sets: by section and name, the value of each set."""
    all_facts = {found.name: facts(found) for found in audits}
    sections = dict.fromkeys(section for told in all_facts.values() for section in told)
    table: dict[str, dict[str, str]] = {}
    for section in sections:
        for name, told in all_facts.items():
            for what, value in told.get(section, {}).items():
                table.setdefault(f"{section}: {what}", {})[name] = value
    return table


def _measured(name: str, measure: Measure) -> dict[str, str]:
    told = {}
    if measure.auroc is not None:
        told["AUROC"] = f"{measure.auroc:.3f}"
    if measure.error is not None:
        told["calibration error"] = f"{measure.error:.3f}"
    for b in measure.bins if name in BINNED else ():
        at = f"{b.low:.3g}" if b.low == b.high else f"{b.low:.3g} to {b.high:.3g}"
        told[at] = _told(b.labels.right)
    return told


def _told(found: Share) -> str:
    if not found.of:
        return "-"
    low, high = (100 * end for end in found.interval)
    return f"{100 * found.share:.1f} ({low:.1f}-{high:.1f}) of {found.of:,}"
