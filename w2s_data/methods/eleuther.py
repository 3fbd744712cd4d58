"""Experiments in Weak-to-Strong Generalization. EleutherAI. https://blog.eleuther.ai/weak-to-strong/.

Binary questions with verbalised choices (`tasks/binary.py`). A weak model, taught with ground truth
on train_1, gives each question of train_2 a soft label: p(true), the probability of the first
choice against the second as continuations of the prompt. The strong model learns a row for each
choice, weighted by p and 1 - p and compiled into copies: soft cross-entropy in expectation. Floor
and ceiling are the stages of `baselines`; `w2s-data soft` and `soft-score` measure accuracy, AUROC
and the gap recovered (arXiv 2312.09390).

The losses `window`, `logconf` and `entropy` look at the student while it trains; here a frozen
student stands for it, the base or an earlier iteration, and the set is selected or relabelled
before training. What is lost: labels and selection do not follow the student as it learns, alpha
has no warm-up, and the threshold of `logconf` is that of the whole set instead of each batch's.
What is gained: the confidence buffer of the original, which keeps growing, is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from w2s_data.backends.hidden import check_readable, hidden_states, layer_of
from w2s_data.errors import W2SError, out_of_range
from w2s_data.io import Spool
from w2s_data.methods import Count, Share, Stage
from w2s_data.rows import Row, Sample, drop, keep
from w2s_data.steps import probe as probes
from w2s_data.steps.sample import Sampler

Positive = Annotated[float, Field(gt=0)]
Contamination = Annotated[float, Field(ge=0, lt=1)]
Layer = Annotated[int, Field(ge=-1)]
Notes = dict[str, Any]


def soft_labels(rows: Iterable[Row], *, weak: Sampler) -> Iterator[Row]:
    """`xent`: every question with the weak model's soft label."""
    for row in labelled(rows, weak, "weak"):
        yield soft(row, row["weak"])


def next_labels(rows: Iterable[Row], *, student: Sampler) -> Iterator[Row]:
    """`s2s`: every question with the previous student's soft label; any number of rounds."""
    for row in labelled(rows, student, "student"):
        yield soft(row, row["student"])


def window(
    rows: Iterable[Row], *, weak: Sampler, student: Sampler, notes: Notes, radius: str = "midweak"
) -> Iterator[Row]:
    """Keep the questions of which the student is unsure: its larger probability is below
    0.5 + `radius`; with `midweak` below the median of the weak model's."""
    fixed = _radius(radius)
    both = Spool(labelled(labelled(rows, weak, "weak"), student, "student"))
    if fixed is None:
        limit = _quantile((confidence(row["weak"]) for row in both), 0.5)
    else:
        limit = 0.5 + fixed
    notes["window"] = {"student's confidence below": limit}
    for row in both:
        if confidence(row["student"]) < limit:
            yield soft(row, row["weak"])
        else:
            yield drop(row, "window: the student is sure")


def log_confidence(
    rows: Iterable[Row], *, weak: Sampler, student: Sampler, notes: Notes, alpha: Share = 0.5
) -> Iterator[Row]:
    """`logconf`: (1 - `alpha`) times the weak label plus `alpha` times the student's prediction,
    hardened at the label prior: as large a share of the questions is true as the weak labels'
    mean says."""
    both = Spool(labelled(labelled(rows, weak, "weak"), student, "student"))
    prior = math.fsum(row["weak"] for row in both) / max(1, len(both))
    threshold = _quantile((1 - row["student"] for row in both), prior)
    notes["logconf"] = {"label prior": prior, "true from p": 1 - threshold}
    for row in both:
        hard = float(1 - row["student"] < threshold)
        yield soft(row, (1 - alpha) * row["weak"] + alpha * hard)


def entropy(
    rows: Iterable[Row], *, weak: Sampler, student: Sampler, alpha: Share = 0.5
) -> Iterator[Row]:
    """As `logconf` with the student's probability as it is, not hardened."""
    for row in labelled(labelled(rows, weak, "weak"), student, "student"):
        yield soft(row, (1 - alpha) * row["weak"] + alpha * row["student"])


