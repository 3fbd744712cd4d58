"""Commands that show and share a set: report, push."""

from __future__ import annotations

from typing import Any

import click

from w2s_data.cli.options import SHOWN, main, present, several

FOLDER = click.option(
    "--folder", default="data", show_default=True, help="LLaMA-Factory's dataset folder."
)


@main.command()
@click.argument("names", nargs=-1, required=True)
@FOLDER
@click.option("--out", default="report.html", show_default=True, help="The page.")
@click.option("--gold", help="Ground truth: a file, a task, or task for the set's own.")
@click.option("--split", help="The gold's split (default: the set's).")
@several("--field", "fields", help="A field of the gold's file: question=problem.")
@SHOWN
def report(names: tuple[str, ...], quiet: bool, as_json: bool, **given: Any) -> None:
    """Write one HTML page about sets: figures, and a browser of their rows."""
    from w2s_data import show
    from w2s_data.report import report

    show.QUIET = quiet or as_json
    done = report(names, **{name: value for name, value in given.items() if value})
    facts = vars(done) | {"sets": ", ".join(done.sets)}
    present("report", facts, done, quiet, as_json)


@main.command()
@click.argument("name")
@click.argument("repository", metavar="REPO_ID")
@FOLDER
@click.option("--public", is_flag=True, help="For everyone to read (default: private).")
@click.option("--dropped", is_flag=True, help="The dropped rows, too.")
@click.option("--dry-run", is_flag=True, help="Check the files and name them; upload nothing.")
@SHOWN
def push(name: str, repository: str, quiet: bool, as_json: bool, **given: Any) -> None:
    """Upload a set, its card and its manifest to the hub; the token is HF_TOKEN's."""
    from w2s_data.push import push

    done = push(name, repository, **given)
    facts: dict[str, Any] = {"repository": done.repository}
    facts["for"] = "you" if done.private else "everyone"
    facts |= done.files | {"bytes": done.bytes, "commit": done.commit or "none: a dry run"}
    present("push", facts, done, quiet, as_json)
