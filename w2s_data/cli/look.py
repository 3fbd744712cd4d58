"""Commands that look at sets, built or still to build: audit, explain, plan."""

from __future__ import annotations

from typing import Any

import click

from w2s_data.cli.make import BUILD, inputs
from w2s_data.cli.options import SHOWN, main, present, several

FOLDER = click.option(
    "--folder", default="data", show_default=True, help="LLaMA-Factory's dataset folder."
)
TASK = click.option("--task", "task_name", help="The task (default: the set's own).")
TASK_FILE = click.option("--task-file", type=click.Path(), help="A YAML file that describes it.")


def task_of(name: str | None, file: str | None) -> Any:
    """The task that the options name, None for none."""
    from w2s_data import tasks

    return tasks.from_file(file) if file else tasks.get(name) if name else None


@main.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--gold", required=True, help="A file, a task, or `task` for the set's own.")
@FOLDER
@TASK
@TASK_FILE
@click.option("--split", help="The gold's split (default: the set's).")
@click.option("--source", help="bundled or hub (default: the set's).")
@several("--field", "fields", help="A field of the gold's file: question=problem.")
@click.option("--before", help="The set before the filter, for sets without dropped rows.")
@click.option("--compat", help="Compare as published: w2s-reasoning.")
@SHOWN
def audit(names: tuple[str, ...], quiet: bool, as_json: bool, **given: Any) -> None:
    """Hold sets against ground truth: labels, pairs, filters, calibration, lengths."""
    from dataclasses import asdict

    from w2s_data import show
    from w2s_data.audit import audit, side_by_side

    show.QUIET = quiet or as_json
    task = task_of(given.pop("task_name"), given.pop("task_file"))
    found = audit(names, task=task, **given)
    if as_json:
        show.as_json([asdict(one) for one in found])
    elif not quiet:
        title = "shares in %, with 95 % Wilson intervals"
        show.table(title, names, side_by_side(found))


@main.command()
@click.argument("row_id", metavar="ID")
@click.argument("name")
@FOLDER
@click.option("--store", help="The response store (default: the set's own).")
@TASK_FILE
@click.option("--full", is_flag=True, help="Cut no text.")
@click.option("--json", "as_json", is_flag=True, help="The story as JSON.")
def explain(row_id: str, name: str, full: bool, as_json: bool, **given: Any) -> None:
    """Tell how the row ID of the set NAME came about, and what decided."""
    from dataclasses import asdict

    from w2s_data import show
    from w2s_data.explain import explain, tell

    task = task_of(None, given.pop("task_file"))
    story = explain(row_id, name, task=task, **given)
    if as_json:
        show.as_json(asdict(story))
    else:
        click.echo(tell(story, full))


@main.command()
@BUILD
@click.option("--probe", default=32, show_default=True, help="Questions really asked; 0 for none.")
@click.option("--gpus", type=click.IntRange(0), help="GPUs a model runs on (a server's).")
@SHOWN
def plan(quiet: bool, as_json: bool, probe: int, gpus: int | None, **given: Any) -> None:
    """What a build would generate, take and keep, before anything big is spent."""
    from w2s_data import show
    from w2s_data.plan import facts, plan

    show.QUIET = quiet or as_json
    questions, models, arguments = inputs(given)
    found = plan(questions, models, probe=probe, gpus=gpus, **arguments)
    present(f"plan of {found.name}", facts(found), found, quiet, as_json)
