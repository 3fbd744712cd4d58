"""Soft labels of a split, and how good they are: accuracy, AUROC and the gap recovered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from w2s_data.errors import W2SError
from w2s_data.inputs import Models, Questions
from w2s_data.io import read_rows, write_rows
from w2s_data.manifest import Summary
from w2s_data.methods.eleuther import labelled, words
from w2s_data.store import STORE, Store

DRAWS = 2000
KEPT = ("id", "question", "prompt", "choices", "p")


def soft(
    questions: Questions,
    models: Models,
    role: str = "model",
    *,
    out: str | Path,
    store: str | Path = STORE,
    seed: int = 42,
) -> Summary:
    """The role's p(true) of each question, into the store and the jsonl file `out`: id, question,
    prompt, choices, p. Nothing is generated: one forward pass a question."""
    models.check("soft", [role], [role])
    summary = Summary("soft labels", questions.place)
    with Store(store) as opened:
        sampler = models.sampler(role, questions.task, opened, seed=seed)
        asked = summary.counting(questions.rows())
        rows = ({k: row[k] for k in KEPT} for row in labelled(asked, sampler, "p"))
        summary.rows = write_rows(out, rows)
    summary.kept = summary.questions
    summary.models = {role: sampler.spec}
    summary.rounds = sampler.rounds
    summary.files = {"soft labels": str(out)}
    return summary


class Measure(NamedTuple):
    """A value with its 95 % bootstrap interval; None where it is not defined."""

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None or self.low is None or self.high is None:
            return "none"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class SoftScore:
    """Over `questions` of each of `runs` files; the gaps are there with floor and ceiling."""

    questions: int
    runs: int
    accuracy: Measure
    auroc: Measure
    accuracy_gap: Measure | None = None
    auroc_gap: Measure | None = None

    def facts(self) -> dict[str, Any]:
        """For a person."""
        one_class = "none (the right answer is the same choice everywhere)"
        no_gap = "none (floor and ceiling are the same)"
        auroc = one_class if self.auroc.value is None else self.auroc
        named: dict[str, Any] = {"questions": self.questions, "runs": self.runs}
        named |= {"accuracy": self.accuracy, "AUROC": auroc}
        for name, gap in (("accuracy", self.accuracy_gap), ("AUROC", self.auroc_gap)):
            if gap:
                undefined = no_gap if named[name] != one_class else one_class
                named[f"gap recovered, {name}"] = undefined if gap.value is None else gap
        return named


def soft_score(
    paths: Sequence[str | Path],
    questions: Questions,
    *,
    floor: Sequence[str | Path] = (),
    ceiling: Sequence[str | Path] = (),
    seed: int = 42,
) -> SoftScore:
    """Score files of `soft`, one a run (seed), against ground truth.

    Accuracy takes p > 0.5 for the first choice. AUROC counts ties half. With as many files of the
    `floor` and the `ceiling`, in the same order, also the performance gap recovered,
    (value - floor) / (ceiling - floor), arXiv 2312.09390, of the means over runs. Intervals are
    bootstrap ones over runs and questions; every draw takes the same for all three.
    Raises W2SError for questions without two choices, and for files that do not hold one p in
    [0, 1] for each of the same questions.
    """
    if bool(floor) != bool(ceiling) or (floor and not len(paths) == len(floor) == len(ceiling)):
        raise W2SError("give as many files of the floor and of the ceiling as of the system")
    gold = questions.gold()
    truth = {
        row["id"]: f" {gold[row['id']]['answer']}" == words(row)[0] for row in questions.rows()
    }
    runs = [[Run.read(path, truth) for path in group] for group in (paths, floor, ceiling) if group]
    _same_questions([*paths, *floor, *ceiling], [run for group in runs for run in group])
    measured = measure(runs, seed)
    return SoftScore(len(runs[0][0].p), len(paths), **measured)


def _same_questions(paths: Sequence[str | Path], runs: Sequence[Run]) -> None:
    """Raise W2SError, naming a question, where a file holds others than the first."""
    for path, run in zip(paths, runs):
        if other := sorted(set(run.ids) ^ set(runs[0].ids)):
            raise W2SError(
                f"the files must hold the same questions: of {paths[0]} and {path} one alone has "
                f"{other[0]!r}, and so with {len(other)} in all"
            )


class Run:
    """The probabilities of one file, in the order of the ids, and the labels."""

    def __init__(self, p: Any, truth: Any, ids: Sequence[str] = ()):
        import numpy as np

        self.ids = ids
        self.p, self.truth = np.asarray(p, float), np.asarray(truth, bool)
        self.right = (self.p > 0.5) == self.truth
        _, self.level = np.unique(self.p, return_inverse=True)

    @classmethod
    def read(cls, path: str | Path, truth: Mapping[str, bool]) -> Run:
        found: dict[str, float] = {}
        for line, row in read_rows(path):
            p, row_id = row.get("p"), str(row.get("id"))
            if not isinstance(p, int | float) or isinstance(p, bool) or not 0 <= p <= 1:
                raise W2SError(f"{path}:{line}: p must be a number in [0, 1], was: {p!r}")
            if row_id not in truth:
                raise W2SError(f"{path}:{line}: id {row_id!r} is no question of this split")
            if row_id in found:
                raise W2SError(f"{path}:{line}: id {row_id!r} stands there already")
            found[row_id] = p
        ids = sorted(found)
        if not ids:
            raise W2SError(f"{path}: no soft labels")
        return cls([found[i] for i in ids], [truth[i] for i in ids], ids)

    def accuracy(self, drawn: Any) -> float:
        return float(self.right[drawn].mean())

    def auroc(self, drawn: Any) -> float:
        """The share of pairs (true, false) in which the true one has the larger p, ties half."""
        import numpy as np

        size = self.level.max() + 1
        true = np.bincount(self.level[drawn][self.truth[drawn]], minlength=size)
        false = np.bincount(self.level[drawn][~self.truth[drawn]], minlength=size)
        pairs = true.sum() * false.sum()
        below = np.cumsum(false) - false / 2
        return float((true * below).sum() / pairs) if pairs else float("nan")


def measure(groups: list[list[Run]], seed: int = 42) -> dict[str, Measure]:
    """Accuracy and AUROC of the first group, and the gaps when floor and ceiling follow."""
    import numpy as np

    rng = np.random.default_rng(seed)
    found = {}
    everything = [np.arange(len(run.p)) for run in groups[0]]
    samples = list(_draws(groups[0], rng))
    for name in ("accuracy", "auroc"):

        def means(runs: list[int], drawn: list[Any], name: str = name) -> list[float]:
            return [
                float(np.mean([getattr(group[r], name)(d) for r, d in zip(runs, drawn)]))
                for group in groups
            ]

        whole = means(list(range(len(groups[0]))), everything)
        draws = np.array([means(*sample) for sample in samples])
        found[name] = _measure(whole[0], draws[:, 0])
        if len(groups) == 3:
            with np.errstate(all="ignore"):
                gaps = (draws[:, 0] - draws[:, 1]) / (draws[:, 2] - draws[:, 1])
            gap = whole[2] - whole[1]
            value = (whole[0] - whole[1]) / gap if gap else None
            found[f"{name}_gap"] = _measure(value, gaps)
    return found


def _draws(runs: list[Run], rng: Any) -> Iterator[tuple[list[int], list[Any]]]:
    """Runs drawn with replacement and, within each, questions."""
    for _ in range(DRAWS):
        chosen = rng.integers(len(runs), size=len(runs)).tolist()
        yield chosen, [rng.integers(len(runs[r].p), size=len(runs[r].p)) for r in chosen]


def _measure(value: float | None, draws: Any) -> Measure:
    import numpy as np

    finite = draws[np.isfinite(draws)]
    if value is None or not len(finite):
        return Measure(None, None, None)
    low, high = np.quantile(finite, [0.025, 0.975])
    return Measure(value, float(low), float(high))
