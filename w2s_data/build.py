"""Load questions, run a method's stage over them, export what it keeps, account for the rest."""

from __future__ import annotations

import contextlib
import hashlib
import shlex
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonlines

from w2s_data import __version__, factory, methods, recipe, tasks
from w2s_data.backends.checkpoint import checkpoint
from w2s_data.errors import W2SError, unknown
from w2s_data.io import atomic, dump, file_hash, locked, sweep, write_json, write_rows
from w2s_data.methods import Stage
from w2s_data.prompts import render
from w2s_data.rows import ENDING, Row, Sample
from w2s_data.steps.sample import Round, Sampler
from w2s_data.store import Store
from w2s_data.tasks import Gold, Task

STORE = "data/responses.sqlite"


@dataclass(frozen=True)
class Questions:
    """Where the questions come from; ground truth comes from the same place, through `gold`."""

    task: Task
    split: str = "train_2"
    source: str = "bundled"
    file: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None

    @property
    def place(self) -> str:
        """Where they come from, in words."""
        return self.file or f"{self.task.name} {self.split}, {self.source}"

    def rows(self) -> Iterator[Row]:
        """Questions without ground truth, each with the prompt that asks it zero-shot."""
        for row in tasks.questions(self.task, limit=self.limit, **self._place()):
            yield row | {"prompt": render(self.task.prompt, question=row["question"])}

    def gold(self) -> dict[str, Gold]:
        """Ground truth by id."""
        return tasks.gold(self.task, **self._place())

    def _place(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("split", "source", "file", "fields")}


@dataclass(frozen=True)
class Models:
    """Which model plays each role (the task's own by default), and how all of them are asked."""

    specs: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def spec(self, role: str, task: Task) -> str:
        """The role's model."""
        if role in self.specs:
            return self.specs[role]
        if role in task.roles:
            return task.roles[role]
        raise W2SError(
            f"task {task.name!r} names no model for the role {role!r}: add --role {role}=hf:MODEL"
        )

    def sampler(
        self, role: str, task: Task, store: Store, *, seed: int, dry_run: bool = False
    ) -> Sampler:
        """The role's model, ready to be asked."""
        return Sampler(
            role,
            self.spec(role, task),
            task,
            store,
            seed=seed,
            max_tokens=self.max_tokens,
            dry_run=dry_run,
            options=dict(self.options),
        )


@dataclass
class Summary:
    """What a build did: questions = kept + the sum of `dropped`; a kept one may give several rows.

    `models` are the specs by role, `rounds` the rounds of generation, `files` the paths of
    set, dropped, info, recipe and manifest.
    """

    name: str
    asked: str
    dry_run: bool = False
    questions: int = 0
    kept: int = 0
    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    models: dict[str, str] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    questions_hash: str = ""

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass the questions on, counted and hashed."""
        seen = hashlib.sha256()
        for row in rows:
            seen.update(dump([row["id"], row["question"]]).encode())
            self.questions += 1
            yield row
        self.questions_hash = seen.hexdigest()

    def ending(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass the ended rows on, counted by what became of them."""
        for row in rows:
            if "dropped" in row:
                self.dropped[row["dropped"]] += 1
            else:
                self.kept += 1
                self.rows += len(row["endings"])
            yield row

    def facts(self) -> dict[str, Any]:
        """The summary for a person: what went in, what came of it."""
        facts: dict[str, Any] = {"questions": f"{self.questions:,} from {self.asked}"}
        facts |= {f"{role} model": spec for role, spec in self.models.items()}
        for each in self.rounds:
            facts[f"asked of {each.role}"] = f"{each.asked:,} responses, {each.stored:,} in store"
        if self.dry_run:
            facts["to generate"] = sum(each.asked - each.stored for each in self.rounds)
            return facts | {f"first prompt to {r.role}": r.first_prompt for r in self.rounds}
        facts |= {"kept": self.kept}
        facts |= {f"dropped: {reason}": n for reason, n in self.dropped.most_common()}
        return facts | {"rows": self.rows} | self.files

    @property
    def next(self) -> str:
        """The command that trains on the set, once it is written."""
        recipe = self.files.get("recipe")
        return f"llamafactory-cli train {shlex.quote(recipe)}" if recipe else ""


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
        }
        summary.models = {role: sampler.spec for role, sampler in samplers.items()}
        doors = {"gold": questions.gold()} if methods.sees_gold(chosen) else {}
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
            manifest = Path(out) / f"{name}.manifest.json"
            write_json(manifest, _manifest(summary, chosen, questions, arguments, samplers, seed))
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


def _manifest(
    summary: Summary,
    stage: Stage,
    questions: Questions,
    arguments: Mapping[str, Any],
    samplers: Mapping[str, Sampler],
    seed: int,
) -> Row:
    """What the set is made of, so that anyone can check or rebuild it; no dates, no host."""
    return {
        "w2s_data": __version__,
        "name": summary.name,
        **arguments,
        "seed": seed,
        "trains": stage.trains,
        "task": questions.task.name,
        "split": questions.split,
        "source": "file" if questions.file else questions.source,
        "questions_sha256": summary.questions_hash,
        "models": {
            role: {"spec": sampler.spec, "fingerprint": sampler.backend.fingerprint}
            for role, sampler in samplers.items()
        },
        "gold_seen": methods.sees_gold(stage),
        "counts": {
            "questions": summary.questions,
            "kept": summary.kept,
            "dropped": dict(sorted(summary.dropped.items())),
            "rows": summary.rows,
        },
        "files": {
            Path(summary.files[kind]).name: file_hash(summary.files[kind])
            for kind in ("set", "dropped")
        },
    }
