"""The manifest that `build` left beside a set, held against the files and the code."""

from __future__ import annotations

import json
from pathlib import Path

from w2s_data import methods
from w2s_data.check.entries import Entry
from w2s_data.check.findings import Findings
from w2s_data.errors import W2SError
from w2s_data.io import file_hash, read_rows
from w2s_data.rows import Row


def read_manifest(entry: Entry, found: Findings) -> Row | None:
    """The set's manifest; None when there is none, or, with a finding, none to be read."""
    path = _path(entry)
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text("utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError("it holds no object")
        counts, files = manifest["counts"], manifest["files"]
        if not isinstance(counts["dropped"], dict) or not isinstance(files, dict):
            raise ValueError("counts or files are no objects")
        numbers = [counts["kept"], counts["questions"], counts["rows"], *counts["dropped"].values()]
        if not all(isinstance(number, int) for number in numbers):
            raise ValueError("counts are no numbers")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        message = f"the manifest cannot be read: {type(error).__name__}: {error}"
        found.add("M104", entry.name, message[:200], file=str(path))
        return None
    return manifest


def check_manifest(entry: Entry, manifest: Row, rows: int | None, found: Findings) -> None:
    """Hashes, counts and the wall before ground truth. rows: those on file, None for unknown."""
    path = str(_path(entry))
    for name, known in manifest["files"].items():
        file = entry.folder / Path(name).name
        if not file.is_file():
            found.add("M101", entry.name, f"{name} is not there", file=path)
        elif file_hash(file) != known:
            found.add("M101", entry.name, f"{name} is not the file that was built", file=path)
    for wrong in _counts(entry, manifest, rows):
        found.add("M102", entry.name, wrong, file=path)
    seen = manifest.get("gold_seen")
    declared = _declared(manifest)
    if declared is not None and seen is not declared:
        says = "sees" if declared else "does not see"
        message = f"gold_seen is {seen!r}, but stage {manifest['stage']!r} {says} ground truth"
        found.add("M103", entry.name, message, file=path)


def _path(entry: Entry) -> Path:
    return entry.folder / f"{entry.name}.manifest.json"


def _counts(entry: Entry, manifest: Row, rows: int | None) -> list[str]:
    counts, wrong = manifest["counts"], []
    dropped = sum(counts["dropped"].values())
    if counts["kept"] + dropped != counts["questions"]:
        wrong.append(
            f"{counts['kept']} kept and {dropped} dropped are not {counts['questions']} questions"
        )
    if rows is not None and rows % max(counts["rows"], 1) and rows != counts["rows"]:
        wrong.append(f"{counts['rows']} rows were built, {rows} are on file")
    lost = entry.folder / f"{entry.name}.dropped.jsonl"
    if lost.is_file():
        try:
            there = sum(1 for _ in read_rows(lost))
        except W2SError:
            there = -1
        if there != dropped:
            wrong.append(f"{dropped} questions were dropped, {lost.name} holds {max(there, 0)}")
    return wrong


def _declared(manifest: Row) -> bool | None:
    """Whether the stage's signature asks for ground truth; None where the stage is not known."""
    try:
        return methods.sees_gold(methods.get(manifest["method"], manifest["stage"]))
    except (KeyError, TypeError, W2SError, ImportError):
        return None
