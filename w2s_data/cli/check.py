"""The command that checks dataset folders."""

from __future__ import annotations

from typing import Any

import click

from w2s_data.cli.options import main


@main.command()
@click.argument("names", nargs=-1)
@click.option("--folder", type=click.Path(), help="LLaMA-Factory's dataset folder (default: data).")
@click.option("--recipe", type=click.Path(), help="A recipe: it is checked with its sets.")
@click.option("--stage", help="What the sets train: sft, dpo, orpo, simpo, rm, kto, pt.")
@click.option("--model", help="The model whose tokenizer counts: a folder or a hub id.")
@click.option("--template", help="LLaMA-Factory's template.")
@click.option("--cutoff-len", type=click.IntRange(1), help="LLaMA-Factory's cutoff_len.")
@click.option("--task", help="The task that says what an answer is, and its test set.")
@click.option(
    "--test", type=click.Path(), help="A file of test questions, to look for in the sets."
)
@click.option("--select", multiple=True, metavar="CODE", help="Only rules that begin so.")
@click.option("--ignore", multiple=True, metavar="CODE", help="Not the rules that begin so.")
@click.option(
    "--format",
    "format",
    type=click.Choice(["text", "json", "github", "sarif", "junit"]),
    default="text",
    show_default=True,
    help="How findings are written.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "error"]),
    default="error",
    show_default=True,
    help="The least severity that gives exit code 1.",
)
@click.option("--no-trainer", is_flag=True, help="Do not ask LLaMA-Factory itself.")
@click.pass_context
def check(ctx: click.Context, names: tuple[str, ...], **given: Any) -> None:
    """Check sets, or a whole dataset folder, before they cost GPU hours.

    NAMES are sets of the folder; the first may be the folder itself. Exit code 0: nothing found;
    1: findings; 2: could not check.
    """
    from pathlib import Path

    from w2s_data.check import check
    from w2s_data.check.formats import render
    from w2s_data.errors import W2SError

    folder = given.pop("folder")
    if names and not folder and Path(names[0]).is_dir():
        folder, names = names[0], names[1:]
    format, fail_on = given.pop("format"), given.pop("fail_on")
    found = check(folder, names, ask_trainer=not given.pop("no_trainer"), **_split(given))
    click.echo(render(found, format, fail_on))
    if found.of(fail_on):
        ctx.exit(1)
    if not found.sets and not len(found):
        raise W2SError(found.skipped[0] if found.skipped else "there is no set to check")


def _split(given: dict[str, Any]) -> dict[str, Any]:
    """Codes may be given one by one or with commas between them."""
    for key in ("select", "ignore"):
        given[key] = [code for codes in given[key] for code in codes.split(",") if code]
    return given
