"""The entries of dataset_info.json as LLaMA-Factory 0.9.5 understands them, and their mistakes."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from w2s_data.check.findings import Findings
from w2s_data.errors import nearest
from w2s_data.factory import INFO, SHAPES, TAGS, shape

# In the order in which LLaMA-Factory looks for them.
SOURCES = (
    "hf_hub_url",
    "ms_hub_url",
    "om_hub_url",
    "script_url",
    "cloud_file_name",
    "file_name",
)
OTHER_KEYS = (
    "formatting",
    "ranking",
    "subset",
    "split",
    "folder",
    "num_samples",
    "columns",
    "tags",
)
COLUMNS = {
    "prompt": "instruction",
    "query": "input",
    "response": "output",
    "history": None,
    "messages": "conversations",
    "system": None,
    "tools": None,
    "images": None,
    "videos": None,
    "audios": None,
    "chosen": None,
    "rejected": None,
    "kto_tag": None,
}
NEEDED_TAGS = ("role_tag", "content_tag", "user_tag", "assistant_tag")
FORMATTINGS = ("alpaca", "sharegpt", "openai")
TYPES = {"arrow": "arrow", "csv": "csv", "json": "json", "jsonl": "json",
         "parquet": "parquet", "txt": "text"}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One dataset: where it lies, and which column and tag plays which part (None for none)."""

    name: str
    folder: Path
    source: str
    target: Any
    formatting: Any
    ranking: Any
    columns: dict[str, Any]
    tags: dict[str, Any]
    raw: dict[str, Any]

    @property
    def info(self) -> str:
        return str(self.folder / INFO)

    def stage(self) -> str:
        """What the set is for, as far as the entry tells."""
        if self.ranking:
            return "dpo"
        if self.columns["kto_tag"]:
            return "kto"
        mapped = {part for part, column in self.columns.items() if column}
        return "pt" if mapped == {"prompt"} else "sft"

    def files(self) -> list[Path]:
        """The files of the set, in the order in which they are read; [] when there are none."""
        path = self.folder / str(self.target)
        if path.is_dir():
            with contextlib.suppress(OSError):
                return [path / name for name in os.listdir(path)]
        return [path] if path.is_file() else []

    def kind(self) -> str | None:
        """The loader of the files; None when there are none, or not of one known type."""
        kinds = {TYPES.get(path.suffix[1:]) for path in self.files()}
        return kinds.pop() if len(kinds) == 1 else None


def read_info(folder: Path, found: Findings) -> dict[str, Any] | None:
    """The object in dataset_info.json, None with a finding when there is none to be read."""
    path = folder / INFO
    try:
        info = json.loads(path.read_text("utf-8"))
    except OSError as error:
        message = f"{INFO} cannot be read: {error.strerror or error}"
    except (ValueError, RecursionError) as error:
        message = f"{INFO} is not JSON: {error}"
    else:
        if isinstance(info, dict):
            return info
        message = f"{INFO} holds no object, but {type(info).__name__}"
    found.add("W302", INFO, message, file=str(path))
    return None


def entry(folder: Path, name: str, info: dict[str, Any], found: Findings) -> Entry | None:
    """The dataset's entry; None, with a finding, when LLaMA-Factory could not take it."""
    where = str(folder / INFO)
    if name not in info:
        close = nearest(name, info)[:3]
        hint = f"; near it: {', '.join(close)}" if close else ""
        found.add("W301", name, f"{name!r} is not defined in {INFO}{hint}", file=where)
        return None
    if not can_be_named(name):
        found.add("W305", name, file=where)
    raw = info[name]
    if wrong := _not_understood(raw):
        found.add("W307", name, wrong, file=where)
        return None
    source = next(key for key in SOURCES if key in raw)
    made = Entry(
        name,
        folder,
        source,
        raw[source],
        raw.get("formatting", "alpaca"),
        raw.get("ranking", False),
        _mapped(COLUMNS, raw.get("columns")),
        _mapped(TAGS, raw.get("tags")),
        raw,
    )
    _check_keys(made, found)
    return made


def can_be_named(name: str) -> bool:
    """Whether a recipe can ask for the dataset."""
    return "," not in name and name == name.strip() and name != ""


def _not_understood(raw: Any) -> str | None:
    if not isinstance(raw, dict):
        return f"the entry is no object, but {type(raw).__name__}"
    if not raw.keys() & set(SOURCES):
        return "the entry names no file_name"
    for key in ("columns", "tags"):
        if key in raw and not isinstance(raw[key], dict):
            return f"{key} is no object, but {type(raw[key]).__name__}"
        nested = [name for name, to in raw.get(key, {}).items() if isinstance(to, list | dict)]
        if nested:
            return f"{key}.{nested[0]} is no text"
    source = next(key for key in SOURCES if key in raw)
    if not isinstance(raw[source], str) or not raw[source]:
        return f"{source} is no text"
    return None


