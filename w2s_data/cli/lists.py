"""Commands that list what there is: tasks, methods, recipes."""

from __future__ import annotations

import click

from w2s_data.cli.options import main


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
