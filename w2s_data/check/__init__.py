"""Check LLaMA-Factory data folders before they cost GPU hours.

`check` loads every set with the call that LLaMA-Factory makes, converts every row by its rules,
asks LLaMA-Factory itself where it is installed, and says what would be lost or learnt wrongly.
The rules are in `rules`; the families of mistakes are those most frequent upstream.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from w2s_data import tasks
from w2s_data.check import trainer
from w2s_data.check.content import Content, texts
from w2s_data.check.copies import Copies
from w2s_data.check.cuts import Cuts, check_model, check_template, tokenizer_of
from w2s_data.check.entries import Entry, can_be_named, check_entry, entry, read_info
from w2s_data.check.findings import Finding, Findings, Place, Verdict
from w2s_data.check.leakage import Tested
from w2s_data.check.manifests import check_manifest, read_manifest
from w2s_data.check.rows import Unloadable, count, load
from w2s_data.check.rules import ERROR, RULES, WARNING, Rule
from w2s_data.check.run_state import Plan, check_recipe, read_recipe
from w2s_data.check.survey import Survey
from w2s_data.errors import W2SError, unknown
from w2s_data.factory import INFO, SHAPES

__all__ = ["ERROR", "RULES", "WARNING", "Finding", "Findings", "Place", "Rule", "Verdict", "check"]

# Without a recipe, the sets whose names say that they are not trained on.
HELD_OUT = re.compile(r"(?:^|[^a-z])(?:test|eval|valid|validation|dev|heldout)(?:[^a-z]|$)", re.I)


def check(
    folder: str | Path | None = None,
    names: Iterable[str] = (),
    *,
    recipe: str | Path | None = None,
    stage: str | None = None,
    model: str | None = None,
    template: str | None = None,
    cutoff_len: int | None = None,
    task: str | None = None,
    test: str | Path | None = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    ask_trainer: bool = True,
) -> Findings:
    """Check the sets `names` of a dataset folder ("data"), or all that dataset_info.json has.

    recipe: a training recipe, checked with the sets it names; it gives folder, stage, model,
    template and cutoff_len, too. stage: what the sets are to train (a key of `factory.SHAPES`;
    by default what manifest or entry say). model: a folder or hub id with the tokenizer. task: a
    task's name, for what needs answers and test questions (by default the manifest's). test: a
    file of test questions. select, ignore: codes or their beginnings. ask_trainer: ask
    LLaMA-Factory, where it is installed. Raises W2SError when there is nothing to check.
    """
    found = Findings(select, ignore)
    if stage is not None and stage not in SHAPES:
        raise unknown("training stage", stage, SHAPES)
    plan = read_recipe(recipe) if recipe else None
    known = tasks.get(task) if task else None
    root = Path(folder) if folder else plan.folder if plan else Path("data")
    values = dict(plan.values) if plan else {}
    values |= {"template": template} if template else {}
    values |= {"cutoff_len": cutoff_len} if cutoff_len else {}
    model = model or str(values.get("model_name_or_path") or "") or None
    if plan:
        check_recipe(plan, found)
    elif not root.is_dir():
        raise W2SError(f"{root}: no such folder; name the folder that holds {INFO}")
    where = plan.path if plan else str(root / INFO)
    run = _Run(found, plan, values, model, known, stage, where)
    info = read_info(root, found)
    if info is not None:
        chosen = list(dict.fromkeys(names)) or _planned(plan) or list(info)
        made = [entry(root, name, info, found) for name in chosen]
        run.check([each for each in made if each], ask_trainer, test)
    return found


def _planned(plan: Plan | None) -> list[str]:
    return list(dict.fromkeys(plan.train + plan.evaluate)) if plan else []


class _Run:
    """One call of `check`: what its sets share."""

    def __init__(
        self,
        found: Findings,
        plan: Plan | None,
        values: dict[str, Any],
        model: str | None,
        task: tasks.Task | None,
        stage: str | None,
        where: str,
    ):
        self.found, self.plan, self.values, self.model = found, plan, values, model
        self.task, self.stage, self.where = task, stage, where
        self.tested: list[Tested] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.special: list[str] | None = None
        self.tokenizer: Any = None

    def check(self, entries: list[Entry], ask_trainer: bool, test: str | Path | None) -> None:
        manifests = {each.name: read_manifest(each, self.found) for each in entries}
        stages = {each.name: self._stage(each, manifests[each.name]) for each in entries}
        for each in entries:
            check_entry(each, stages[each.name], self.found)
        local = [each for each in entries if self._loadable(each)]
        self._ask(local, stages, ask_trainer)
        self._open_tests(test, manifests)
        for each in sorted(local, key=self._held_out, reverse=True):
            self._set(each, stages[each.name], manifests[each.name])

    def _stage(self, made: Entry, manifest: dict[str, Any] | None) -> str:
        if self.stage or self.plan:
            return self.stage or self.plan.stage  # type: ignore[union-attr]
        trains = manifest.get("trains") if manifest else None
        return trains if isinstance(trains, str) and trains in SHAPES else made.stage()

    def _loadable(self, made: Entry) -> bool:
        if made.source != "file_name":
            self.found.skip(f"{made.name}: its rows lie elsewhere ({made.source})")
            return False
        return made.kind() is not None and can_be_named(made.name)

    def _held_out(self, made: Entry) -> bool:
        if self.plan:
            return made.name in self.plan.evaluate and made.name not in self.plan.train
        return bool(HELD_OUT.search(made.name))

    def _ask(self, entries: list[Entry], stages: dict[str, str], ask_trainer: bool) -> None:
        """Ask LLaMA-Factory about all sets at once, because it is slow to start."""
        if self.model:
            check_model(self.model, self.values, self.where, self.found)
        else:
            self.found.skip("truncation and template: name a tokenizer by --model or --recipe")
        if not ask_trainer or not trainer.installed() or not entries:
            if not trainer.installed():
                self.found.skip("LLaMA-Factory's own verdict: it is not installed here")
            if self.model:
                self.tokenizer = tokenizer_of(self.model, self.found)
                self.special = self.tokenizer and sorted(set(self.tokenizer.all_special_tokens))
            return
        requests = []
        for each in entries:
            if any(each.columns[part] for part in ("images", "videos", "audios")):
                self.found.skip(f"{each.name}: its images, videos and audios")
            else:
                request = {"folder": str(each.folder), "name": each.name}
                requests.append(request | {"stage": stages[each.name]})
        said = trainer.ask(requests, self.values, self.model)
        if "failed" in said:
            self.found.skip(f"LLaMA-Factory's own verdict: it could not be asked: {said['failed']}")
            return
        self.answers = {each["name"]: each for each in said["sets"]}
        self.special = said["template"].get("special")
        check_template(said["template"], self.values, self.where, self.found)

    def _open_tests(
        self, test: str | Path | None, manifests: dict[str, dict[str, Any] | None]
    ) -> None:
        """The questions that no training set may hold."""
        if not self.found.wants("W913", "W914"):
            return
        known = self.task
        bundled = [each for each in manifests.values() if each and each.get("source") == "bundled"]
        if test:
            known = known or tasks.get("math")
            asked = tasks.questions(known, "test", source="file", file=test)
            self.tested.append(Tested(str(test), "W913", (row["question"] for row in asked)))
        elif known or bundled:
            known = known or _task(bundled[0])
            if known and "test" in known.files:
                asked = tasks.questions(known, "test")
                name = f"the test set of {known.name}"
                self.tested.append(Tested(name, "W913", (row["question"] for row in asked)))

    def _set(self, made: Entry, stage: str, manifest: dict[str, Any] | None) -> None:
        """Load one set and show every row of it to every rule."""
        found = self.found
        survey = Survey(made, stage, found)
        val_size = self.plan.val_size if self.plan else 0.0
        about = "" if self.plan else _base(made.name)
        held_out = Tested(made.name, "W912", about=about) if self._held_out(made) else None
        task = self.task or _task(manifest)
        content = Content(made, stage, found, task, self.special)
        copies = Copies(made, found, val_size)
        cuts = Cuts(made, found, self.answers.get(made.name), self.values, self.tokenizer)
        with tempfile.TemporaryDirectory(prefix="w2s-check-") as cache:
            try:
                for seen in survey.run(load(made, cache)):
                    has = texts(made, stage, seen)
                    for rule in (content, copies, cuts):
                        rule.see(seen, has)
                    for tested in () if held_out else self.tested:
                        if tested.about in ("", _base(made.name)):
                            tested.look(made, found, seen, has)
                    for asked in has.prompt[-1:] if held_out else ():
                        held_out.add(asked)  # type: ignore[union-attr]
            except Unloadable as error:
                survey.fails = error.message
                found.add("W401", made.name, error.message, error.place, made.info)
        content.end()
        copies.end()
        found.sets[made.name] = Verdict(survey.rows, survey.dropped, survey.fails)
        self.tested += [held_out] if held_out else []
        self._compare(made, survey)
        if manifest:
            check_manifest(made, manifest, survey.rows or None, found)

    def _compare(self, made: Entry, survey: Survey) -> None:
        """Rows on file, rows by our rules, rows by LLaMA-Factory itself."""
        if not survey.fails:
            there = sum(count(path) or 0 for path in made.files())
            if there and there != survey.rows:
                message = f"the file has {there:,} lines or items, {survey.rows:,} rows load"
                self.found.add("W408", made.name, message, file=str(made.files()[0]))
        theirs = self.answers.get(made.name)
        if theirs is None or made.raw.get("num_samples") is not None:
            return
        ours = bool(survey.fails), [] if survey.fails else survey.dropped
        if ours != (theirs["fails"] is not None, [] if theirs["fails"] else theirs["dropped"]):
            says = theirs["fails"] or f"it drops {len(theirs['dropped'])} rows"
            here = survey.fails or f"it drops {len(survey.dropped)} rows"
            message = f"LLaMA-Factory: {says}; by the rules known here: {here}"
            self.found.add("W410", made.name, message, file=made.info)


def _base(name: str) -> str:
    """`gsm8k` of gsm8k_test, gsm8k_train and gsm8k: the sets that belong together by name."""
    return re.sub("train", "", HELD_OUT.sub("", name), flags=re.I).strip("_-. ")


def _task(manifest: dict[str, Any] | None) -> tasks.Task | None:
    name = manifest.get("task") if manifest else None
    return tasks.get(name) if isinstance(name, str) and name in tasks.TASKS else None