def probe(
    rows: Iterable[Row],
    *,
    weak: Sampler,
    strong: Sampler,
    notes: Notes,
    probe: probes.Probe = "knn",
    use: probes.Use = "relabel",
    contamination: Contamination = 0.1,
    k: Count = 50,
    l2: Positive = 1e-3,
    layer: Layer = -1,
    dtype: Literal["float16", "float32"] = "float16",
    activations: str = "",
) -> Iterator[Row]:
    """A probe on the strong model's hidden states, fitted on the weak labels (`steps/probe.py`).

    `relabel` gives every question the probe's label; `filter` drops the share `contamination` that
    disagrees most with it; `both` filters, fits again and relabels. `k` neighbours for knn and
    topo (its k_cc and k_zeta), `l2` for logreg. The states are those of the prompt's last token
    after `layer` (-1: the middle one). They are written once, as `dtype`, beside the response store
    or to the file `activations`.
    """
    asked = Spool(rows)
    probes.check_size(probe, k, len(asked))
    check_readable(strong.backend)
    chosen = None if layer == -1 else layer
    if not weak.dry_run:
        chosen = layer_of(strong.backend, chosen)
    known = Spool(labelled(asked, weak, "weak"))
    if weak.dry_run:
        yield from (soft(row, row["weak"]) for row in known)
        return
    states = hidden_states(
        strong.backend,
        _Prompts(known),
        activations or strong.store.path.with_name("activations"),
        layer=chosen,
        dtype=dtype,
    )
    kept, labels = probes.clean(
        states,
        [row["weak"] for row in known],
        probe=probe,
        use=use,
        contamination=contamination,
        k=k,
        l2=l2,
    )
    new = dict(zip(kept.tolist(), labels.tolist()))
    turned = sum((new[i] > 0.5) != (row["weak"] > 0.5) for i, row in enumerate(known) if i in new)
    notes["probe"] = {"kept": len(new), "labels turned": turned}
    for number, row in enumerate(known):
        if number in new:
            yield soft(row, new[number])
        else:
            yield drop(row, f"{probe}: disagrees with the weak label")


RUNS: dict[str, Callable[..., Iterator[Row]]] = {
    "xent": soft_labels,
    "window": window,
    "logconf": log_confidence,
    "entropy": entropy,
    "probe": probe,
    "s2s": next_labels,
}
STAGES = {
    name: Stage(run, trains="sft", trained="strong", weights="column:weight")
    for name, run in RUNS.items()
}


class _Prompts:
    """The rows' prompts, any number of times."""

    def __init__(self, rows: Spool):
        self.rows = rows

    def __iter__(self) -> Iterator[str]:
        return (row["prompt"] for row in self.rows)


def labelled(rows: Iterable[Row], model: Sampler, into: str) -> Iterator[Row]:
    """`row | {into: p(true)}`, by the log-probabilities of the row's two choices."""
    for row in model.weigh(rows, into, words):
        yield row | {into: p_true(row[into])}


def words(row: Row) -> tuple[str, ...]:
    """The row's two choices as continuations of its prompt: after a blank, as they are learnt."""
    choices = row.get("choices", ())
    if len(choices) != 2:
        raise W2SError(
            f"question {row['id']!r} has no two choices: take a binary task (w2s-data tasks), for "
            f"instance --task math_right in place of {row['task']}"
        )
    return tuple(f" {choice}" for choice in choices)


def p_true(samples: list[Sample]) -> float:
    """The first choice's probability among the two; a half where they were not weighed."""
    first, second = (sample.get("logprob", 0.0) for sample in samples)
    gap = min(max(second - first, -700.0), 700.0)
    return 1 / (1 + math.exp(gap)) if not math.isnan(gap) else 0.5


def soft(row: Row, p: float) -> Row:
    """The row with the label p(true): an ending for each choice, with its weight."""
    yes, no = words(row)
    return keep(
        row | {"p": p},
        {"response": yes, "weight": p, "p": p},
        {"response": no, "weight": 1 - p, "p": p},
    )


def confidence(p: float) -> float:
    return max(p, 1 - p)


def _radius(radius: str) -> float | None:
    """As a number; None for `midweak`."""
    if radius == "midweak":
        return None
    try:
        value = float(radius)
    except ValueError:
        value = math.nan
    if not 0 < value <= 0.5:
        raise out_of_range("radius", "midweak or a number in (0, 0.5]", radius)
    return value


def _quantile(values: Iterable[float], share: float) -> float:
    """The value below which `share` of them lie, by linear interpolation between neighbours."""
    ordered = sorted(values) or [0.5]
    place = share * (len(ordered) - 1)
    below = min(int(place), len(ordered) - 1)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
