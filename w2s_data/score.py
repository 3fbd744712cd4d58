"""The accuracy of a file of responses against ground truth."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from w2s_data import show, tasks
from w2s_data.answers import Classes, classes, extract
from w2s_data.errors import W2SError, out_of_range, unknown
from w2s_data.io import read_rows, write_rows
from w2s_data.rows import Row, digest
from w2s_data.steps.interval import wilson
from w2s_data.tasks import ALIASES as QUESTION_ALIASES
from w2s_data.tasks import Task, judge
from w2s_data.tasks.match import Matcher
from w2s_data.tasks.sources import PROMPTS, RESPONSES, field_of, responses_of

FIELDS = ("id", "question", "prompt", "response", "gold", "level", "subject")


@dataclass(frozen=True)
class Part:
    """Accuracy over some of the questions; `interval` is Wilson's 95 % one.

    With several responses to a question the interval is that of one response each, which is never
    too narrow: responses to one question are no independent trials.
    """

    questions: int
    responses: int
    correct: int
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Score(Part):
    """The score of a file: `Part` over all its questions, and more.

    unparsed: responses that declare no answer; undecided: answers the engine could not compare
    with gold; both count as wrong. accuracy_parsed: over the responses that declare an answer.
    measures: choice and open answers by each measure of `judge.measures`, means over responses.
    unanswered: questions of the split without a response, not counted. pass_at and majority_at:
    by number of samples k, when each question has several.
    """

    unparsed: int
    undecided: int
    unanswered: int
    accuracy_parsed: float
    measures: dict[str, float]
    pass_at: dict[int, float]
    majority_at: dict[int, float]
    by_level: dict[str, Part]
    by_subject: dict[str, Part]


@dataclass
class _Question:
    """One question's gold answer with its other names, kind, options and judged responses."""

    gold: tuple[str, ...]
    level: str | None = None
    subject: str | None = None
    choices: tuple[str, ...] = ()
    measures: list[dict[str, float]] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    right: list[bool] = field(default_factory=list)


def score(
    path: str | Path,
    *,
    task: Task,
    split: str = "test",
    source: str = "bundled",
    file: str | Path | None = None,
    question_fields: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
    ks: Sequence[int] | None = None,
    compat: str | None = None,
    out: str | Path | None = None,
) -> Score:
    """Score the responses in `path` (jsonl, json, csv, parquet) with the task's rule.

    A row is one response, or a list of them, to a question known by its `id`, else by its
    `question` text, else by its `prompt` (the template's last question; few-shot prompts, chat
    messages and LLaMA-Factory's generated_predictions.jsonl are understood). `fields` maps FIELDS
    to the file's. Ground truth is `tasks.gold` of split, source, file and `question_fields`; or,
    when `fields` maps `gold`, what the rows themselves hold. `ks` are the k of pass@k and
    majority@k: 1, 2, 4, ... and all by default. `compat` compares the published strings. `out` is
    a jsonl file for the verdicts, one row per response: id, sample, answer, right.
    Raises W2SError for rows that match no question, with their number.
    """
    names = dict(fields or {})
    for name in names.keys() - set(FIELDS):
        raise unknown("field", name, FIELDS)
    questions: Asked = {}
    matcher = None
    if "gold" not in names:
        questions, matcher = _of_split(task, split, source, file, question_fields)
    _read(path, task, names, questions, matcher, compat)
    asked = [question for question in questions.values() if question.answers]
    undecided = _judge(task, asked, compat)
    if out:
        write_rows(out, _verdicts(questions))
    samples = min(len(question.answers) for question in asked)
    unparsed = sum(not answer for question in asked for answer in question.answers)
    part = _part(asked)
    counted = _ks(ks, samples)
    return Score(
        **vars(part),
        unparsed=unparsed,
        undecided=undecided,
        unanswered=len(questions) - len(asked),
        accuracy_parsed=part.correct / max(1, part.responses - unparsed),
        measures=_measured(asked),
        pass_at={k: _mean(pass_at(len(q.right), sum(q.right), k) for q in asked) for k in counted},
        majority_at=_majorities(asked, counted, compat),
        by_level=_by(asked, "level"),
        by_subject=_by(asked, "subject"),
    )


