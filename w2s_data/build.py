"""Load questions, run a method's stage over them, export what it keeps, account for the rest."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import jsonlines

from w2s_data import card, factory, methods, recipe
from w2s_data.answers import remember
from w2s_data.backends.checkpoint import checkpoint
from w2s_data.errors import W2SError, out_of_range
from w2s_data.inputs import Models, Questions
from w2s_data.io import atomic, dump, locked, sweep, write_json, write_rows
from w2s_data.manifest import Summary, describe
from w2s_data.methods import Stage
from w2s_data.rows import ENDING, Row, Sample
from w2s_data.steps.weights import column, compile_rows, hold_out, weigh
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
    weights: str | None = None,
    copies: int | None = None,
    eval_share: float = 0.0,
    v1: bool = False,
    seed: int = 42,
    dry_run: bool = False,
) -> Summary:
    """Write the set, its dropped rows, its `dataset_info.json` entry, a recipe, a card, a manifest.

    Responses that the store lacks are generated first. Each file appears whole or not at all, the
    manifest last. `template` is LLaMA-Factory's name of the chat template that the models are
    asked with; plain prompts need none.

    `weights` (`steps.weights`; the stage's own by default, "none" for none) compiles each row's
    weight into copies, `copies` rows in all. `eval_share` keeps the rows of that share of the
    prompts apart, in a set of their own that the recipe evaluates on: LLaMA-Factory's val_size
    would evaluate on copies of training rows. `v1` writes the uncopied rows for LLaMA-Factory's v1
    trainer, too (`factory.v1_record`).

    `dry_run` generates and writes nothing. Raises W2SError for a user's mistake, and when no row
    is kept.
    """
    chosen = methods.get(method, stage)
    known = {*methods.roles(chosen), chosen.trained}
    asked_roles = [
        role
        for role in methods.roles(chosen)
        if methods.needs(chosen, role) or role in models.specs
    ]
    models.check(f"{method} {stage}", known, {*asked_roles, chosen.trained})
    models = models.untrained(chosen.untrained, questions.task)
    name = factory.check_name(name or f"{questions.task.name}_{method}_{stage}")
    values = methods.settings(chosen, _seeded(chosen, seed) | dict(settings))
    entry = factory.entry(chosen.trains, format, f"{name}.jsonl")
    trained = models.spec(chosen.trained, questions.task)
    students = {chosen.trained, chosen.untrained}
    if any(models.options_of(role).get("chat") for role in students) != bool(template):
        raise W2SError(
            "chat=true and --template NAME go together: a model is trained on the prompt it is "
            "asked with, and LLaMA-Factory knows its chat template by a name (qwen, llama3, ...)"
        )
    weights = _weights(chosen, weights, copies, v1)
    if not 0 <= eval_share < 1:
        raise out_of_range("eval_share", "in [0, 1)", eval_share)
    training = _recipe(
        name,
        out,
        chosen,
        trained,
        finetuning,
        template or "fewshot",
        seed,
        **(recipe.evaluating(f"{name}_eval") if eval_share else {}),
    )
    summary = Summary(name, questions.place, dry_run)

    with (
        contextlib.nullcontext() if dry_run else _alone(Path(out), name),
        Store(_store(store, dry_run)) as opened,
        remember(opened.memo),
    ):
        samplers = {
            role: models.sampler(role, questions.task, opened, seed=seed, dry_run=dry_run)
            for role in asked_roles
        }
        summary.models = {role: sampler.spec for role, sampler in samplers.items()}
        doors: dict[str, Any] = {"gold": questions.gold()} if methods.sees_gold(chosen) else {}
        if methods.takes(chosen, "notes"):
            doors["notes"] = summary.notes
        asked = summary.counting(questions.rows())
        ended = chosen.run(asked, **samplers, **doors, **values)
        if chosen.weights and not weights:
            unused = column(chosen.weights)[0]
            summary.notes["weights"] = f"not used: every row stands once, whatever its {unused!r}"
        if dry_run:
            deque(summary.ending(ended), maxlen=0)
        else:
            if eval_share:
                ended = hold_out(ended, eval_share, seed)
            places = _places(Path(out), name, bool(eval_share), v1)
            with contextlib.ExitStack() as stack:
                files = {kind: stack.enter_context(atomic(path)) for kind, path in places.items()}
                if weights:
                    ended = _compiled(ended, weights, copies, seed, summary, files.get("v1"))
                _write_rows(summary.ending(ended), summary, files, chosen.trains, format)
            summary.files = {kind: str(path) for kind, path in places.items()}
            factory.register(out, name, entry)
            if eval_share:
                evaluated = factory.entry(chosen.trains, format, f"{name}.eval.jsonl")
                factory.register(out, f"{name}_eval", evaluated)
            path = Path(configs) / f"{name}.yaml"
            recipe.write(path, training, "\n".join(_header(path, weights)))
            arguments: dict[str, Any] = {"method": method, "stage": stage, "settings": values}
            arguments |= {"format": format}
            arguments |= {"weights": weights, "copies": copies} if weights else {}
            arguments |= {"eval_share": eval_share} if eval_share else {}
            arguments |= {"max_tokens": models.max_tokens, "options": dict(models.options)}
            arguments |= {"store": str(store)}
            manifest = Path(out) / f"{name}.manifest.json"
            described = describe(summary, chosen, questions, arguments, samplers, seed)
            about = card.write(out, described)
            write_json(manifest, described)
            info = str(Path(out) / factory.INFO)
            summary.files |= {"info": info, "recipe": str(path), "card": str(about)}
            summary.files |= {"manifest": str(manifest)}
    summary.rounds = [r for sampler in samplers.values() for r in sampler.rounds]
    return summary


@contextlib.contextmanager
def _alone(out: Path, name: str) -> Iterator[None]:
    """No other process builds `name` in `out` meanwhile; what killed ones left is removed."""
    busy = f"another process is building {name} in {out}; wait for it, or choose another --name"
    kinds = ("jsonl", "dropped.jsonl", "eval.jsonl", "v1.jsonl", "README.md", "manifest.json")
    with locked(out / f".{name}.lock", busy):
        for kind in kinds:
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
    models.check("sample", [role], [role])
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


def _weights(stage: Stage, weights: str | None, copies: int | None, v1: bool) -> str:
    """The weights to compile, "" for none; W2SError for what does not go together."""
    weights = stage.weights if weights is None else "" if weights == "none" else weights
    if weights:
        column(weights)
    elif copies is not None or v1:
        raise W2SError("--copies and --v1 need weights: name them with --weights")
    if v1 and stage.trains != "sft":
        raise W2SError(f"LLaMA-Factory's v1 trainer takes SFT rows alone, not {stage.trains}")
    return weights


Files = dict[str, IO[str]]


def _places(out: Path, name: str, evaluated: bool, v1: bool) -> dict[str, Path]:
    """The files of the set's rows, by kind."""
    kinds = ("dropped", *("eval",) * evaluated, *("v1",) * v1)
    return {"set": out / f"{name}.jsonl"} | {k: out / f"{name}.{k}.jsonl" for k in kinds}


def _compiled(
    ended: Iterable[Row],
    weights: str,
    copies: int | None,
    seed: int,
    summary: Summary,
    v1: IO[str] | None,
) -> Iterator[Row]:
    """Rows whose endings stand as often as they weigh; before that, once each, in `v1`."""
    weighed = weigh(ended, weights)
    if v1:
        weighed = _also_v1(weighed, jsonlines.Writer(v1, dumps=dump))
    told = summary.notes["weights"] = {"column": column(weights)[0]}
    return compile_rows(weighed, "column:weight", budget=copies, seed=seed, notes=told)


def _also_v1(rows: Iterable[Row], writer: jsonlines.Writer) -> Iterator[Row]:
    for row in rows:
        for ending in row.get("endings", ()):
            if ending["weight"] and not row.get("held_out"):
                writer.write(factory.v1_record(_finished(row, ending)))
        yield row


def _write_rows(
    ended: Iterable[Row], summary: Summary, files: Files, trains: str, format: str
) -> None:
    writers = {kind: jsonlines.Writer(file, dumps=dump) for kind, file in files.items()}
    for row in ended:
        if "dropped" in row:
            writers["dropped"].write(_story(row))
        for ending in row.get("endings", ()):
            extras = sorted(ending.keys() - ENDING)
            for record in factory.records(_finished(row, ending), trains, format, extras):
                writers["eval" if row.get("held_out") else "set"].write(record)
    if not summary.rows:
        reasons = "; ".join(f"{n} {reason}" for reason, n in summary.dropped.most_common())
        raise W2SError(f"no row is left of {summary.questions}: {reasons or 'no questions'}")
    if "eval" in files and not summary.eval_rows:
        raise W2SError("eval_share keeps no row apart: give a larger share, or more questions")


def _finished(row: Row, ending: Row) -> Row:
    return {"id": row["id"], "prompt": row["prompt"]} | ending


def _header(path: Path, weights: str) -> Iterator[str]:
    yield f"llamafactory-cli train {path}"
    if weights:
        yield "The set holds copies: no val_size, which would evaluate on copies of training rows."


def _story(row: Row) -> Row:
    """A dropped row without the lists, which the store keeps; a single sample is its text."""
    told = {name: _single(value) for name, value in row.items()}
    return {name: value for name, value in told.items() if not isinstance(value, list | tuple)}


def _single(value: Any) -> Any:
    alone = isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict)
    return value[0]["text"] if alone and "text" in value[0] else value


def _recipe(
    name: str,
    out: str | Path,
    stage: Stage,
    spec: str,
    finetuning: str,
    template: str,
    seed: int,
    **overrides: Any,
) -> recipe.Recipe:
    """The recipe that trains `spec`: SFT starts from its base unless the stage goes on, preferences
    start from its adapter."""
    model, adapter = _local(spec)
    from_base = stage.trains == "sft" and not stage.goes_on
    return recipe.recipe(
        stage.trains,
        model=model,
        adapter=None if from_base else adapter,
        dataset=name,
        dataset_dir=str(out),
        output_dir=f"saves/{name}",
        finetuning=finetuning,
        template=template,
        paper=stage.recipe,
        seed=seed,
        **overrides,
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
