"""Where records come from: files, and data sets on the hub."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_data.errors import W2SError
from w2s_data.io import read_rows
from w2s_data.rows import Row

if TYPE_CHECKING:
    from w2s_data.tasks import Hub


PROMPTS = ("prompt", "messages")
RESPONSES = (
    *("response", "responses", "output", "outputs", "completion", "completions"),
    *("predict", "prediction", "generated_text"),
)


def file_records(path: str | Path) -> Iterator[tuple[str, Row]]:
    """Yield (`file:line`, record) of a jsonl, json, csv or parquet file."""
    for line, record in read_rows(path):
        yield f"{path}:{line}", record


def field_of(
    record: Row, where: str, name: str, names: Mapping[str, str], aliases: tuple[str, ...]
) -> str | None:
    """The field of `record` that holds our `name`: the one `names` maps it to, else the first alias
    it has, else None. Raises W2SError when the mapped field is not there."""
    if name not in names:
        return next((alias for alias in aliases if alias in record), None)
    if names[name] not in record:
        there = ", ".join(map(str, record))
        raise W2SError(f"{where}: no field {names[name]!r} for {name}; fields there: {there}")
    return names[name]


def responses_of(record: Row, where: str, names: Mapping[str, str]) -> list[str]:
    """The record's response, or its list of them; an empty string is a response, too.

    Raises W2SError when there is none.
    """
    key = field_of(record, where, "response", names, RESPONSES)
    if key is None:
        raise W2SError(
            f"{where}: no response (looked for {', '.join(RESPONSES)}); fields there: "
            f"{', '.join(map(str, record))}; name it with --field response=NAME"
        )
    value = record[key]
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise W2SError(f"{where}: the response must be a string or a list of them, was: {value!r}")
    return texts


def hub_records(hub: Hub) -> Iterator[tuple[str, Row]]:
    """Yield (data set and row number, record) of a data set on the hub.

    The environment variable W2S_HUB names a folder of downloaded data sets to read instead
    (`W2S_HUB/openai/gsm8k/...`). Raises W2SError when the data set cannot be loaded.
    """
    for number, record in enumerate(_load(hub), 1):
        yield f"{hub.path} ({hub.split}) row {number}", record


def _load(hub: Hub) -> Any:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        return load_dataset(_place(hub.path), hub.config, split=hub.split)
    except (DatasetsError, OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise W2SError(
            f"{hub.path} cannot be loaded: {reason}; check the network, name a folder of "
            "downloaded data sets with W2S_HUB, or use your own with --questions FILE"
        ) from None


def _place(path: str) -> str:
    mirror = os.environ.get("W2S_HUB")
    if not mirror:
        return path
    folder = Path(mirror, path)
    if not folder.is_dir():
        raise W2SError(f"{folder}: no such folder: download {path} into it, or unset W2S_HUB")
    return str(folder)
