"""Verdicts counted: shares with their intervals, and columns of numbers against correctness."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from w2s_data.steps.interval import wilson

VERDICTS = ("right", "wrong", "silent", "undecided")
FALSE = ("wrong", "silent")
BINS = 10
VALUES = 12  # a column with more values than that is cut into BINS


@dataclass(frozen=True)
class Share:
    """`count` of `of`, and Wilson's 95 % interval; of nothing the share is 0, in (0, 1)."""

    count: int
    of: int
    share: float
    interval: tuple[float, float]


def share(count: int, of: int, trials: int) -> Share:
    """`trials` are the independent ones among `of`: questions, where `of` counts rows."""
    if not of:
        return Share(0, 0, 0.0, (0.0, 1.0))
    return Share(count, of, count / of, wilson(count / of, trials))


@dataclass(frozen=True)
class Labels:
    """What became of some rows' labels; the first four shares add up to one.

    silent: no answer is declared; undecided: the engine could not compare the answer with gold;
    error: wrong or silent.
    """

    rows: int
    questions: int
    right: Share
    wrong: Share
    silent: Share
    undecided: Share
    error: Share


@dataclass
class Tally:
    """Verdicts counted, with the questions behind them."""

    counts: Counter[str] = field(default_factory=Counter)
    questions: set[str] = field(default_factory=set)

    def add(self, verdict: str, question: str) -> None:
        self.counts[verdict] += 1
        self.questions.add(question)

    def share(self, *verdicts: str) -> Share:
        count = sum(self.counts[verdict] for verdict in verdicts)
        return share(count, self.counts.total(), len(self.questions))

    def labels(self) -> Labels:
        shares = {verdict: self.share(verdict) for verdict in VERDICTS}
        error = self.share(*FALSE)
        return Labels(self.counts.total(), len(self.questions), **shares, error=error)


def by_kind(tallies: Mapping[str, Tally]) -> dict[str, Labels]:
    """The labels of each kind, in the order of their names."""
    return {kind: tallies[kind].labels() for kind in sorted(tallies)}


@dataclass(frozen=True)
class Bin:
    """The labels whose value lies in [low, high], and their mean value."""

    low: float
    high: float
    mean: float
    labels: Labels


@dataclass(frozen=True)
class Measure:
    """A column of numbers against correctness.

    auroc: how often, of a right label and one that is not, the right one has the higher value
    (ties count half; undecided ones do not count); None without both. error: the expected
    calibration error, the mean over labels of |accuracy - value| by bin; None for a column that
    is no probability: an entropy, or one with values outside [0, 1].
    """

    bins: list[Bin]
    auroc: float | None
    error: float | None


class Points:
    """The values of one column with their labels' verdicts; 17 bytes a label."""

    def __init__(self) -> None:
        self._values = array("d")
        self._verdicts = bytearray()
        self._questions = array("q")

    def add(self, value: float, verdict: str, question: str) -> None:
        self._values.append(value)
        self._verdicts.append(VERDICTS.index(verdict))
        self._questions.append(hash(question))

    def measure(self, probability: bool) -> Measure:
        """The column's; `probability`: it states how likely a label is right."""
        order = sorted(range(len(self._values)), key=self._values.__getitem__)
        bins = [self._bin(members) for members in self._cut(order)]
        stated = probability and bins[0].low >= 0 and bins[-1].high <= 1
        gaps = (abs(b.labels.right.share - b.mean) * b.labels.rows for b in bins)
        return Measure(bins, self._auroc(order), sum(gaps) / len(order) if stated else None)

    def _cut(self, order: list[int]) -> Iterator[list[int]]:
        """The labels of each bin: one for each value of a few, else of equal width."""
        values = self._values
        low, high = values[order[0]], values[order[-1]]
        few = len(set(values)) <= VALUES
        if not few and low >= 0 and high <= 1:
            low, high = 0.0, 1.0

        def place(value: float) -> float:
            return value if few else min(BINS - 1, int((value - low) / (high - low) * BINS))

        members: list[int] = []
        for index in order:
            if members and place(values[index]) != place(values[members[-1]]):
                yield members
                members = []
            members.append(index)
        yield members

    def _bin(self, members: list[int]) -> Bin:
        values = [self._values[index] for index in members]
        tally = Tally(
            Counter(VERDICTS[self._verdicts[index]] for index in members),
            {str(self._questions[index]) for index in members},
        )
        return Bin(values[0], values[-1], sum(values) / len(values), tally.labels())

    def _auroc(self, order: list[int]) -> float | None:
        """By counting, value by value upwards, the others below each right one."""
        pairs = below = 0.0
        rights = 0
        for _, tied in groupby(order, key=self._values.__getitem__):
            found = Counter(VERDICTS[self._verdicts[index]] for index in tied)
            others = found["wrong"] + found["silent"]
            pairs += found["right"] * (below + others / 2)
            rights, below = rights + found["right"], below + others
        return pairs / (rights * below) if rights and below else None