def _mapped(defaults: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    """The map as LLaMA-Factory takes it: once there is one, nothing has a default."""
    return dict(defaults) if given is None else {key: given.get(key) for key in defaults}


def _check_keys(made: Entry, found: Findings) -> None:
    known = {"": SOURCES + OTHER_KEYS, "columns": tuple(COLUMNS), "tags": tuple(TAGS)}
    for part, keys in known.items():
        given = made.raw.get(part, {}) if part else made.raw
        for key in given:
            if key not in keys:
                near = nearest(key, keys)[0]
                inside = f"{part}.{key}" if part else key
                found.add("W102", made.name, f"unknown key {inside!r}; near it: {near}",
                          file=made.info)  # fmt: skip
    if sum(key in made.raw for key in SOURCES) > 1:
        found.add("W309", made.name, file=made.info)
    if made.raw.get("num_samples") is not None:
        found.add("W310", made.name, file=made.info)


def check_entry(made: Entry, stage: str, found: Findings) -> None:
    """What the entry alone shows to be wrong for a training stage."""
    _check_formatting(made, stage, found)
    _check_ranking(made, stage, found)
    _check_source(made, found)


def _check_formatting(made: Entry, stage: str, found: Findings) -> None:
    if made.formatting not in FORMATTINGS:
        message = f"formatting {made.formatting!r} is not alpaca, sharegpt or openai"
        found.add("W106", made.name, message, file=made.info)
        return
    if made.formatting == "openai":
        found.add("W107", made.name, file=made.info)
    missing = [part for part in _needed(made, stage) if not made.columns[part]]
    if missing:
        message = f"columns leaves out {', '.join(missing)}, which {stage} needs"
        found.add("W103", made.name, message, file=made.info)
    if made.formatting != "alpaca":
        absent = [tag for tag in NEEDED_TAGS if not made.tags[tag]]
        if absent:
            message = f"tags leaves out {', '.join(absent)}"
            found.add("W104", made.name, message, file=made.info)
    used: dict[str, str] = {}
    for part, column in made.columns.items():
        if isinstance(column, str) and part in _parts(made):
            first = used.setdefault(column, part)
            if first != part:
                message = f"{first} and {part} are both mapped to {column!r}"
                found.add("W108", made.name, message, file=made.info)


def _needed(made: Entry, stage: str) -> list[str]:
    prompt = "prompt" if made.formatting == "alpaca" else "messages"
    endings = {"pair": ["chosen", "rejected"], "tag": ["kto_tag"], "text": [], "response": []}
    needed = [prompt, *endings[shape(stage)]]
    if made.formatting == "alpaca" and shape(stage) in ("response", "tag"):
        needed.append("response")
    return needed


def _parts(made: Entry) -> set[str]:
    """The parts of a row that this formatting reads."""
    alpaca = {"prompt", "query", "response", "history"}
    rest = set(COLUMNS) - alpaca - {"messages"}
    return rest | (alpaca if made.formatting == "alpaca" else {"messages"})


def _check_ranking(made: Entry, stage: str, found: Findings) -> None:
    if not isinstance(made.ranking, bool):
        message = f"ranking is {made.ranking!r}, not true or false"
        found.add("W201", made.name, message, file=made.info)
    pairs = SHAPES[stage] == "pair"
    if pairs and not made.ranking:
        message = f"{stage} needs ranking: true, the entry has {made.ranking!r}"
        found.add("W202", made.name, message, file=made.info)
    elif not pairs and made.ranking:
        message = f"the entry has ranking: {made.ranking!r}, but {stage} trains on single responses"
        found.add("W202", made.name, message, file=made.info)
    elif made.columns["chosen"] and made.columns["rejected"] and not made.ranking:
        found.add("W203", made.name, file=made.info)
    if pairs and made.ranking and made.columns["kto_tag"]:
        found.add("W204", made.name, file=made.info)


def _check_source(made: Entry, found: Findings) -> None:
    if made.source == "script_url":
        found.add("W308", made.name, file=made.info)
    if made.source != "file_name":
        return
    files = made.files()
    if not files:
        message = f"{made.folder / str(made.target)} is not there, or empty"
        found.add("W303", made.name, message, file=made.info)
        return
    if made.kind() is None:
        endings = ", ".join(sorted({path.suffix or path.name for path in files}))
        found.add("W304", made.name, f"cannot load {endings}", file=made.info)
