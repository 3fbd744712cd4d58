"""What a build will cost and keep, before it is run.

A dry pass over all questions counts the calls and what the store has. Then the stage really runs on
a seeded sample of the questions that lack responses: that measures speed and lengths, and shows
what it keeps. Those responses go to the store, where the build finds them.
"""

from __future__ import annotations

import heapq
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Literal

from w2s_data.backends.checkpoint import checkpoint
from w2s_data.build import build
from w2s_data.errors import W2SError, out_of_range
from w2s_data.gauge import Gauge, Note
from w2s_data.inputs import Models, Questions
from w2s_data.manifest import Summary
from w2s_data.rows import Row, digest
from w2s_data.steps.interval import wilson
from w2s_data.store import STORE, Store

Mode = Literal["dry", "stored", "real"]


@dataclass(frozen=True)
class Round:
    """One round of generation.

    asked: responses in all; missing: those the store lacks now. exact: False where the prompts
    hang on earlier answers: the counts are then the probe's, scaled, and none of the probe's own
    responses is taken for reusable. prompt_tokens, output_tokens: still to be read and written, by
    the probe's means. seconds: None where the probe measured nothing. gpus: None where a server
    has them.
    """

    role: str
    model: str
    round: str
    asked: int
    missing: int
    exact: bool
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    seconds: float | None = None
    gpus: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a build will do.

    probed, generated: questions and responses of the probe. kept, rows: what the build will keep,
    `interval` Wilson's 95 % one for kept; None without a probe that came to its end. endings: what
    became of the probed questions. problem: what stopped the probe. hours, gpu_hours: still to
    come; None where a round's are not known.
    """

    name: str
    questions: int
    rounds: list[Round]
    probed: int
    generated: int
    kept: float | None
    interval: tuple[float, float] | None
    rows: float | None
    endings: dict[str, int]
    problem: str
    hours: float | None
    gpu_hours: float | None


def plan(
    questions: Questions,
    models: Models,
    *,
    probe: int = 32,
    gpus: int | None = None,
    store: str | Path = STORE,
    seed: int = 42,
    **arguments: Any,
) -> Plan:
    """Plan the build of these arguments (`build.build`).

    `probe` questions are really asked, up to four times as many where the stage cannot do with
    fewer; 0 asks none, and predicts neither time nor rows. `gpus` is the number that each model
    runs on, in place of what its options say. Raises W2SError as the build would.
    """
    if probe < 0:
        raise out_of_range("probe", ">= 0", probe)

    def run(asked: Questions, mode: Mode, notes: list[Note], keyed: bool = False) -> Summary:
        how: dict[str, Any] = {"remember": 4 * probe, "keyed": keyed}
        how["store_only"] = mode == "stored"
        gauge = partial(Gauge, notes=notes, **how)
        asking = _Gauged(**_values(models), gauge=gauge, dry=mode == "dry")
        return build(asked, asking, store=store, seed=seed, dry_run=True, **arguments)

    everything, real = list[Note](), list[Note]()
    summary = run(questions, "dry", everything)
    missing = any(note.missing for note in everything)
    if not missing or not probe:
        rounds = [_round(note, None, None, 1.0, gpus, models) for note in everything]
        return _planned(summary, rounds, None if missing else run(questions, "stored", []), "")

    lacking = [row_id for note in everything for _, row_id in note.lacking]
    for many in (probe, 2 * probe, 4 * probe, probe):
        some = _Some(**_values(questions), ids=_drawn(questions, lacking, many))
        dry, too_few = list[Note](), ""
        try:
            run(some, "dry", dry, keyed=True)
            break
        except W2SError:  # of so few questions alone: the dry run of all has ended
            too_few = "; a larger --probe may do"
    Store(store).close()  # so that the probe's responses have a place to stay
    problem, found = "", None
    try:
        found = run(some, "real", real, keyed=True)
    except W2SError as error:
        problem = f"{error}{too_few}"
        if not any(note.generated for note in real):
            raise W2SError(problem) from None
    rounds = list(_rounds(everything, dry, real, summary.questions / len(some.ids), gpus, models))
    return _planned(summary, rounds, found, problem, len(some.ids), real)


@dataclass(frozen=True)
class _Gauged(Models):
    """Models that are measured; unless `dry` they answer although the build runs dry."""

    gauge: Any = Gauge
    dry: bool = True

    def sampler(self, *asked: Any, dry_run: bool = False, make: Any = None, **how: Any) -> Any:
        return super().sampler(*asked, dry_run=self.dry, make=self.gauge, **how)


@dataclass(frozen=True)
class _Some(Questions):
    """Some of the questions."""

    ids: frozenset[str] = frozenset()

    def rows(self) -> Iterator[Row]:
        return (row for row in super().rows() if row["id"] in self.ids)


def _values(record: Any) -> dict[str, Any]:
    return {one.name: getattr(record, one.name) for one in fields(record)}


def _drawn(questions: Questions, lacking: list[str], probe: int) -> frozenset[str]:
    """Questions among those that lack responses; a variation's or a subtask's id starts with its
    question's."""
    roots = {root for i in lacking for root in (i, i.partition("#")[0], i.rpartition("/")[0])}
    there = (row["id"] for row in questions.rows() if row["id"] in roots)
    return frozenset(heapq.nsmallest(probe, there, key=lambda row_id: digest("plan", row_id)))


