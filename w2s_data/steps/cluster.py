"""Responses to one question in clusters, by their answers or by their meaning.

Two rules. `densest` does not depend on the order of the samples. By answer its clusters are the
answer classes. By meaning two texts are near when the cosine of their embeddings is above the
threshold; the text with the most near samples among those not yet clustered leads a cluster of all
of them (ties: the smaller text), until none is left (Butina 1999, doi 10.1021/ci9803381). `first`
is Alice's: the first sample not yet clustered leads a cluster of all samples not yet clustered that
are near it, or that declare the same string.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal, NamedTuple

from w2s_data.answers import classes

Rule = Literal["densest", "first"]
Embed = Callable[[Sequence[str]], Any]


class Clusters(NamedTuple):
    """Clusters of two or more samples, the larger first.

    groups: positions of the samples, ascending in each. singletons: how many samples stand alone;
    they are in no group. entropy: of all clusters with the singletons, natural logarithm.
    """

    groups: tuple[tuple[int, ...], ...]
    singletons: int
    entropy: float


def by_answer(answers: Sequence[str | None], rule: Rule = "densest") -> Clusters:
    """Clusters of samples by the answers they declare; None belongs to none."""
    if rule == "densest":
        return _clusters(classes(answers).groups)
    return _clusters(_first_come([answer or None for answer in answers]))


def by_meaning(
    texts: Sequence[str | None], embed: Embed, threshold: float = 0.9, rule: Rule = "densest"
) -> Clusters:
    """Clusters of responses whose embeddings are near; None belongs to none.

    `embed` is called once, with each text once, in alphabetical order: vectors of length 1.
    """
    unique = sorted({text for text in texts if text is not None})
    if not unique:
        return _clusters([])
    near = _near(embed(unique), threshold)
    place = {text: i for i, text in enumerate(unique)}
    places = [None if text is None else place[text] for text in texts]
    samples: list[list[int]] = [[] for _ in unique]
    for i, at in enumerate(places):
        if at is not None:
            samples[at].append(i)
    leaders = _densest(near, [len(one) for one in samples]) if rule == "densest" else None
    found = leaders or _leaders_by_turn(
        near, list(dict.fromkeys(p for p in places if p is not None))
    )
    return _clusters([[i for text in group for i in samples[text]] for group in found])


def _near(vectors: Any, threshold: float) -> Any:
    """Which texts are near each other, every one to itself."""
    import numpy as np

    vectors = np.asarray(vectors, dtype=np.float32)
    near = vectors @ vectors.T > threshold
    near |= near.T
    np.fill_diagonal(near, True)
    return near


def _densest(near: Any, sizes: Sequence[int]) -> list[list[int]]:
    """Texts in groups; `sizes` says how many samples have each text."""
    import numpy as np

    weight, free = np.asarray(sizes), np.ones(len(sizes), dtype=bool)
    groups = []
    while free.any():
        reach = np.where(free, near @ np.where(free, weight, 0), -1)
        members = near[int(reach.argmax())] & free
        groups.append(np.flatnonzero(members).tolist())
        free &= ~members
    return groups


def _leaders_by_turn(near: Any, order: Sequence[int]) -> list[list[int]]:
    """Texts in groups; `order` is that in which the samples bring them."""
    free, groups = dict.fromkeys(order), []
    while free:
        leader = next(iter(free))
        group = [text for text in free if near[leader, text]]
        groups.append(group)
        for text in group:
            del free[text]
    return groups


def _first_come(marks: Sequence[Hashable | None]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for i, mark in enumerate(marks):
        if mark is not None:
            groups.setdefault(mark, []).append(i)
    return list(groups.values())


def _clusters(groups: Sequence[Sequence[int]]) -> Clusters:
    """Of equal sizes the one found earlier stands first."""
    ordered = sorted((tuple(sorted(group)) for group in groups), key=len, reverse=True)
    total = sum(map(len, ordered))
    entropy = sum(len(g) / total * math.log(total / len(g)) for g in ordered)
    several = tuple(group for group in ordered if len(group) > 1)
    return Clusters(several, len(ordered) - len(several), entropy)
