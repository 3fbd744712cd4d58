"""Where records come from, files and data sets on the hub, and how their fields are named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError, unknown
from w2s_data.io import read_rows
from w2s_data.rows import Row, digest, question_id
from w2s_data.tasks import ALIASES, BINARY, GOLD_FIELDS, SOURCES, SPLITS, Hub, Task

PROMPTS = ("prompt", "messages")
RESPONSES = (
    *("response", "responses", "output", "outputs", "completion", "completions"),
    *("predict", "prediction", "generated_text"),
)


def records(
    task: Task,
    split: str,
    source: str,
    file: str | Path | None,
    fields: Mapping[str, str] | None,
) -> Iterator[Row]:
    """The split's records, gold and all, under our names (the keys of `tasks.ALIASES`).

    Each has an id no other has, `where` it stands and the names of the fields `there`.
    """
    if source not in SOURCES:
        raise unknown("source", source, SOURCES)
    if split not in (known := list(dict.fromkeys([*SPLITS, *task.files, *task.hub]))):
        raise unknown("split", split, known)
    names = dict(task.fields) | dict(fields or {})
    for name in names.keys() - ALIASES.keys():
        raise unknown("field", name, ALIASES)

    def read(raw: Iterable[tuple[str, Row]]) -> Iterator[Row]:
        named = (_named(record, where, names, task) for where, record in raw)
        return _identified(task, named)

    if file is not None:
        return read(_of_file(task, file_records(file), fields))
    if source == "file":
        raise W2SError("source 'file' needs a file: name one with --questions FILE")
    if source == "hub":
        return _from_hub(task, split, read)
    if split not in task.files:
        raise W2SError(
            f"task {task.name!r} has no bundled questions for split {split!r}: "
            "use --source hub, or your own with --questions FILE"
        )
    return _balanced(task, lambda: read(_formed(task, file_records(task.files[split]))))


def _formed(task: Task, raw: Iterable[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
    """The records as the task's `form` makes them."""
    for where, record in raw:
        formed = task.form(record) if task.form else record
        if formed is not None:
            yield where, formed


def _of_file(
    task: Task, raw: Iterable[tuple[str, Row]], fields: Mapping[str, str] | None
) -> Iterator[tuple[str, Row]]:
    """A file's records; those of a binary task in its data set's own schema as on the hub, unless
    the user names the fields."""
    if fields or not task.form or task.name not in BINARY:
        yield from raw
        return
    from w2s_data.tasks.binary import of_file

    for where, record in raw:
        formed = of_file(task.name, record, where)
        if formed is not None:
            yield where, formed