def _rounds(
    everything: list[Note],
    dry: list[Note],
    real: list[Note],
    scale: float,
    gpus: int | None,
    models: Models,
) -> Iterator[Round]:
    """The rounds that really came, each with its counterparts in the dry passes."""
    counted, tried = _named(everything), _named(dry)
    for name, note in _named(real).items():
        same = name in counted and name in tried and tried[name].keys == note.keys
        yield _round(counted[name] if same else None, note, real, scale, gpus, models)


def _named(notes: list[Note]) -> dict[tuple[str, str, int], Note]:
    """Notes by role, by what they fill and, where both come again, by which time it is."""
    seen = Counter[tuple[str, str]]()
    named = {}
    for note in notes:
        seen[note.role, note.into] += 1
        named[note.role, note.into, seen[note.role, note.into]] = note
    return named


def _round(
    counted: Note | None,
    probed: Note | None,
    real: list[Note] | None,
    scale: float,
    gpus: int | None,
    models: Models,
) -> Round:
    """The round as it was `counted` over all questions, or else as it was `probed`, scaled."""
    known = counted or probed
    assert known is not None
    names = (known.role, known.model, known.into)
    gpus = _gpus(known.model, models.options_of(known.role)) if gpus is None else gpus
    if probed is None:
        seconds = None if known.missing else 0.0
        return Round(
            *names, known.asked, known.missing, not known.missing, seconds=seconds, gpus=gpus
        )
    if counted:
        asked, missing = counted.asked, counted.missing - probed.generated
        characters = float(counted.characters - probed.characters)
    else:
        asked, missing = round(probed.asked * scale), round(probed.missing * scale)
        characters = probed.characters * scale
    if scale == 1:
        missing, characters = 0, 0.0
    density = _density(probed, real or [])
    return Round(
        *names,
        asked,
        missing,
        counted is not None,
        round(characters / density) if density else None,
        round(missing * probed.tokens / probed.samples) if probed.tokens else None,
        _seconds(missing, probed, real or []),
        gpus,
    )


def _density(probed: Note, real: list[Note]) -> float:
    """Characters that a token of a prompt has, 0 where nothing tells: by the model's tokenizer
    where it lies here, else by what the model wrote."""
    kind, _, target = probed.model.partition(":")
    if kind in ("hf", "vllm") and probed.examples:
        with suppress(ImportError, OSError, ValueError, W2SError):
            from transformers import AutoTokenizer

            found = checkpoint(target)
            tokenizer = AutoTokenizer.from_pretrained(
                found.name, revision=found.revision, local_files_only=True
            )
            tokens = sum(len(tokenizer(prompt)["input_ids"]) for prompt in probed.examples)
            return sum(map(len, probed.examples)) / max(1, tokens)
    written = [note for note in real if note.model == probed.model]
    return sum(note.texts for note in written) / max(1, sum(note.tokens for note in written))


