"""Entries -> the numbers behind a set's charts: memory for distinct values, not for rows."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from w2s_data.report.entries import KEPT, Entry
from w2s_data.rows import Row
from w2s_data.steps.interval import wilson
from w2s_data.tasks import judge
from w2s_data.truth import Truth

VERDICTS = ("right", "wrong", "silent", "undecided")
PARTS = ("level", "subject")
RELIABILITY = ("reliability", "score", "share", "confidence")
BINS, LABELS = 20, 8
MOST = 12  # numeric columns that are drawn

Record = dict[str, Any]


class Ruling(NamedTuple):
    """What ground truth says of an entry's label: one of VERDICTS, and the two labels."""

    verdict: str
    true: str
    weak: str


class Judge:
    """Holds the labels of entries against ground truth, as `audit` does."""

    def __init__(self, truth: Truth):
        self.truth = truth

    def __call__(self, entry: Entry) -> tuple[Row, Ruling | None]:
        """What is known of the entry's question (level, subject), and the ruling on its label."""
        question = self.truth.find(entry.row, entry.where)
        if question is None:
            return {}, None
        label = self._label(entry, question)
        if label is None:
            return self.truth.meta[question], None
        verdict = self.truth.compared(question, label)
        true = self.truth.names[question][0]
        return self.truth.meta[question], Ruling(verdict, true, label or "(none)")

    def _label(self, entry: Entry, question: str) -> str | None:
        """The answer that the row teaches, or that a dropped row would have taught; "" for a
        response without an answer, None for a row that teaches none."""
        row = entry.row
        if row.get("kto_tag") is False:
            return None
        if isinstance(row.get("answer"), str):
            return row["answer"]
        text = next((row[n] for n in ("chosen", "response", "weak") if _is_text(row.get(n))), None)
        if text is None:
            return None
        choices = row.get("choices") or self.truth.choices.get(question, ())
        return judge.declared(self.truth.task, text, choices) or ""


def stated(entry: Entry) -> Ruling | None:
    """The ruling that a stage with ground truth wrote beside the row, as `correct`."""
    correct, answer = entry.row.get("correct"), str(entry.row.get("answer"))
    if not isinstance(correct, bool):
        return None
    return Ruling("right", "", "") if correct else Ruling("wrong", "", answer)


