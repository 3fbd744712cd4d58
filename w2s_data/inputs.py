"""What a build reads: questions, and the models that play the roles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from w2s_data import tasks
from w2s_data.errors import W2SError
from w2s_data.prompts import render
from w2s_data.rows import Row
from w2s_data.steps.sample import Sampler
from w2s_data.store import Store
from w2s_data.tasks import Gold, Task


@dataclass(frozen=True)
class Questions:
    """Where the questions come from; ground truth comes from the same place, through `gold`."""

    task: Task
    split: str = "train_2"
    source: str = "bundled"
    file: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None

    @property
    def place(self) -> str:
        """Where they come from, in words."""
        return self.file or f"{self.task.name} {self.split}, {self.source}"

    def rows(self) -> Iterator[Row]:
        """Questions without ground truth, each with the prompt that asks it zero-shot."""
        for row in tasks.questions(self.task, limit=self.limit, **self._place()):
            yield row | {"prompt": render(self.task.prompt, question=row["question"])}

    def gold(self) -> dict[str, Gold]:
        """Ground truth by id."""
        return tasks.gold(self.task, **self._place())

    def _place(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("split", "source", "file", "fields")}


@dataclass(frozen=True)
class Models:
    """Which model plays each role (the task's own by default), and how all of them are asked."""

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

    def sampler(
        self, role: str, task: Task, store: Store, *, seed: int, dry_run: bool = False
    ) -> Sampler:
        """The role's model, ready to be asked."""
        return Sampler(
            role,
            self.spec(role, task),
            task,
            store,
            seed=seed,
            max_tokens=self.max_tokens,
            dry_run=dry_run,
            options=dict(self.options),
        )
