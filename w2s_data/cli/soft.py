"""Commands about soft labels."""

from __future__ import annotations

from typing import Any

import click

from w2s_data.cli.options import MODELS, QUESTIONS, SHOWN, main, models, present, questions


@main.command()
@QUESTIONS
@click.option("--split", default="test", show_default=True, help="train_1, train_2 or test.")
@click.option("--model", help="The model to weigh by: hf:PATH+ADAPTER, openai:MODEL@URL, ...")
@click.option("--role", help="Or the task's default model of this role.")
@click.option("--out", type=click.Path(), required=True, help="The jsonl file to write.")
@MODELS
@SHOWN
def soft(quiet: bool, as_json: bool, **given: Any) -> None:
    """Write a model's soft label p(true) of every question of a binary task."""
    from w2s_data import show
    from w2s_data.soft import soft

    show.QUIET = quiet or as_json
    role = given["role"] or "model"
    specs = {role: given["model"]} if given["model"] else {}
    names = ("out", "store", "seed")
    chosen = {name: given[name] for name in names}
    summary = soft(questions(given, given["split"]), models(given, specs), role, **chosen)
    present("soft labels", summary.facts(), summary, quiet, as_json)


@main.command("soft-score")
@click.argument("paths", nargs=-1, required=True, type=click.Path())
@QUESTIONS
@click.option("--split", default="test", show_default=True, help="train_1, train_2 or test.")
@click.option("--floor", multiple=True, type=click.Path(), help="The weak model's file.")
@click.option("--ceiling", multiple=True, type=click.Path(), help="The strong ceiling's file.")
@SHOWN
def soft_score(paths: tuple[str, ...], quiet: bool, as_json: bool, **given: Any) -> None:
    """Accuracy, AUROC and the gap recovered of files of soft labels, one a run."""
    from w2s_data.soft import soft_score

    asked = questions(given, given["split"])
    found = soft_score(paths, asked, floor=given["floor"], ceiling=given["ceiling"])
    present(" ".join(paths), found.facts(), found, quiet, as_json)
