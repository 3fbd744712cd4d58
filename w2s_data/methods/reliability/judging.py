"""Answers to the variations of a question -> its uncertainty, and the score of each answer."""

from __future__ import annotations

from w2s_data.answers import classes
from w2s_data.errors import W2SError
from w2s_data.io import read_rows
from w2s_data.rows import Row, drop, keep
from w2s_data.steps import uncertainty, vary
from w2s_data.steps.tidy import tidy
from w2s_data.tasks import Task, judge


def judged(
    row: Row,
    task: Task,
    unreadable: str,
    by: str,
    heat: float,
    curve: uncertainty.Curve | None = None,
) -> Row:
    """The row kept with an ending for each readable answer, and its uncertainty; or dropped.

    `heat` is the softmax temperature of the score, 0 for the plain share; `curve` calibrates it.
    """
    if "dropped" in row:
        return row
    ways = row["ways"]
    samples = [way["weak"][0] for way in ways]
    answers = [vary.original(way, task, s["text"]) for way, s in zip(ways, samples)]
    groups = [list(group) for group in _groups(answers, task)]
    silent = sorted(set(range(len(answers))).difference(*groups))
    row = {name: value for name, value in row.items() if name != "ways"}
    row |= {"answers": answers, "unreadable": len(silent)}
    if not groups:
        return drop(row, "weak: no readable answer")
    majority = {"answer": answers[groups[0][0]]}
    if silent and _drops(unreadable, task):
        return drop(row | majority, "weak: an unreadable answer")
    groups += [silent] if silent else []

    logs = [sample["logprob"] for sample in samples if "logprob" in sample]
    known = uncertainty.entropies(groups, logs if len(logs) == len(samples) else None)
    if by not in known:
        raise W2SError(f"by={by} needs log-probabilities: add --set logprobs=true")
    parts = uncertainty.shares(groups)
    scores = uncertainty.softmax_scores(groups, heat) if heat else parts
    if curve:
        scores = {i: uncertainty.calibrated(part, curve) for i, part in parts.items()}
    row = row | known | majority | {"share": parts[groups[0][0]], "score": scores[groups[0][0]]}
    return keep(
        row,
        *(
            {"prompt": way["prompt"], "response": tidy(sample["text"], task), "answer": answer}
            | ({"choices": way["choices"]} if "choices" in way else {})
            | {"variation": k, "share": parts[k], "score": scores[k]}
            | known
            for k, (way, sample, answer) in enumerate(zip(ways, samples, answers))
            if k not in silent
        ),
    )


def _groups(answers: list[str | None], task: Task) -> list[tuple[int, ...]]:
    """Classes of equal answers, the largest first: letters and verdicts as they are."""
    if judge.kind(task) == "value" and task.rule != "ethics":
        return list(classes(answers).groups)
    same: dict[str, list[int]] = {}
    for i, answer in enumerate(answers):
        if answer:
            same.setdefault(answer.strip().casefold(), []).append(i)
    ordered = sorted(same, key=lambda name: (-len(same[name]), name))
    return [tuple(same[name]) for name in ordered]


def _drops(unreadable: str, task: Task) -> bool:
    closed = judge.kind(task) == "choice" or task.rule == "ethics"
    return unreadable == "drop" or (unreadable == "auto" and not closed)


def curve_of(path: str) -> uncertainty.Curve:
    """The calibration curve of a file's rows, with their `share` and `correct`."""
    if not path:
        raise W2SError(
            "score=calibrated needs --set calibration=FILE: build one with --stage calibrate"
        )
    points = []
    for line, row in read_rows(path):
        share, correct = row.get("share"), row.get("correct")
        if not isinstance(share, int | float) or not isinstance(correct, bool):
            raise W2SError(f"{path}:{line}: expected a number share and a true or false correct")
        points.append((float(share), float(correct)))
    if not points:
        raise W2SError(f"{path}: no rows to calibrate with")
    return uncertainty.calibration(points)
