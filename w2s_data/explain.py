"""The story of one row: what was asked and answered, how it was counted, and what decided.

The stage that built the set runs once more over the response store. Nothing is generated, and any
method is explained alike: by its rounds, its row and its settings. Which settings decided is found
by trying others on the recorded samples of this row.
"""

from __future__ import annotations

import os.path
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_data import methods, sets, tasks
from w2s_data.counterfactual import Decided, Ends, thresholds
from w2s_data.errors import W2SError, nearest
from w2s_data.inputs import Models, Questions
from w2s_data.io import read_rows
from w2s_data.rows import Row
from w2s_data.sets import Set
from w2s_data.store import Store
from w2s_data.tasks import Task
from w2s_data.witness import Asked, Frozen, Witness, classed

SHORT, LONG = 40, 300
OWN = {"id", "task", "question", "meta", "prompt", "choices", "dropped", "endings"}


@dataclass(frozen=True)
class Story:
    """Everything that made a row what it is.

    ending: "kept" or the reason why it was dropped. facts: what the method noted on the row.
    classes: an answer of each class. decided: None where the ending hangs on other rows, too (a
    cut over all questions, a mix, copies). tried: the settings of which other values were tried.
    rows: the exported rows, each with its place. sources: files.
    """

    id: str
    name: str
    method: str
    question: str
    meta: dict[str, Any]
    ending: str
    facts: dict[str, Any]
    asked: list[Asked]
    classes: dict[str, str]
    settings: dict[str, Any]
    decided: list[Decided] | None
    tried: list[str]
    rows: list[dict[str, Any]]
    sources: dict[str, str]


def explain(
    row_id: str,
    name: str,
    *,
    folder: str | Path = "data",
    store: str | Path | None = None,
    task: Task | None = None,
) -> Story:
    """The story of the row `row_id` of the set `name`, built in `folder`.

    `store` and `task` are the manifest's by default; a task of a file has to be given. Raises
    W2SError for an unknown row, a set without a manifest, and responses that the store lacks.
    """
    found = sets.find(folder, name)
    manifest = found.manifest()
    if not manifest:
        raise W2SError(f"{name} has no manifest in {folder}: only sets built here can be explained")
    if "store" not in manifest:
        raise W2SError(f"{name} was built by w2s_data {manifest.get('w2s_data')}: build it again")
    written, dropped = _on_file(found, row_id)
    known = written[0]["row"] if written else {}
    telling = _Telling(found, manifest, task or tasks.get(manifest["task"]), store)
    row = telling.row(row_id, known.get("parent", row_id))
    dropped_after = bool(dropped and dropped["dropped"] != row.get("dropped"))
    decided, tried = (None, []) if dropped_after else telling.decided(row)
    answered = [one for one in telling.asked if not _weighed(one)]
    names = classed(answered, telling.task, telling.values.get("compat") or None)
    manifest_path = found.folder / f"{name}.manifest.json"
    return Story(
        row_id,
        name,
        f"{manifest['method']} {manifest['stage']}",
        row["question"],
        row.get("meta", {}),
        dropped["dropped"] if dropped else "kept",
        dict(_facts(row, telling.asked)),
        telling.asked,
        names,
        telling.values,
        decided,
        tried,
        written,
        {
            "rows": ", ".join(map(str, found.files)),
            "manifest": str(manifest_path),
            "store": telling.store,
            "questions": telling.questions.place,
        },
    )


def _on_file(found: Set, row_id: str) -> tuple[list[Row], Row | None]:
    """The exported rows of this id with their place, and its dropped row."""
    written, known = [], set()
    held_out = found.folder / f"{found.name}.eval.jsonl"
    for path in (*found.files, *([held_out] if held_out.exists() else [])):
        for line, record in read_rows(path):
            known.add(record["id"])
            if record["id"] == row_id:
                written.append({"at": f"{path}:{line}", "row": record})
    dropped = None
    for record in found.dropped():
        known.add(record["id"])
        dropped = record if record["id"] == row_id else dropped
    if not written and dropped is None:
        near = ", ".join(nearest(row_id, known)[:3])
        raise W2SError(f"{found.name} has no row {row_id!r}; the nearest: {near}")
    return written, dropped