@dataclass
class Figures:
    """What is counted of one set.

    numbers: column -> (value, verdict) -> rows; lengths: side -> characters -> rows; parts: level
    or subject -> (name, status, verdict) -> rows; reliability: (true, weak label) -> its scores'
    number and sum. Numbers are kept to three significant digits.
    """

    numbers: dict[str, Counter[tuple[float, str]]] = field(default_factory=dict)
    lengths: dict[str, Counter[float]] = field(default_factory=lambda: defaultdict(Counter))
    parts: dict[str, Counter[tuple[str, str, str]]] = field(
        default_factory=lambda: {name: Counter() for name in PARTS}
    )
    statuses: Counter[str] = field(default_factory=Counter)
    reliability: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    measure: str = ""

    def add(self, entry: Entry, meta: Mapping[str, Any], ruling: Ruling | None) -> None:
        """Count one entry."""
        verdict = ruling.verdict if ruling else ""
        status = KEPT if entry.status == KEPT else "dropped"
        self.statuses[entry.status] += 1
        for name, value in entry.facts.items():
            room = name in self.numbers or len(self.numbers) < MOST
            if room and _is_number(value) and name not in PARTS:
                self.numbers.setdefault(name, Counter())[rounded(value), verdict] += 1
        if status == KEPT:
            for side, text in entry.sides.items():
                self.lengths[side][rounded(len(text))] += 1
        for part in PARTS:
            if (name := meta.get(part, entry.facts.get(part))) is not None:
                self.parts[part][str(name), status, verdict] += 1
        if ruling:
            self._score(entry, ruling)

    def _score(self, entry: Entry, ruling: Ruling) -> None:
        named = (n for n in (self.measure, *RELIABILITY) if _is_number(entry.facts.get(n)))
        measure = next(named, "")
        self.measure = self.measure or measure
        weak = ruling.true if ruling.verdict == "right" else ruling.weak
        key = (ruling.true, weak)
        if measure and measure == self.measure and len(self.reliability) < 10_000:
            sums = self.reliability.setdefault(key, [0, 0.0])
            sums[0] += 1
            sums[1] += entry.facts[measure]

    def funnel(self, manifest: Mapping[str, Any]) -> list[Record]:
        """From questions to rows: the manifest's counts, else the rows on file."""
        counts = manifest.get("counts")
        if not isinstance(counts, dict):
            dropped = {k: n for k, n in self.statuses.items() if k != KEPT}
            counts = {"dropped": dropped, "rows on file": self.statuses[KEPT]}
        rows: list[Record] = []
        for name, n in counts.items():
            if isinstance(n, dict):
                most = sorted(n.items(), key=lambda item: -item[1])
                rows += [{"step": f"dropped: {why}", "count": k} for why, k in most]
            else:
                rows.append({"step": str(name), "count": n})
        return rows

    def distribution(self, column: str) -> list[Record]:
        """Rows per value (or per one of BINS bins) and verdict, with the accuracy there."""
        bins = Bins(value for value, _ in self.numbers[column])
        groups: dict[str, Counter[str]] = {name: Counter() for name in bins.names}
        for (value, verdict), n in self.numbers[column].items():
            groups[bins.name(value)][verdict] += n
        return [_accuracy({"value": name}, found) for name, found in groups.items()]

    def length_distribution(self) -> list[Record]:
        """Responses per length in characters and side."""
        bins = Bins(value for counted in self.lengths.values() for value in counted)
        groups = {(name, side): 0 for name in bins.names for side in self.lengths}
        for side, counted in self.lengths.items():
            for value, n in counted.items():
                groups[bins.name(value), side] += n
        return [{"characters": v, "side": side, "count": n} for (v, side), n in groups.items()]

    def by_part(self, part: str) -> list[Record]:
        """Kept and dropped rows per level or subject, with the accuracy there."""
        groups: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        for (name, status, verdict), n in self.parts[part].items():
            groups[name][status][verdict] += n
        rows = []
        for name in sorted(groups, key=_natural):
            found = groups[name]
            counts = {s: sum(found[s].values()) for s in (KEPT, "dropped")}
            rows.append(_accuracy({part: name} | counts, found[KEPT] + found["dropped"]))
        return rows

    def reliabilities(self) -> list[Record]:
        """The mean score by true and weak label; by right and wrong where labels are many."""
        labels = {label for key in self.reliability for label in key}
        sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0])
        few = len(labels) <= LABELS and all(true for true, _ in self.reliability)
        for (true, weak), (n, total) in self.reliability.items():
            key = (true, weak) if few else ("", "right" if weak == true else "wrong")
            sums[key][0] += n
            sums[key][1] += total
        return [
            ({"true label": true} if few else {})
            | {"weak label": weak, "mean": round(total / n, 3), "rows": n}
            for (true, weak), (n, total) in sorted(sums.items())
        ]


def rounded(value: float) -> float:
    """`value` to three significant digits."""
    return float(f"{value:.3g}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


class Bins:
    """Values by name: each its own when they are few, else BINS of equal width."""

    def __init__(self, values: Iterable[float]):
        found = sorted(set(values))
        self.low, self.width = found[0], (found[-1] - found[0]) / BINS
        if len(found) <= BINS:
            self.width = 0.0
        edges = [_written(self.low + k * self.width) for k in range(BINS + 1)]
        several = [f"{a} to {b}" for a, b in pairwise(edges)]
        self.names = several if self.width else [_written(value) for value in found]

    def name(self, value: float) -> str:
        """The name of the value's bin."""
        if not self.width:
            return _written(value)
        return self.names[min(int((value - self.low) / self.width), BINS - 1)]


def _written(value: float) -> str:
    """Three significant digits, without an exponent for what people count."""
    return f"{rounded(value):,.10g}"


def _accuracy(record: Record, found: Counter[str]) -> Record:
    counted = {verdict: found[verdict] for verdict in VERDICTS}
    judged = sum(counted.values())
    if not judged:
        return record | {"rows": found.total()}
    accuracy = counted["right"] / judged
    low, high = wilson(accuracy, judged)
    shares = {"accuracy": accuracy, "low": low, "high": high}
    return record | counted | {name: round(value, 3) for name, value in shares.items()}


def _natural(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name
