"""What the user sees while and after something runs: progress on stderr, a summary on stdout."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

QUIET = False

Advance = Callable[[int], None]


@contextlib.contextmanager
def progress(title: str, total: int | None) -> Iterator[Advance]:
    """A bar with rate and time left, on stderr; yields the function that advances it."""
    if QUIET or not total:
        yield lambda count: None
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        _rate_column(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(
        *columns, console=Console(stderr=True), speed_estimate_period=600
    ) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.update(task, advance=count)


def track(title: str, rows: Iterable[T], total: int | None) -> Iterator[T]:
    """Pass `rows` on under a progress bar."""
    with progress(title, total) as advance:
        for row in rows:
            yield row
            advance(1)


def _rate_column() -> Any:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.completed / task.elapsed if task.elapsed else 0
            return Text(f"{speed:,.0f}/s")

    return Rate()


def facts(title: str, values: Mapping[str, Any]) -> None:
    """Print names and values as a table; a dry run's prompts and commands keep their lines."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=title, title_justify="left", show_header=False, min_width=40)
    drawn.add_column(overflow="fold")
    drawn.add_column(overflow="fold")
    for name, value in values.items():
        drawn.add_row(_cell(name), _cell(value))
    Console().print(drawn)


def table(title: str, names: Sequence[str], rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Print rows of values, one column for each of `names`."""
    from rich.console import Console
    from rich.table import Table

    drawn = Table(title=title, title_justify="left")
    for name in ("", *names):
        drawn.add_column(_cell(name), overflow="fold")
    for row, values in rows.items():
        drawn.add_row(_cell(row), *(_cell(values.get(name, "")) for name in names))
    Console().print(drawn)


def _cell(value: Any) -> str:
    from rich.markup import escape

    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def as_json(value: Any) -> None:
    """Print `value` as JSON, objects by their fields."""
    print(json.dumps(value, indent=2, default=vars))