def _facts(row: Row, asked: list[Asked]) -> Iterator[tuple[str, Any]]:
    """What the method noted on the row, but for lists and texts that stand in a sample."""
    said = [sample["text"] for one in asked for sample in one.samples]
    for name, value in row.items():
        quoted = isinstance(value, str) and len(value) > SHORT and any(value in s for s in said)
        if name not in OWN and isinstance(value, str | int | float) and not quoted:
            yield name, value


def _weighed(asked: Asked) -> bool:
    """Whether the samples are choices with their log-probabilities, of which none is declared."""
    return "choices" in asked.parameters


class _Telling:
    """A set's stage, ready to run once more."""

    def __init__(self, found: Set, manifest: Row, task: Task, store: str | Path | None):
        self.set, self.manifest, self.task = found, manifest, task
        self.stage = methods.get(manifest["method"], manifest["stage"])
        self.values = methods.settings(self.stage, manifest["settings"])
        self.store = self._place(manifest["store"]) if store is None else str(store)
        self.questions = Questions(
            task,
            manifest["split"],
            manifest["source"],
            self._place(manifest["file"]) if manifest.get("file") else None,
            manifest.get("fields", {}),
            manifest.get("limit"),
            _part(manifest.get("part")),
        )
        specs = {role: model["spec"] for role, model in manifest["models"].items()}
        self.models = Models(specs, manifest.get("max_tokens"), manifest.get("options", {}))
        self.asked: list[Asked] = []
        self.question: Row = {}
        self.gold: dict[str, Any] = {}

    def _place(self, path: str) -> str:
        """A path of the manifest, which starts at the manifest's folder."""
        return os.path.relpath(os.path.join(os.path.abspath(self.set.folder), path))

    def row(self, row_id: str, asked_id: str) -> Row:
        """The ended row, whole; what its question was asked is noted."""
        if not Path(self.store).exists():
            raise W2SError(f"{self.store}: no such response store; name it with --store")
        if methods.sees_gold(self.stage):
            self.gold = {"gold": self.questions.gold()}
        with Store(self.store) as opened:
            witnesses = self._samplers(opened, Witness)
            for role, witness in witnesses.items():
                witness.watch(asked_id, self.manifest["models"][role], self.asked)
            for row in self._run(self._noting(asked_id), witnesses, self.values):
                if row_id in (row["id"], *(e.get("id") for e in row.get("endings", ()))):
                    return row
        raise W2SError(
            f"the stage gives no row {row_id!r} any more: have the questions of "
            f"{self.questions.place} changed? Build {self.set.name} again"
        )

    def _noting(self, asked_id: str) -> Iterator[Row]:
        for row in self.questions.rows():
            if row["id"] == asked_id:
                self.question = row
            yield row

    def _samplers(self, store: Store, make: Callable[..., Any]) -> dict[str, Any]:
        seed = self.manifest["seed"]
        return {
            role: self.models.sampler(role, self.task, store, seed=seed, make=make)
            for role in self.manifest["models"]
        }

    def _run(self, rows: Iterable[Row], samplers: Mapping[str, Any], values: Any) -> Iterator[Row]:
        self.notes: dict[str, Any] = {}
        notes = {"notes": self.notes} if methods.takes(self.stage, "notes") else {}
        return self.stage.run(rows, **samplers, **self.gold, **notes, **values)

    def decided(self, row: Row) -> tuple[list[Decided] | None, list[str]]:
        """The settings that decided, and those that were tried; None when this row's samples alone
        do not end it so."""
        with Store(":memory:") as empty:
            frozen = self._samplers(empty, Frozen)
            for sampler in frozen.values():
                sampler.recorded = self.asked
            ends = Ends(row, lambda values: self._run([self.question], frozen, values))
            if ends(self.values) != ends.now or self._cut_elsewhere():
                return None, []
            found = [
                decided
                for name, limits in thresholds(self.stage).items()
                for limit in limits
                if (decided := ends.turned(self.values, name, limit))
            ]
        kept = [one for one in found if one.then.startswith("kept")]
        tried = [name for name in thresholds(self.stage) if name not in ends.unsaid]
        return kept or found, tried

    def _cut_elsewhere(self) -> bool:
        """Whether soft labels are cut by numbers of the whole set that this row alone does not
        give: a median, a prior. The stage notes them."""
        noted = self.manifest.get("notes", {})
        alone = {name: noted.get(name) for name in self.notes}
        return any(map(_weighed, self.asked)) and self.notes != alone


