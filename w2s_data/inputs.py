"""What a build reads: questions, and the models that play the roles."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from w2s_data import methods, tasks
from w2s_data.errors import W2SError, out_of_range, unknown
from w2s_data.rows import Row, digest
from w2s_data.steps.sample import Sampler
from w2s_data.store import Store
from w2s_data.tasks import Gold, Task


@dataclass(frozen=True)
class Questions:
    """Where the questions come from; ground truth comes from the same place, through `gold`.

    `part` (i, N) takes the i-th of N parts of the first `limit` questions: their sizes differ by
    one at most, and the order of the questions does not matter.
    """

    task: Task
    split: str = "train_2"
    source: str = "bundled"
    file: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    part: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.part and not 1 <= self.part[0] <= self.part[1]:
            i, n = self.part
            raise out_of_range("part", "i/N with 1 <= i <= N", f"{i}/{n}")

    @property
    def place(self) -> str:
        """Where they come from, in words."""
        place = self.file or f"{self.task.name} {self.split}, {self.source}"
        return f"part {self.part[0]} of {self.part[1]} of {place}" if self.part else place

    def rows(self) -> Iterator[Row]:
        """Questions without ground truth, each with the prompt that asks it zero-shot."""
        inside = self._ranks_of_part()
        for row in tasks.questions(self.task, limit=self.limit, **self._place()):
            if not self.part or _rank(row) in inside:
                yield row | {"prompt": tasks.ask(self.task, row)}

    def gold(self) -> dict[str, Gold]:
        """Ground truth by id."""
        return tasks.gold(self.task, **self._place())

    def _ranks_of_part(self) -> set[int]:
        if not self.part:
            return set()
        rows = tasks.questions(self.task, limit=self.limit, **self._place())
        ranks = sorted(map(_rank, rows))
        i, n = self.part
        return set(ranks[len(ranks) * (i - 1) // n : len(ranks) * i // n])

    def _place(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("split", "source", "file", "fields")}


def _rank(row: Row) -> int:
    """The row's place in a seeded order of its own, by its id."""
    return int(digest("part", "42", row["id"])[:16], 16)


@dataclass(frozen=True)
class Models:
    """Which model plays each role (the task's own by default), and how they are asked.

    `options` are the backends', by name: those of one role as `ROLE.NAME`, which come before those
    of all.
    """

    specs: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def spec(self, role: str, task: Task) -> str:
        """The role's model."""
        if role in self.specs:
            return self.specs[role]
        if role in task.roles:
            return task.roles[role]
        raise W2SError(
            f"task {task.name!r} names no model for the role {role!r}: add --role {role}=hf:MODEL"
        )

    def check(self, place: str, roles: Collection[str], played: Collection[str]) -> None:
        """Raise W2SError for a model of a role that is not among `roles`, and for an option of one
        that no model plays."""
        for role in sorted(self.specs.keys() - set(roles)):
            raise unknown(f"role of {place}", role, roles)
        asked = {name.partition(".")[0] for name in self.options if "." in name}
        for role in sorted(asked - set(played)):
            raise unknown(f"role with a model in {place}", role, played)

    def options_of(self, role: str) -> dict[str, Any]:
        """How the role's model is asked."""
        own, given = f"{role}.", self.options.items()
        of_all = {name: value for name, value in given if "." not in name}
        return of_all | {n.removeprefix(own): value for n, value in given if n.startswith(own)}

    def untrained(self, role: str, task: Task) -> Models:
        """These with the task's strong base as `role`, unless they name another model for it."""
        bases = {role: task.roles["strong"]} if role and "strong" in task.roles else {}
        return replace(self, specs={**bases, **self.specs})

    def sampler(
        self,
        role: str,
        task: Task,
        store: Store,
        *,
        seed: int,
        dry_run: bool = False,
        make: Callable[..., Any] = Sampler,
    ) -> Any:
        """The role's model, ready to be asked: a Sampler, or what `make` makes in its place.

        Behind a server a role that is given instructions is asked by chat, unless `options` say
        otherwise."""
        spec = self.spec(role, task)
        by_chat = role in methods.INSTRUCTED and spec.startswith("openai:")
        return make(
            role,
            spec,
            task,
            store,
            seed=seed,
            max_tokens=self.max_tokens,
            dry_run=dry_run,
            options=({"chat": True} if by_chat else {}) | self.options_of(role),
        )