def facts(score: Score) -> dict[str, Any]:
    """The score as names and values for a person."""
    found: dict[str, Any] = {"accuracy": _share(score)}
    for name in ("questions", "responses", "correct", "unparsed", "undecided", "unanswered"):
        found[name] = getattr(score, name)
    if score.unparsed:
        found["accuracy of parsed"] = f"{score.accuracy_parsed:.3f}"
    found |= {name: f"{value:.3f}" for name, value in score.measures.items()}
    found |= {f"pass@{k}": f"{value:.3f}" for k, value in score.pass_at.items()}
    found |= {f"majority@{k}": f"{value:.3f}" for k, value in score.majority_at.items()}
    found |= {f"level {name}": _share(part) for name, part in score.by_level.items()}
    return found | {name: _share(part) for name, part in score.by_subject.items()}


def _share(part: Part) -> str:
    low, high = part.interval
    return f"{part.accuracy:.3f} ({low:.3f}-{high:.3f}) of {part.questions:,}"


def pass_at(n: int, correct: int, k: int) -> float:
    """Unbiased pass@k from n samples of which some are correct (Chen et al. 2021, section 2.1)."""
    if not 1 <= k <= n:
        raise out_of_range("k", f"in [1, {n}]", k)
    return 1 - math.comb(n - correct, k) / math.comb(n, k)


def majority_at(found: Classes, right: Sequence[bool], k: int) -> float:
    """How often the majority of k samples is right: the mean over the disjoint runs of k samples.

    `found` are the classes of all answers, `right` which are correct. At k = n this is the usual
    majority vote; the first run alone is the convention that takes the first k. A sample without
    an answer has no vote; equal counts go to the smaller key, as in `answers.vote`.
    """
    if not 1 <= k <= len(right):
        raise out_of_range("k", f"in [1, {len(right)}]", k)
    group = {index: i for i, members in enumerate(found.groups) for index in members}
    wins = []
    for start in range(0, len(right) - k + 1, k):
        run = range(start, start + k)
        votes = Counter(group[index] for index in run if index in group)
        best = min(votes, key=lambda i: (-votes[i], found.keys[i]), default=None)
        wins.append(any(right[index] for index in run if group.get(index, -1) == best))
    return _mean(wins)


Asked = dict[str, _Question]


def _of_split(
    task: Task,
    split: str,
    source: str,
    file: str | Path | None,
    names: Mapping[str, str] | None,
) -> tuple[Asked, Matcher]:
    """The split's questions by id, and what finds the one that a row answers."""
    origin: dict[str, Any] = {"source": source, "file": file, "fields": names}
    gold = tasks.gold(task, split, **origin)
    rows = list(tasks.questions(task, split, **origin))
    questions = {
        row["id"]: _question(
            judge.names(gold[row["id"]]), row["meta"], tuple(row.get("choices", ()))
        )
        for row in rows
    }
    return questions, Matcher(task, rows, str(file or f"{task.name}/{split}"))


def _of_row(task: Task, row: Row, questions: Asked, where: str) -> str:
    """The key of a row that brings its own gold answer; its question is added when it is new."""
    gold = row.get("gold")
    if not isinstance(gold, str | int | float) or not str(gold).strip():
        raise W2SError(f"{where}: gold must be a non-empty string, was: {gold!r}")
    asked = next((row[name] for name in ("id", "question", "prompt") if name in row), None)
    if asked is None:
        raise W2SError(f"{where}: no id, question or prompt says which question this answers")
    found = extract(task.rule, str(gold)) if task.answer_key in str(gold) else None
    question = _question((found.answer if found else str(gold),), row)
    key = digest(str(asked))
    if questions.setdefault(key, question).gold != question.gold:
        raise W2SError(f"{where}: this question had another gold answer in an earlier row")
    return key


def _question(gold: tuple[str, ...], row: Row, choices: tuple[str, ...] = ()) -> _Question:
    return _Question(gold, _kind(row, "level"), _kind(row, "subject"), choices)


def _kind(row: Row, name: str) -> str | None:
    return None if row.get(name) is None else str(row[name])


