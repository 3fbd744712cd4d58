"""What a build did: the summary it prints and the manifest it leaves beside the set."""

from __future__ import annotations

import hashlib
import os.path
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from w2s_data import __version__, methods
from w2s_data.inputs import Questions
from w2s_data.io import dump, file_hash
from w2s_data.methods import Stage
from w2s_data.rows import Row
from w2s_data.steps.sample import Round, Sampler


@dataclass
class Summary:
    """What a build did: questions = kept + the sum of `dropped`; a kept one may give several rows.

    `models` are the specs by role, `rounds` the rounds of generation, `notes` what the stage says
    of itself, `files` the paths of set, dropped, info, recipe and manifest.
    """

    name: str
    asked: str
    dry_run: bool = False
    questions: int = 0
    kept: int = 0
    rows: int = 0
    eval_rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    models: dict[str, str] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    questions_hash: str = ""

    def counting(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass the questions on, counted and hashed."""
        seen = hashlib.sha256()
        for row in rows:
            asked = [row["id"], row["question"], *row.get("choices", ())]
            seen.update(dump(asked).encode())
            self.questions += 1
            yield row
        self.questions_hash = seen.hexdigest()

    def ending(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Pass the ended rows on, counted by what became of them."""
        for row in rows:
            if "dropped" in row:
                self.dropped[row["dropped"]] += 1
            else:
                self.kept += 1
                if row.get("held_out"):
                    self.eval_rows += len(row["endings"])
                else:
                    self.rows += len(row["endings"])
            yield row

    def facts(self) -> dict[str, Any]:
        """The summary for a person: what went in, what came of it."""
        facts: dict[str, Any] = {"questions": f"{self.questions:,} from {self.asked}"}
        facts |= {f"{role} model": spec for role, spec in self.models.items()}
        asked, stored = Counter[str](), Counter[str]()
        for each in self.rounds:
            asked[f"{each.role}: {each.into}"] += each.asked
            stored[f"{each.role}: {each.into}"] += each.stored
        for name, count in asked.items():
            facts[f"asked of {name}"] = f"{count:,} responses, {stored[name]:,} in store"
        if self.dry_run:
            facts["to generate"] = sum(each.asked - each.stored for each in self.rounds)
            later = self.models.keys() - {each.role for each in self.rounds}
            if facts["to generate"]:
                told = "hangs on the answers before: w2s-data plan asks some"
                facts |= {f"asked of {role}": told for role in sorted(later)}
            return facts | {
                f"first prompt to {r.role}: {r.into}": r.first_prompt for r in self.rounds
            }
        facts |= {"kept": self.kept}
        facts |= {f"dropped: {reason}": n for reason, n in self.dropped.most_common()}
        facts |= {"rows": self.rows} | ({"eval rows": self.eval_rows} if self.eval_rows else {})
        return facts | flat(self.notes) | self.files

    @property
    def next(self) -> str:
        """The command that trains on the set, once it is written."""
        recipe = self.files.get("recipe")
        return f"llamafactory-cli train {shlex.quote(recipe)}" if recipe else ""


def flat(notes: Mapping[str, Any]) -> dict[str, Any]:
    """Notes for a person: those within a note beside it, fractions to four digits."""
    lines: dict[str, Any] = {}
    for name, value in notes.items():
        if isinstance(value, Mapping):
            lines |= {f"{name}: {inner}": v for inner, v in flat(value).items()}
        else:
            lines[name] = f"{value:.4g}" if isinstance(value, float) else value
    return lines


def describe(
    summary: Summary,
    stage: Stage,
    questions: Questions,
    arguments: Mapping[str, Any],
    samplers: Mapping[str, Sampler],
    seed: int,
) -> Row:
    """What the set is made of, so that anyone can check or rebuild it; no dates, no host.

    The paths of the store and of the user's questions start at the manifest's own folder.
    """
    folder = Path(summary.files["set"]).parent
    place = {
        "file": questions.file and os.path.relpath(questions.file, folder),
        "fields": dict(questions.fields),
        "limit": questions.limit,
    }
    return {
        "w2s_data": __version__,
        "name": summary.name,
        **arguments,
        "store": os.path.relpath(arguments["store"], folder),
        "seed": seed,
        "trains": stage.trains,
        "task": questions.task.name,
        "split": questions.split,
        "source": "file" if questions.file else questions.source,
        **{name: value for name, value in place.items() if value},
        **({"part": "{}/{}".format(*questions.part)} if questions.part else {}),
        "questions_sha256": summary.questions_hash,
        "models": {
            role: {"spec": sampler.spec, "fingerprint": sampler.backend.fingerprint}
            for role, sampler in samplers.items()
        },
        "gold_seen": methods.sees_gold(stage),
        "notes": summary.notes,
        "counts": {
            "questions": summary.questions,
            "kept": summary.kept,
            "dropped": dict(sorted(summary.dropped.items())),
            "rows": summary.rows,
            **({"eval_rows": summary.eval_rows} if summary.eval_rows else {}),
        },
        "files": {
            Path(summary.files[kind]).name: file_hash(summary.files[kind])
            for kind in ("set", "dropped", "eval", "v1")
            if kind in summary.files
        },
    }
