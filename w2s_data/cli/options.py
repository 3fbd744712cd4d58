"""The group of commands, and the options that several of them take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from w2s_data import __version__
from w2s_data.errors import W2SError, unknown
from w2s_data.store import STORE


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
            raise click.UsageError(str(unknown("command", args[0], self.commands)))
        return super().resolve_command(ctx, args)


def pairs(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """`name=value` options as a dict."""
    for one in given:
        if "=" not in one:
            raise click.BadParameter(f"{one!r} must read NAME=VALUE")
    return dict(one.split("=", 1) for one in given)


def part(ctx: click.Context, parameter: click.Parameter, given: str | None) -> Any:
    """`1/2` as (1, 2)."""
    if given is None:
        return None
    i, slash, n = given.partition("/")
    if not (slash and i.isdecimal() and n.isdecimal()):
        raise click.BadParameter(f"{given!r} must read i/N, for instance 1/2")
    return int(i), int(n)


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
    several("--option", help="An option of all backends, or a role's: weak.batch_size=64."),
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
    from w2s_data.inputs import Questions

    task = tasks.from_file(given["task_file"]) if given["task_file"] else tasks.get(given["task"])
    place = (given["source"], given["questions"], given["field"])
    return Questions(task, split, *place, given["limit"], given.get("part"))


def models(given: dict[str, Any], specs: dict[str, str]) -> Any:
    """The models that the options name."""
    from w2s_data.inputs import Models

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
    from w2s_data import show

    if as_json:
        show.as_json(raw)
    elif not quiet:
        show.facts(title, facts)
