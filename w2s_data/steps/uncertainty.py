"""How sure a model is of its answers: entropies over answer classes, scores of answers.

`groups` are the classes: indices into the answers, each index in one group (`answers.classes`).
All entropies use the natural logarithm; renaming answers or permuting samples changes none.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

Groups = Sequence[Sequence[int]]
Curve = list[tuple[float, float]]


def entropies(groups: Groups, logprobs: Sequence[float] | None = None) -> dict[str, float]:
    """The uncertainties of n answers as columns of a row.

    entropy: of the counts, from 0 (all equal) to ln(n) (all different); entropy_normalised:
    divided by ln(n). With the answers' log-probabilities as well, a class has the probability of
    its answers, summed and divided by n because each answers a prompt of its own.
    entropy_weighted: of these probabilities, divided by their sum; entropy_semantic: minus their
    mean logarithm (Kuhn, Gal and Farquhar 2023, arXiv 2302.09664, equation 4), from 0 without
    upper bound.
    """
    sizes = sorted(map(len, groups), reverse=True)
    n = sum(sizes)
    found = {"entropy": _entropy([size / n for size in sizes])}
    found["entropy_normalised"] = min(1.0, found["entropy"] / math.log(n)) if n > 1 else 0.0
    if logprobs is not None:
        classes = sorted((_log_sum(sorted(logprobs[i] for i in g)) for g in groups), reverse=True)
        whole = _log_sum(classes)
        found["entropy_weighted"] = _entropy([math.exp(mass - whole) for mass in classes])
        found["entropy_semantic"] = max(0.0, math.log(n) - math.fsum(classes) / len(classes))
    return found


def shares(groups: Groups) -> dict[int, float]:
    """Each answer's share: by index, the part of all answers that is in its class."""
    n = sum(map(len, groups))
    return {index: len(group) / n for group in groups for index in group}


def softmax_scores(groups: Groups, temperature: float) -> dict[int, float]:
    """Each answer's score: the softmax of the classes' shares at `temperature` (> 0)."""
    n = sum(map(len, groups))
    heights = [len(group) / n / temperature for group in groups]
    whole = _log_sum(sorted(heights))
    return {i: math.exp(height - whole) for height, g in zip(heights, groups) for i in g}


def calibration(points: Iterable[tuple[float, float]]) -> Curve:
    """(share, accuracy) in ascending order: the accuracy of answers by their share, never falling.

    `points` are (share, 1 for a right answer or 0). Isotonic regression by pooling adjacent
    violators, weighted by the number of points at each share.
    """
    counted: dict[float, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for share, right in points:
        counted[share][0] += right
        counted[share][1] += 1
    pools: list[tuple[float, float, list[float]]] = []
    for share in sorted(counted):
        right, n, members = *counted[share], [share]
        while pools and pools[-1][0] / pools[-1][1] >= right / n:
            more_right, more, others = pools.pop()
            right, n, members = right + more_right, n + more, others + members
        pools.append((right, n, members))
    return [(share, right / n) for right, n, members in pools for share in members]


def calibrated(share: float, curve: Curve) -> float:
    """The accuracy of answers with this share; between two known shares that of the lower."""
    place = bisect_right([known for known, _ in curve], share)
    return curve[max(0, place - 1)][1]


def _entropy(parts: Sequence[float]) -> float:
    return math.fsum(-p * math.log(p) for p in parts if p > 0) + 0.0


def _log_sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(one - top) for one in logs))