def _read(
    path: str | Path,
    task: Task,
    names: Mapping[str, str],
    questions: Asked,
    matcher: Matcher | None,
    compat: str | None,
) -> None:
    """Add each response's answer to its question."""
    rows, lost, first_lost = sum(1 for _ in read_rows(path)), 0, ""
    with show.progress("score", rows) as advance:
        for line, record in read_rows(path):
            advance(1)
            where = f"{path}:{line}"
            texts, row = responses_of(record, where, names), _named(record, where, names)
            key = matcher.find(row, where) if matcher else _of_row(task, row, questions, where)
            if key is None:
                lost, first_lost = lost + 1, first_lost or where
                continue
            one = questions[key]
            one.answers += [judge.declared(task, t, one.choices, compat=compat) for t in texts]
            one.measures += [judge.measures(task, t, one.gold, one.choices) for t in texts]
    if not rows:
        raise W2SError(f"{path}: no responses in this file")
    if matcher and lost:
        raise W2SError(
            f"{path}: {lost:,} of {rows:,} rows match no question of {matcher.place} by id, "
            f"question or prompt (the first: {first_lost}); choose the split they answer, or map "
            "the fields with --field"
        )


def _named(row: Row, where: str, names: Mapping[str, str]) -> Row:
    aliases = QUESTION_ALIASES | {"prompt": PROMPTS, "response": RESPONSES, "gold": ()}
    keys = {name: field_of(row, where, name, names, aliases[name]) for name in FIELDS}
    return {name: row[key] for name, key in keys.items() if key is not None}


def _judge(task: Task, asked: list[_Question], compat: str | None) -> int:
    """Compare each answer with gold, each distinct pair once; returns how many stay undecided."""
    pairs = sorted({(answer, q.gold) for q in asked for answer in q.answers if answer})
    kinds = {}
    with show.progress("compare", len(pairs)) as advance:
        for pair in pairs:
            kinds[pair] = judge.compare(task, *pair, compat=compat)
            advance(1)
    undecided = 0
    for question in asked:
        found = [kinds[answer, question.gold] if answer else "" for answer in question.answers]
        question.right = [kind == "equal" for kind in found]
        undecided += found.count("undecided")
    return undecided


def _measured(asked: list[_Question]) -> dict[str, float]:
    """The mean of each measure over the responses."""
    found = [measures for question in asked for measures in question.measures]
    return {name: _mean(one[name] for one in found) for name in found[0]}


def _verdicts(questions: Asked) -> Iterator[Row]:
    for key, question in questions.items():
        for sample, (answer, right) in enumerate(zip(question.answers, question.right)):
            yield {"id": key, "sample": sample, "answer": answer, "right": right}


def _part(asked: list[_Question]) -> Part:
    responses = sum(len(question.right) for question in asked)
    correct = sum(sum(question.right) for question in asked)
    accuracy = correct / responses
    return Part(len(asked), responses, correct, accuracy, wilson(accuracy, len(asked)))


def _by(asked: list[_Question], kind: str) -> dict[str, Part]:
    groups: dict[str, list[_Question]] = defaultdict(list)
    for question in asked:
        if (name := getattr(question, kind)) is not None:
            groups[name].append(question)
    return {name: _part(groups[name]) for name in sorted(groups)}


def _ks(ks: Sequence[int] | None, samples: int) -> list[int]:
    """The k to report: those asked for, else powers of two and all of several samples."""
    if ks is None:
        doublings = [2**i for i in range(samples.bit_length())]
        return sorted({*doublings, samples}) if samples > 1 else []
    for k in ks:
        if not 1 <= k <= samples:
            raise out_of_range("k", f"in [1, {samples}] (the fewest responses to a question)", k)
    return sorted(set(ks))


def _majorities(asked: list[_Question], ks: list[int], compat: str | None) -> dict[int, float]:
    won: dict[int, list[float]] = {k: [] for k in ks}
    for question in asked if ks else ():
        found = classes(question.answers, compat=compat)
        for k in ks:
            won[k].append(majority_at(found, question.right, k))
    return {k: _mean(values) for k, values in won.items()}


def _mean(values: Any) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)
