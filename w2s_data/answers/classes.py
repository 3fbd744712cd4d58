"""Answer classes and the vote over them: neither depends on the order of the samples."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from w2s_data.answers.canonical import canonical
from w2s_data.answers.equal import settled
from w2s_data.answers.policy import DEFAULT, Policy, published

# Two such keys are two numbers that differ by more than 1e-18 of their size: different under
# every policy, also where a decimal of many digits may state a rounded value.
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:/[0-9]{1,9})?")


@dataclass(frozen=True)
class Classes:
    """Groups of equal answers.

    groups: indices into the answers, ascending in each group; larger groups first, ties by key.
    keys: one key for each group, the smallest of its members' keys.
    undecided: (i, j, reason) for pairs of distinct keys that could not be decided, by the first
    index that has each key.
    """

    groups: tuple[tuple[int, ...], ...]
    keys: tuple[str, ...]
    undecided: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class Vote:
    """A majority vote over samples.

    answer: the majority answer as its most frequent spelling (ties: the smallest), None without
    a parsed sample; key: its key. votes of n samples, parsed of which declare an answer.
    confidence: votes/n; confidence_parsed: votes/parsed; margin: (votes - runner-up)/n.
    entropy: of the classes over parsed samples, natural logarithm. tied: other classes have as
    many votes; the smallest key wins then.
    """

    answer: str | None
    key: str | None
    votes: int
    n: int
    parsed: int
    confidence: float
    confidence_parsed: float
    margin: float
    entropy: float
    tied: bool
    classes: Classes


def classes(
    answers: Sequence[str | None],
    policy: Policy | str = DEFAULT,
    *,
    compat: str | None = None,
) -> Classes:
    """The classes of equal answers; None and empty answers belong to none.

    Keys first, then union only on proven equality, so the groups are the same for any order.
    In compat mode the published strings are the classes and an empty answer is one of them.
    """
    by_key = _by_key(answers, policy, compat)
    keys = sorted(by_key)
    if published(compat):
        return _arranged([[key] for key in keys], by_key, ())
    groups, undecided = _united(keys, {k: answers[by_key[k][0]] or "" for k in keys}, policy)
    first = {key: indices[0] for key, indices in by_key.items()}
    named = sorted(
        (min(first[x], first[y]), max(first[x], first[y]), reason) for x, y, reason in undecided
    )
    return _arranged(groups, by_key, tuple(named))


def _by_key(
    answers: Sequence[str | None], policy: Policy | str, compat: str | None
) -> dict[str, list[int]]:
    by_key: dict[str, list[int]] = defaultdict(list)
    for index, answer in enumerate(answers):
        key = None if answer is None else canonical(answer, policy, compat=compat)
        if key or (key == "" and compat):
            by_key[key].append(index)
    return by_key


def _united(
    keys: list[str], spelling: dict[str, str], policy: Policy | str
) -> tuple[list[list[str]], list[tuple[str, str, str]]]:
    parent = {key: key for key in keys}

    def root(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    undecided = []
    number = {key: _NUMBER.fullmatch(key) is not None for key in keys}
    for position, x in enumerate(keys):
        for y in keys[position + 1 :]:
            if number[x] and number[y]:
                continue
            verdict = settled(spelling[x], spelling[y], policy)
            if verdict.kind == "equal":
                low, high = sorted((root(x), root(y)))
                parent[high] = low
            elif verdict.kind == "undecided":
                undecided.append((x, y, verdict.reason))
    united: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        united[root(key)].append(key)
    return list(united.values()), undecided


def _arranged(
    groups: list[list[str]],
    by_key: dict[str, list[int]],
    undecided: tuple[tuple[int, int, str], ...],
) -> Classes:
    members = [(tuple(sorted(i for k in g for i in by_key[k])), min(g)) for g in groups]
    members.sort(key=lambda group: (-len(group[0]), group[1]))
    return Classes(tuple(m for m, _ in members), tuple(k for _, k in members), undecided)


def vote(
    samples: Sequence[str | None],
    policy: Policy | str = DEFAULT,
    *,
    compat: str | None = None,
) -> Vote:
    """The majority over the answers of n samples; None stands for a sample without an answer.

    In compat mode a missing answer is the empty string and votes like any other.
    """
    if published(compat):
        samples = [sample or "" for sample in samples]
    found = classes(samples, policy, compat=compat)
    n, sizes = len(samples), [len(group) for group in found.groups]
    parsed = sum(sizes)
    if not parsed:
        return Vote(None, None, 0, n, 0, 0.0, 0.0, 0.0, 0.0, False, found)
    votes, second = sizes[0], sizes[1] if len(sizes) > 1 else 0
    answer = _spelling([samples[i] or "" for i in found.groups[0]])
    entropy = sum(size / parsed * math.log(parsed / size) for size in sizes)
    return Vote(
        answer,
        found.keys[0],
        votes,
        n,
        parsed,
        votes / n,
        votes / parsed,
        (votes - second) / n,
        entropy,
        votes == second,
        found,
    )


def _spelling(answers: list[str]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for answer in answers:
        counts[answer] += 1
    return min(counts, key=lambda answer: (-counts[answer], len(answer), answer))
