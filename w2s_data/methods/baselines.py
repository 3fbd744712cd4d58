"""The two ends of the scale: a weak floor and a strong ceiling, taught with ground truth.

Collin Burns et al. "Weak-to-Strong Generalization", arXiv 2312.09390, section 3: the performance
gap recovered is (w2s - floor) / (ceiling - floor).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from w2s_data.methods import Stage
from w2s_data.rows import Row, drop, keep


def gold_responses(rows: Iterable[Row], *, gold: Mapping[str, Row]) -> Iterator[Row]:
    """Every question with its gold response in the task's answer format."""
    for row in rows:
        known = gold.get(row["id"])
        if not known or not known["response"]:
            yield drop(row, "no gold response")
        else:
            yield keep(row, {"response": known["response"]})


STAGES = {
    "floor": Stage(gold_responses, trains="sft", split="train_1", trained="weak"),
    "ceiling": Stage(gold_responses, trains="sft", trained="strong"),
}
