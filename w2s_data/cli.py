"""The command line: each command is one short function that calls one library function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from w2s_data import __version__
from w2s_data.errors import W2SError

STORE = "data/responses.sqlite"


class Commands(click.Group):
    """Shows a user's mistake as one sentence, exit code 2; Ctrl-C says that nothing is lost."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except W2SError as error:
            click.echo(f"w2s-data: {error}", err=True)
            ctx.exit(2)
        except KeyboardInterrupt:
            click.echo(
                "w2s-data: stopped; what was generated is kept: run again to go on", err=True
            )
            ctx.exit(130)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            from w2s_data.errors import unknown

            raise click.UsageError(str(unknown("command", args[0], self.commands)))
        return super().resolve_command(ctx, args)


def pairs(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """`name=value` options as a dict."""
    for one in given:
        if "=" not in one:
            raise click.BadParameter(f"{one!r} must read NAME=VALUE")
    return dict(one.split("=", 1) for one in given)


def options(*decorators: Callable[..., Any]) -> Callable[..., Any]:
    """Several options as one decorator, in the order given."""

    def decorate(command: Any) -> Any:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


def several(name: str, *names: str, help: str) -> Callable[..., Any]:
    return click.option(
        name, *names, multiple=True, callback=pairs, metavar="NAME=VALUE", help=help
    )


QUESTIONS = options(
    click.option("--task", default="math", show_default=True, help="The task (w2s-data tasks)."),
    click.option("--task-file", type=click.Path(), help="A YAML file that describes a task."),
    click.option("--source", default="bundled", show_default=True, help="bundled, hub or file."),
    click.option("--questions", type=click.Path(), help="A jsonl, json, csv or parquet file."),
    several("--field", help="A field of --questions: question=problem."),
    click.option("--limit", type=int, help="The first so many questions only."),
)
MODELS = options(
    several("--option", help="An option of the backends: batch_size=64, chat=true."),
    click.option("--max-tokens", type=click.IntRange(1), help="New tokens a response may have."),
    click.option("--store", default=STORE, show_default=True, help="The response store."),
    click.option("--seed", default=42, show_default=True, help="The seed of all that is drawn."),
)
SHOWN = options(
    click.option("--quiet", is_flag=True, help="No progress and no summary."),
    click.option("--json", "as_json", is_flag=True, help="The summary as JSON."),
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="w2s-data")
def main() -> None:
    """Construct weak-to-strong training data that LLaMA-Factory trains on unchanged."""


def questions(given: dict[str, Any], split: str) -> Any:
    """The questions that the options name."""
    from w2s_data import tasks
    from w2s_data.build import Questions

    task = tasks.from_file(given["task_file"]) if given["task_file"] else tasks.get(given["task"])
    return Questions(
        task, split, given["source"], given["questions"], given["field"], given["limit"]
    )


def models(given: dict[str, Any], specs: dict[str, str]) -> Any:
    """The models that the options name."""
    from w2s_data.build import Models

    return Models(specs, given["max_tokens"], {k: plain(v) for k, v in given["option"].items()})


def plain(value: str) -> Any:
    """true, false and numbers as such, anything else as text."""
    import json

    try:
        return json.loads(value)
    except ValueError:
        return value


def present(title: str, facts: dict[str, Any], raw: Any, quiet: bool, as_json: bool) -> None:
    """Print what a command did: `facts` as a table, or `raw` as JSON."""
    from dataclasses import asdict

    from w2s_data import show

    if as_json:
        show.as_json(asdict(raw))
    elif not quiet:
        show.facts(title, facts)


@main.command()
@QUESTIONS
@click.option("--split", help="train_1, train_2 or test (default: the stage's own).")
@click.option("--method", default="reasoning", show_default=True, help="See w2s-data methods.")
@click.option("--stage", default="sft", show_default=True, help="The method's stage.")
@several("--set", "settings", help="A parameter of the stage: confidence=0.7.")
@click.option("--weak", help="The weak model: hf:PATH+ADAPTER, openai:MODEL@URL, ...")
@click.option("--strong", help="The strong base model.")
@click.option("--student", help="The strong model trained so far.")
@several("--role", help="The model of any role: weak=hf:PATH.")
@click.option("--name", help="The set's name (default: TASK_METHOD_STAGE).")
@click.option("--out", default="data", show_default=True, help="LLaMA-Factory's dataset folder.")
@click.option("--configs", default="factory_configs", show_default=True, help="For the recipe.")
@click.option("--format", default="alpaca", show_default=True, help="alpaca or sharegpt.")
@click.option("--finetuning", default="lora", show_default=True, help="lora or full.")
@click.option("--template", help="LLaMA-Factory's chat template, with --option chat=true.")
@MODELS
@click.option("--dry-run", is_flag=True, help="Say what would be asked; write nothing.")
@SHOWN
def build(quiet: bool, as_json: bool, **given: Any) -> None:
    """Build a training set, its dataset_info.json entry, a recipe and a manifest."""
    from w2s_data import show
    from w2s_data.build import build
    from w2s_data.methods import get

    show.QUIET = quiet or as_json
    split = given["split"] or get(given["method"], given["stage"]).split
    roles = {r: given[r] for r in ("weak", "strong", "student") if given[r]} | given["role"]
    names = (
        "method",
        "stage",
        "settings",
        "name",
        "out",
        "configs",
        "store",
        "format",
        "finetuning",
        "template",
        "seed",
        "dry_run",
    )
    summary = build(
        questions(given, split), models(given, roles), **{name: given[name] for name in names}
    )
    present(summary.name, summary.facts(), summary, quiet, as_json)
    if summary.next and not (quiet or as_json):
        click.echo(f"Train on it:  {summary.next}")


@main.command()
@QUESTIONS
@click.option("--split", default="test", show_default=True, help="train_1, train_2 or test.")
@click.option("--model", help="The model to ask: hf:PATH+ADAPTER, openai:MODEL@URL, ...")
@click.option("--role", help="Or the task's default model of this role.")
@click.option("-n", "n", default=1, show_default=True, help="Samples a question.")
@click.option("--temperature", default=0.0, show_default=True, help="0 is greedy.")
@click.option("--top-p", default=1.0, show_default=True, help="Nucleus sampling.")
@click.option("--out", type=click.Path(), help="Write the responses to this jsonl file, too.")
@MODELS
@click.option("--dry-run", is_flag=True, help="Say what would be asked; write nothing.")
@SHOWN
def sample(quiet: bool, as_json: bool, **given: Any) -> None:
    """Ask a model every question of a split, into the response store."""
    from w2s_data import show
    from w2s_data.build import sample

    show.QUIET = quiet or as_json
    role = given["role"] or "model"
    specs = {role: given["model"]} if given["model"] else {}
    names = (
        "n",
        "temperature",
        "top_p",
        "out",
        "store",
        "seed",
        "dry_run",
    )
    summary = sample(
        questions(given, given["split"]),
        models(given, specs),
        role,
        **{name: given[name] for name in names},
    )
    present("responses", summary.facts(), summary, quiet, as_json)


@main.command(name="import")
@click.argument("path", type=click.Path())
@click.option("--model", help="Whose responses these are: a model's spec, or replay:NAME.")
@click.option("--task", default="math", show_default=True, help="Writes prompts, where absent.")
@several("--field", help="A field of the file: response=output.")
@click.option("--temperature", type=float, help="How they were sampled (also the next four).")
@click.option("--top-p", type=float)
@click.option("--max-tokens", type=int)
@click.option("--seed", type=int)
@click.option("--start", default=0, show_default=True, help="The index of the first sample.")
@click.option("--store", default=STORE, show_default=True, help="The response store.")
@SHOWN
def import_(path: str, store: str, quiet: bool, as_json: bool, **given: Any) -> None:
    """Take generations from a file, one row per response, into the response store."""
    from w2s_data.backends import load
    from w2s_data.exchange import import_responses
    from w2s_data.store import Store
    from w2s_data.tasks import get

    names = ("temperature", "top_p", "max_tokens", "seed")
    parameters = {name: given[name] for name in names if given[name] is not None}
    with Store(store) as opened:
        done = import_responses(
            path,
            store=opened,
            task=get(given["task"]),
            model=load(given["model"]).fingerprint if given["model"] else None,
            fields=given["field"],
            start=given["start"],
            **parameters,
        )
    present(f"{path} -> {store}", vars(done), done, quiet, as_json)


@main.command()
@click.argument("path", type=click.Path())
@click.option("--model", help="Only this model's responses (its spec).")
@click.option("--store", default=STORE, show_default=True, help="The response store.")
@SHOWN
def export(path: str, model: str | None, store: str, quiet: bool, as_json: bool) -> None:
    """Write the response store's generations to a jsonl file that `import` and `replay:` read."""
    from w2s_data.backends import load
    from w2s_data.exchange import export_responses
    from w2s_data.store import Store

    with Store(store) as opened:
        done = export_responses(opened, path, model=load(model).fingerprint if model else None)
    present(f"{store} -> {path}", vars(done), done, quiet, as_json)


@main.command()
@click.argument("path", type=click.Path())
@QUESTIONS
@click.option("--split", default="test", show_default=True, help="train_1, train_2 or test.")
@several("--map", "fields", help="A field of the responses: response=output, gold=label.")
@click.option("--compat", help="Compare as published: w2s-reasoning.")
@SHOWN
def score(path: str, quiet: bool, as_json: bool, **given: Any) -> None:
    """The accuracy of a file of responses, with interval, pass@k and majority@k."""
    from w2s_data.score import facts, score

    asked = questions(given, given["split"])
    found = score(
        path,
        task=asked.task,
        split=asked.split,
        source=asked.source,
        file=asked.file,
        question_fields=asked.fields,
        fields=given["fields"],
        compat=given["compat"],
    )
    present(path, facts(found), found, quiet, as_json)


@main.command()
@click.argument("name", required=False)
def tasks(name: str | None) -> None:
    """List the tasks, or show one: its prompt, answer key, sources and default models."""
    from w2s_data import tasks as known

    if name:
        click.echo(known.describe(known.get(name)))
    for each in () if name else known.TASKS:
        click.echo(f"{each:12} {known.get(each).title}")


@main.command()
@click.argument("name", required=False)
def methods(name: str | None) -> None:
    """List the methods, or show one: its paper, stages and their parameters."""
    from w2s_data import methods as known

    if name:
        click.echo(known.describe(name))
    for each in () if name else known.METHODS:
        click.echo(f"{each:12} {known.load(each).__doc__.splitlines()[0]}")


@main.command()
@click.argument("folder", default="factory_configs")
def recipes(folder: str) -> None:
    """Write the training recipes of all known models into a folder."""
    from w2s_data.recipe import generate

    for path in generate(folder):
        click.echo(path)