def _balanced(task: Task, read: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    """As many records of each answer, if the task wants it: those with the least hash stay."""
    if not task.balanced:
        return read()
    ranks: dict[str, list[int]] = {}
    for record in read():
        ranks.setdefault(record["answer"], []).append(_rank(record))
    least = min(map(len, ranks.values()), default=0) if len(ranks) > 1 else 0
    last = {answer: sorted(own)[least - 1] for answer, own in ranks.items() if least}
    return (r for r in read() if _rank(r) <= last.get(r["answer"], -1))


def _from_hub(
    task: Task, split: str, read: Callable[[Iterable[tuple[str, Row]]], Iterator[Row]]
) -> Iterator[Row]:
    if split not in task.hub:
        raise W2SError(
            f"task {task.name!r} has no split {split!r} on the hub: use --questions FILE"
        )
    hub = task.hub[split]
    other = read(hub_records(hub.without)) if hub.without else ()
    excluded = {mark for record in other for mark in _marks(record)}

    def kept() -> Iterator[Row]:
        rows = read(_formed(task, hub_records(hub)))
        return (row for row in rows if excluded.isdisjoint(_marks(row)))

    half = hub.half
    return _balanced(task, kept if half is None else lambda: _half(kept, half))


def _marks(record: Row) -> tuple[str, str]:
    """By what a record is known in another data set: its id, and its text but for blanks."""
    return record["id"], digest(*record["question"].split())


def _half(records: Callable[[], Iterator[Row]], half: int) -> Iterator[Row]:
    """One of two halves (the second has the odd row), by a seeded hash of the id: any order of
    the rows gives the same halves."""
    ranks = sorted(_rank(record) for record in records())
    middle = ranks[len(ranks) // 2] if ranks else 0
    return (record for record in records() if (_rank(record) < middle) == (half == 1))


def _rank(record: Row) -> int:
    return int(digest("half", "42", record["id"])[:16], 16)


def _named(record: Row, where: str, names: Mapping[str, str], task: Task) -> Row:
    """The record under our names. No field serves two of them, so gold cannot pass as another."""
    record = record | _nested(record, names.values())
    required = {name: key for name, key in names.items() if name not in GOLD_FIELDS}
    aliases = {name: known + task.aliases.get(name, ()) for name, known in ALIASES.items()}
    found = {name: field_of(record, where, name, required, aliases[name]) for name in ALIASES}
    found |= {name: names[name] for name in GOLD_FIELDS if name in names}
    used: dict[str, str] = {}
    for name, key in found.items():
        if key is not None and used.setdefault(key, name) != name:
            raise W2SError(
                f"{where}: field {key!r} cannot be both {used[key]} and {name}: "
                f"name another with --field {name}=NAME"
            )
    named = {name: record[key] for name, key in found.items() if key in record}
    return named | {"where": where, "there": ", ".join(map(str, record))}


def _nested(record: Row, keys: Iterable[str]) -> Row:
    """The fields of fields that a dotted key names, as `original.task`."""
    split = {key: key.split(".", 1) for key in keys if "." in key and key not in record}
    outer = {key: (record.get(first), rest) for key, (first, rest) in split.items()}
    return {
        key: inner[rest]
        for key, (inner, rest) in outer.items()
        if isinstance(inner, dict) and rest in inner
    }


def _identified(task: Task, records: Iterable[Row]) -> Iterator[Row]:
    """The records with a checked question and an id no other has."""
    lines: dict[bytes, str] = {}
    repeats: dict[bytes, int] = {}
    for record in records:
        record["question"] = _checked_question(record)
        if task.shape:
            record |= task.shape(record)
        row_id = _id(record)
        if row_id is None:
            row_id = question_id(task.name, _asked(record, task))
            count = repeats[_short(row_id)] = repeats.get(_short(row_id), 0) + 1
            row_id = row_id if count == 1 else f"{row_id}-{count}"
        first = lines.setdefault(_short(row_id), record["where"])
        if first != record["where"]:
            raise W2SError(
                f"{record['where']}: id {row_id!r} stands at {first} already; ids must be unique"
            )
        yield record | {"id": row_id}


def _asked(record: Row, task: Task) -> str:
    """The question's text, with its options where it has some."""
    return "\n".join([record["question"], *(record.get("choices", ()) if task.shape else ())])


def _short(text: str) -> bytes:
    return bytes.fromhex(digest(text)[:32])


def _checked_question(record: Row) -> str:
    if "question" not in record:
        raise W2SError(
            f"{record['where']}: no field for the question (looked for "
            f"{', '.join(ALIASES['question'])}); fields there: {record['there']}; "
            "name it with --field question=NAME"
        )
    question = record["question"]
    if not isinstance(question, str) or not question.strip():
        raise W2SError(
            f"{record['where']}: the question must be a non-empty string, was: {question!r}"
        )
    return question


def _id(record: Row) -> str | None:
    """The record's id as a string; None when it has none."""
    value = record.get("id")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise W2SError(f"{record['where']}: the id must be a string or an integer, was: {value!r}")
    return value if value and value.strip() else None


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
        place = _place(hub.path)
        if hub.parquet and place == hub.path:
            branch = "refs/convert/parquet"
            return load_dataset(place, data_dir=hub.config, split=hub.split, revision=branch)
        return load_dataset(place, hub.config, split=hub.split)
    except (DatasetsError, OSError, RuntimeError, ValueError) as error:
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
