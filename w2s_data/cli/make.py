"""Commands that make things: sets, responses, scores."""

from __future__ import annotations

from typing import Any

import click

from w2s_data.cli.options import (
    MODELS,
    QUESTIONS,
    SHOWN,
    main,
    models,
    options,
    part,
    present,
    questions,
    several,
)
from w2s_data.store import STORE

# What `build` takes, and `plan` alike.
BUILD = options(
    QUESTIONS,
    click.option("--split", help="train_1, train_2 or test (default: the stage's own)."),
    click.option(
        "--part", callback=part, metavar="i/N", help="One of N equal parts of the questions."
    ),
    click.option("--method", default="reasoning", show_default=True, help="See w2s-data methods."),
    click.option("--stage", default="sft", show_default=True, help="The method's stage."),
    several("--set", "settings", help="A parameter of the stage: confidence=0.7."),
    click.option("--weak", help="The weak model: hf:PATH+ADAPTER, openai:MODEL@URL, ..."),
    click.option("--strong", help="The strong base model."),
    click.option("--student", help="The strong model trained so far."),
    several("--role", help="The model of any role: weak=hf:PATH."),
    click.option("--name", help="The set's name (default: TASK_METHOD_STAGE)."),
    click.option(
        "--out", default="data", show_default=True, help="LLaMA-Factory's dataset folder."
    ),
    click.option("--configs", default="factory_configs", show_default=True, help="For the recipe."),
    click.option("--format", default="alpaca", show_default=True, help="alpaca or sharegpt."),
    click.option(
        "--weights", help="Weigh rows by copies: entropy, share, score, column:NAME, none."
    ),
    click.option(
        "--copies", type=int, help="With --weights: the rows in all (default: as without)."
    ),
    click.option(
        "--eval-share", default=0.0, show_default=True, help="This share of prompts apart."
    ),
    click.option(
        "--v1", is_flag=True, help="Weights for LLaMA-Factory's v1 trainer, in a file too."
    ),
    click.option("--finetuning", default="lora", show_default=True, help="lora or full."),
    click.option("--template", help="LLaMA-Factory's chat template, with --option chat=true."),
    MODELS,
)
NAMES = (
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
    "weights",
    "copies",
    "eval_share",
    "v1",
    "seed",
)


def inputs(given: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Questions, models and the other arguments of a build, as the options name them."""
    from w2s_data.methods import get

    split = given["split"] or get(given["method"], given["stage"]).split
    roles = {r: given[r] for r in ("weak", "strong", "student") if given[r]} | given["role"]
    asked, asking = questions(given, split), models(given, roles)
    return asked, asking, {name: given[name] for name in NAMES}


@main.command()
@BUILD
@click.option("--dry-run", is_flag=True, help="Say what would be asked; write nothing.")
@SHOWN
def build(quiet: bool, as_json: bool, **given: Any) -> None:
    """Build a training set, its dataset_info.json entry, a recipe and a manifest."""
    from w2s_data import show
    from w2s_data.build import build

    show.QUIET = quiet or as_json
    asked, asking, arguments = inputs(given)
    summary = build(asked, asking, **arguments, dry_run=given["dry_run"])
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
@click.option("--out", type=click.Path(), help="Write each response's verdict to this jsonl file.")
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
        out=given["out"],
    )
    present(path, facts(found), found, quiet, as_json)