def _seconds(missing: int, probed: Note, real: list[Note]) -> float | None:
    """By the round's own speed; by the model's in another round, token for token, without one."""
    if not missing:
        return 0.0
    if probed.generated:
        return probed.load + missing * probed.seconds / probed.generated
    for note in real:
        if note.model == probed.model and note.generated and note.tokens and probed.samples:
            tokens = missing * probed.tokens / probed.samples
            written = note.generated * note.tokens / note.samples
            return note.load + tokens * note.seconds / written
    return None


def _gpus(spec: str, options: Mapping[str, Any]) -> int | None:
    """How many GPUs a model runs on here."""
    kind = spec.partition(":")[0]
    if kind == "vllm":
        split = (options.get(f"{way}_parallel_size", 1) for way in ("tensor", "pipeline"))
        return int(next(split)) * int(next(split))
    if kind == "hf":
        torch = sys.modules.get("torch")
        on_cpu = options.get("device") == "cpu" or not (torch and torch.cuda.is_available())
        return 0 if on_cpu else 1
    return 0 if kind == "replay" else None


def _planned(
    summary: Summary,
    rounds: list[Round],
    found: Summary | None,
    problem: str,
    probed: int = 0,
    real: list[Note] | None = None,
) -> Plan:
    kept = interval = rows = None
    if found:
        scale = summary.questions / max(1, found.questions)
        kept, rows = found.kept * scale, found.rows * scale
        low, high = wilson(found.kept / max(1, found.questions), max(1, found.questions))
        exact = found.questions == summary.questions
        interval = (kept, kept) if exact else (low * summary.questions, high * summary.questions)
    seconds = [one.seconds for one in rounds]
    spent = [
        None if one.seconds is None or one.gpus is None else one.seconds * one.gpus
        for one in rounds
    ]
    return Plan(
        summary.name,
        summary.questions,
        rounds,
        probed,
        sum(note.generated for note in real or ()),
        kept,
        interval,
        rows,
        {"kept": found.kept, **found.dropped} if found else {},
        problem,
        _hours(seconds),
        _hours(spent),
    )


def _hours(seconds: list[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return sum(known) / 3600 if len(known) == len(seconds) else None


def facts(found: Plan) -> dict[str, Any]:
    """The plan as names and values for a person."""
    told: dict[str, Any] = {"questions": found.questions}
    if found.probed:
        told["probed"] = f"{found.probed:,} questions, {found.generated:,} responses, now stored"
    for one in found.rounds:
        stored = 1 - one.missing / one.asked if one.asked else 1.0
        about = "" if one.exact else "about "
        calls = f"{about}{one.asked:,} responses, {stored:.0%} in store, {one.missing:,} to come"
        told[f"{one.role}: {one.round}"] = "\n".join([calls, *_costs(one)])
    if found.hours is not None:
        told["time"] = _time(found.hours)
    if found.gpu_hours:
        told["GPU hours"] = f"{found.gpu_hours:.2f}"
    if found.kept is not None and found.interval and found.rows is not None:
        low, high = found.interval
        sure = "" if low == high else f" ({low:,.0f} to {high:,.0f}, 95 %)"
        told["will be kept"] = f"{found.kept:,.0f} of {found.questions:,} questions{sure}"
        told["rows"] = f"{'' if low == high else 'about '}{found.rows:,.0f}"
    endings = sorted(found.endings.items(), key=lambda ending: -ending[1])
    if found.probed and endings:
        told["of the probed"] = "\n".join(f"{count:,} {reason}" for reason, count in endings)
    return told | ({"the probe stopped": found.problem} if found.problem else {})


def _costs(one: Round) -> Iterator[str]:
    if one.missing and one.prompt_tokens is not None and one.output_tokens is not None:
        yield f"about {one.prompt_tokens:,} prompt and {one.output_tokens:,} output tokens"
    if one.missing:
        yield "time not measured" if one.seconds is None else _time(one.seconds / 3600)


def _time(hours: float) -> str:
    if hours >= 1:
        return f"{hours:.1f} hours"
    return f"{60 * hours:.1f} minutes" if hours >= 1 / 60 else f"{3600 * hours:.0f} seconds"