def _part(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    i, n = given.split("/")
    return int(i), int(n)


def tell(story: Story, full: bool = False) -> str:
    """The story as text for a terminal; long texts are cut unless `full`."""

    def text(value: Any, indent: str = "  ") -> str:
        shown = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in str(value)).strip()
        if not full and len(shown) > LONG:
            shown = f"{shown[:LONG]} ... ({len(shown):,} characters)"
        return shown.replace("\n", f"\n{indent}")

    lines = [f"{story.id} of {story.name} ({story.method}): {story.ending}", "", "Question"]
    lines += [f"  {text(story.question)}"]
    lines += [f"  {name}: {text(value)}" for name, value in story.meta.items()]
    for one in story.asked:
        part = "" if one.id == story.id else f", {one.id}"
        lines += ["", f"{one.round}, asked of {one.role} ({one.model}){part}"]
        lines += [f"  prompt: {text(one.prompt, ' ' * 4)}", f"  store: {one.key[:16]}"]
        for numbers, said, response in _grouped(one):
            lines += [f"  [{numbers}] {text(said)}", f"      {text(response, ' ' * 6)}"]
        if one.vote:
            lines.append("  vote: " + ", ".join(f"{n} {_short(v)}" for n, v in one.vote.items()))
    lines += ["", "Answer classes"] if story.classes else []
    for letter, answer in story.classes.items():
        members = Counter(one.round for one in story.asked for c in one.classes if c == letter)
        counts = ", ".join(f"{into} {count}" for into, count in members.items())
        lines.append(f"  {letter}: {text(answer)} ({counts})")
    lines += ["", "What the method noted"] if story.facts else []
    lines += [f"  {name}: {text(_short(value))}" for name, value in story.facts.items()]
    settings = ", ".join(f"{name}={_short(value)}" for name, value in story.settings.items())
    lines += ["", "Settings", f"  {settings}", "", f"Ending: {story.ending}", *_reasons(story)]
    for row in story.rows:
        lines += ["", row["at"]]
        shown = {name: value for name, value in row["row"].items() if value}
        lines += [f"  {name}: {text(value, ' ' * 4)}" for name, value in shown.items()]
    return "\n".join([*lines, "", *(f"{name}: {at}" for name, at in story.sources.items())])


def _grouped(asked: Asked) -> Iterator[tuple[str, str, str]]:
    """(numbers, what they declare, text) of samples with the same text."""
    same: dict[tuple[str, str], list[str]] = {}
    for place, sample in enumerate(asked.samples):
        said = _declared(asked, place)
        said += ", cut off" if sample["finish"] == "length" else ""
        said += f", log-probability {sample['logprob']:.3f}" if "logprob" in sample else ""
        same.setdefault((said, sample["text"].strip()), []).append(str(sample["index"]))
    for (said, response), numbers in same.items():
        yield ", ".join(numbers), said, response


def _declared(asked: Asked, place: int) -> str:
    if _weighed(asked):
        return "choice"
    letter = asked.classes[place]
    return f"class {letter}, {asked.answers[place]}" if letter else "no answer"


def _reasons(story: Story) -> Iterator[str]:
    if story.decided is None:
        yield "  It hangs on other rows, too: no setting can be tried on this row alone."
    elif not story.decided:
        if story.tried:
            names = " or ".join(story.tried)
            yield f"  By this row's samples alone, no other {names} would have ended it otherwise."
        if untried := [name for name in story.settings if name not in story.tried]:
            yield f"  Not tried on this row alone: {', '.join(untried)}."
    for one in story.decided or ():
        side = "at most" if one.other < one.value else "at least"
        yield f"  {one.setting}={one.value} decided: with {side} {one.other:.3g}, {one.then}"


def _short(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else "(none)" if value == "" else value
