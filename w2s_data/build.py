"""Load questions, run a method's stage over them, export what it keeps, account for the rest."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonlines

from w2s_data import factory, methods, recipe
from w2s_data.backends.checkpoint import checkpoint
from w2s_data.errors import W2SError, unknown
from w2s_data.inputs import Models, Questions
from w2s_data.io import atomic, dump, locked, sweep, write_json, write_rows
from w2s_data.manifest import Summary, describe
from w2s_data.methods import Stage
from w2s_data.rows import ENDING, Row, Sample
from w2s_data.store import STORE, Store


def build(
    questions: Questions,
    models: Models,
    *,
    method: str = "reasoning",
    stage: str = "sft",
    settings: Mapping[str, Any] = {},
    name: str | None = None,
    out: str | Path = "data",
    configs: str | Path = "factory_configs",
    store: str | Path = STORE,
    format: str = "alpaca",
    finetuning: str = "lora",
    template: str | None = None,
    seed: int = 42,
    dry_run: bool = False,
) -> Summary:
    """Write the set, its dropped rows, its `dataset_info.json` entry, a recipe and a manifest.

    Responses that the store lacks are generated first. Each file appears whole or not at all, the
    manifest last. `template` is LLaMA-Factory's name of the chat template that the models are
    asked with; plain prompts need none. `dry_run` generates and writes nothing. Raises W2SError
    for a user's mistake, and when no row is kept.
    """
    chosen = methods.get(method, stage)
    known = {*methods.roles(chosen), chosen.trained}
    for role in models.specs.keys() - known:
        raise unknown(f"role of {method} {stage}", role, known)
    name = factory.check_name(name or f"{questions.task.name}_{method}_{stage}")
    values = methods.settings(chosen, _seeded(chosen, seed) | dict(settings))
    entry = factory.entry(chosen.trains, format, f"{name}.jsonl")
    trained = models.spec(chosen.trained, questions.task)
    if bool(models.options.get("chat")) != bool(template):
        raise W2SError(
            "chat=true and --template NAME go together: a model is trained on the prompt it is "
            "asked with, and LLaMA-Factory knows its chat template by a name (qwen, llama3, ...)"
        )
    training = _recipe(name, out, chosen, trained, finetuning, template or "fewshot", seed)
    summary = Summary(name, questions.place, dry_run)

    with (
        contextlib.nullcontext() if dry_run else _alone(Path(out), name),
        Store(_store(store, dry_run)) as opened,
    ):
        samplers = {
            role: models.sampler(role, questions.task, opened, seed=seed, dry_run=dry_run)
            for role in methods.roles(chosen)
            if methods.needs(chosen, role) or role in models.specs
        }
        summary.models = {role: sampler.spec for role, sampler in samplers.items()}
        doors: dict[str, Any] = {"gold": questions.gold()} if methods.sees_gold(chosen) else {}
        if methods.takes(chosen, "notes"):
            doors["notes"] = summary.notes
        asked = summary.counting(questions.rows())
        ended = summary.ending(chosen.run(asked, **samplers, **doors, **values))
        if dry_run:
            deque(ended, maxlen=0)
        else:
            _write_rows(ended, summary, Path(out), chosen.trains, format)
            factory.register(out, name, entry)
            path = Path(configs) / f"{name}.yaml"
            recipe.write(path, training, f"llamafactory-cli train {path}")
            arguments = {"method": method, "stage": stage, "settings": values, "format": format}
            arguments |= {"max_tokens": models.max_tokens, "options": dict(models.options)}
            arguments |= {"store": str(store)}
            manifest = Path(out) / f"{name}.manifest.json"
            write_json(manifest, describe(summary, chosen, questions, arguments, samplers, seed))
            info = str(Path(out) / factory.INFO)
            summary.files |= {"info": info, "recipe": str(path), "manifest": str(manifest)}
    summary.rounds = [r for sampler in samplers.values() for r in sampler.rounds]
    return summary


@contextlib.contextmanager
def _alone(out: Path, name: str) -> Iterator[None]:
    """No other process builds `name` in `out` meanwhile; what killed ones left is removed."""
    busy = f"another process is building {name} in {out}; wait for it, or choose another --name"
    with locked(out / f".{name}.lock", busy):
        for kind in ("jsonl", "dropped.jsonl", "manifest.json"):
            sweep(out, f"{name}.{kind}")
        yield


def sample(
    questions: Questions,
    models: Models,
    role: str = "model",
    *,
    n: int = 1,
    temperature: float = 0.0,
    top_p: float = 1.0,
    out: str | Path | None = None,
    store: str | Path = STORE,
    seed: int = 42,
    dry_run: bool = False,
) -> Summary:
    """Ask the role's model each question n times, zero-shot, into the store; with `out` into a
    jsonl file, too, one row per response: id, question, prompt, response, sample."""
    summary = Summary("responses", questions.place, dry_run)
    with Store(_store(store, dry_run)) as opened:
        sampler = models.sampler(role, questions.task, opened, seed=seed, dry_run=dry_run)
        asked = summary.counting(questions.rows())
        rows = sampler(asked, "samples", n=n, temperature=temperature, top_p=top_p)
        responses = (_response(row, sample) for row in rows for sample in row["samples"])
        if out and not dry_run:
            summary.rows = write_rows(out, responses)
            summary.files = {"responses": str(out)}
        else:
            summary.rows = sum(1 for _ in responses)
    summary.kept = summary.questions
    summary.models = {role: sampler.spec}
    summary.rounds = sampler.rounds
    return summary


def _response(row: Row, sample: Sample) -> Row:
    kept = {name: row[name] for name in ("id", "question", "prompt")}
    return kept | {"response": sample["text"], "sample": sample["index"]}


def _store(path: str | Path, dry_run: bool) -> str | Path:
    """A dry run makes no store."""
    return ":memory:" if dry_run and not Path(path).exists() else path


def _seeded(stage: Stage, seed: int) -> dict[str, Any]:
    return {"seed": seed} if "seed" in methods.parameters(stage) else {}


def _write_rows(
    ended: Iterable[Row], summary: Summary, out: Path, trains: str, format: str
) -> None:
    kept, dropped = out / f"{summary.name}.jsonl", out / f"{summary.name}.dropped.jsonl"
    with atomic(dropped) as lost, atomic(kept) as exported:
        dropping = jsonlines.Writer(lost, dumps=dump)
        exporting = jsonlines.Writer(exported, dumps=dump)
        for row in ended:
            if "dropped" in row:
                dropping.write(_story(row))
            for ending in row.get("endings", ()):
                finished = {"id": row["id"], "prompt": row["prompt"]} | ending
                extras = sorted(ending.keys() - ENDING)
                for record in factory.records(finished, trains, format, extras):
                    exporting.write(record)
        if not summary.rows:
            reasons = "; ".join(f"{n} {reason}" for reason, n in summary.dropped.most_common())
            raise W2SError(f"no row is left of {summary.questions}: {reasons or 'no questions'}")
    summary.files = {"set": str(kept), "dropped": str(dropped)}


def _story(row: Row) -> Row:
    """A dropped row without what the store keeps."""
    return {name: value for name, value in row.items() if not isinstance(value, list | tuple)}


def _recipe(
    name: str,
    out: str | Path,
    stage: Stage,
    spec: str,
    finetuning: str,
    template: str,
    seed: int,
) -> recipe.Recipe:
    """The recipe that trains `spec`: SFT starts from its base, preferences from its adapter."""
    model, adapter = _local(spec)
    return recipe.recipe(
        stage.trains,
        model=model,
        adapter=None if stage.trains == "sft" else adapter,
        dataset=name,
        dataset_dir=str(out),
        output_dir=f"saves/{name}",
        finetuning=finetuning,
        template=template,
        seed=seed,
    )


def _local(spec: str) -> tuple[str, str | None]:
    """Model and adapter as LLaMA-Factory takes them."""
    kind, _, target = spec.partition(":")
    if kind not in ("hf", "vllm"):
        return target.partition("@")[0], None
    found = checkpoint(target)
    return _near(found.name), _near(found.adapter.name) if found.adapter else None


def _near(path: str) -> str:
    """A folder below the working folder relative to it, so that the recipe reads the same
    wherever that lies."""
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
