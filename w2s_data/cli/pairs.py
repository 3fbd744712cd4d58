"""The command that writes a preference set in a paper's published format."""

from __future__ import annotations

import click

from w2s_data.cli.options import main


@main.command()
@click.argument("path", type=click.Path())
@click.argument("target", type=click.Path())
def pairs(path: str, target: str) -> None:
    """Write the preference set PATH of method complexity (kind=both) to TARGET, .json or .jsonl, as
    Guiding Through Complexity publishes it: a full task and its subtasks an entry."""
    from w2s_data.methods.complexity.published import write

    click.echo(f"{write(path, target):,} entries -> {target}")
