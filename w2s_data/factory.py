"""Finished rows -> what LLaMA-Factory reads: dataset rows and their entry in dataset_info.json.

Nothing else in the package knows LLaMA-Factory's data formats. Facts: version 0.9.5,
`llamafactory/data/parser.py` and `converter.py`. It drops malformed rows with a log line and exit
status 0, so a row that it would drop or silently misread is an error here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from w2s_data import io
from w2s_data.errors import W2SError, unknown
from w2s_data.rows import Row

# Training stage -> what its rows end in. orpo and simpo are LLaMA-Factory's dpo with another loss.
SHAPES = {
    "sft": "response",
    "dpo": "pair",
    "orpo": "pair",
    "simpo": "pair",
    "rm": "pair",
    "kto": "tag",
    "pt": "text",
}
FORMATS = ("alpaca", "sharegpt")
INFO = "dataset_info.json"

# Who says what in a conversation; what is read where an entry names no tags.
TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}
_SPEAKERS = {"system": "system", "user": "human", "assistant": "gpt"}


def shape(stage: str) -> str:
    """What a row of `stage` ends in: response, pair, tag or text."""
    if stage not in SHAPES:
        raise unknown("training stage", stage, SHAPES)
    return SHAPES[stage]


def records(
    row: Row, stage: str, format: str = "alpaca", extras: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """The exported rows of one finished row; a kto export of a pair gives two.

    `row` has `id`, `prompt` (text, or chat messages `{role, content}` that end with the user's)
    and its ending: `response`, or `chosen` and `rejected`; kto also takes `response` with a bool
    `kto_tag`; pt takes `text` alone. The keys in `extras` go through beside `id`.
    Raises W2SError that names the row when LLaMA-Factory would drop or misread it.
    """
    _known_format(stage, format)
    if wrong := problem(row, stage, format):
        raise W2SError(f"row {row.get('id')!r} cannot be exported for {stage}: {wrong}")
    absent = [key for key in extras if row.get(key) is None]
    if absent:
        raise W2SError(f"row {row['id']!r} has no {absent[0]!r} to export")
    kept = {key: row[key] for key in extras}
    render = _alpaca if format == "alpaca" else _sharegpt
    if shape(stage) == "text":
        bodies = [{"text": row["text"]}]
    else:
        messages = _messages(row["prompt"])
        bodies = [render(messages, ending) for ending in _endings(row, stage)]
    return [{"id": row["id"]} | body | kept for body in bodies]


def v1_record(row: Row) -> dict[str, Any]:
    """A finished SFT row for LLaMA-Factory's v1 trainer, its `weight` as `loss_weight`.

    Read from 0.9.5 (`USE_V1=1`, `train_dataset: FILE`): v1 trains SFT alone, and divides by the
    sum of the weights of its micro-batch. So weights are relative within a micro-batch, and have
    no effect at all with one row in each, its default; copies have neither limit.
    """
    if wrong := problem(row, "sft", "sharegpt"):
        raise W2SError(f"row {row.get('id')!r} cannot be exported for sft: {wrong}")
    asked = [_v1_message(m["role"], m["content"], 0.0) for m in _messages(row["prompt"])]
    answered = _v1_message("assistant", row["response"], float(row["weight"]))
    return {"id": row["id"], "messages": [*asked, answered]}


def _v1_message(role: str, text: str, weight: float) -> dict[str, Any]:
    content = [{"type": "text", "value": text}]
    return {"role": role, "content": content, "loss_weight": weight}


def problem(row: Row, stage: str, format: str = "alpaca") -> str | None:
    """Why LLaMA-Factory would drop or misread `row` in `stage`; None when it is sound."""
    if not isinstance(row.get("id"), str) or not row["id"]:
        return "its id must be a text that is not empty"
    if shape(stage) == "text":
        return _text_problem("text", row.get("text"))
    if wrong := _prompt_problem(row.get("prompt"), format):
        return wrong
    if shape(stage) == "tag" and "response" in row:
        if not isinstance(row.get("kto_tag"), bool):
            return f"its kto_tag must be true or false, was: {row.get('kto_tag')!r}"
        return _text_problem("response", row["response"])
    if shape(stage) == "response":
        return _text_problem("response", row.get("response"))
    for key in ("chosen", "rejected"):
        if wrong := _text_problem(key, row.get(key)):
            return wrong
    same = row["chosen"].strip() == row["rejected"].strip()
    return "chosen and rejected are the same" if same else None


def entry(stage: str, format: str, file_name: str) -> dict[str, Any]:
    """The complete dataset_info.json entry of a file that holds `records` of `stage`.

    LLaMA-Factory takes every column and tag that a given map leaves out for absent, so both maps
    are whole.
    """
    _known_format(stage, format)
    ending = {
        "response": {"response": "output"},
        "pair": {"chosen": "chosen", "rejected": "rejected"},
        "tag": {"response": "output", "kto_tag": "kto_tag"},
        "text": {},
    }[shape(stage)]
    if shape(stage) == "text":
        columns = {"prompt": "text"}
    elif format == "alpaca":
        columns = {"prompt": "instruction", "query": "input", "system": "system"} | ending
    else:
        columns = {"messages": "conversations"} | ending
        columns.pop("response", None)
    info: dict[str, Any] = {"file_name": file_name, "formatting": format}
    if shape(stage) == "pair":
        info["ranking"] = True
    info["columns"] = columns
    if format == "sharegpt":
        info["tags"] = dict(TAGS)
    return info


def register(folder: str | Path, name: str, entry: dict[str, Any]) -> None:
    """Put `entry` under `name` into folder/dataset_info.json; the other entries stay as they are.

    Safe with other processes doing the same, and when killed: the file is always whole. A file
    that cannot be understood is an error and stays untouched. Written in ASCII, because
    LLaMA-Factory reads it in the machine's own encoding.
    """
    check_name(name)
    path = Path(folder) / INFO
    with io.locked(path.with_name(f".{INFO}.lock")):
        io.sweep(path.parent, INFO)
        known = _read_info(path)
        if known.get(name) == entry:
            return
        with io.atomic(path) as file:
            json.dump(known | {name: entry}, file, indent=2)
            file.write("\n")


def check_name(name: str) -> str:
    """`name` when it can name a dataset and its files; W2SError otherwise."""
    if not name or name != name.strip() or name.startswith("."):
        raise W2SError(
            f"dataset name {name!r} must not be empty, start with a dot or have blanks around it"
        )
    bad = sorted({c for c in name if c in ",/\\" or not c.isprintable()})
    if bad:
        raise W2SError(
            f"dataset name {name!r} must not contain {bad[0]!r}: LLaMA-Factory splits names at "
            "commas, and the name is also the file's"
        )
    return name


def _known_format(stage: str, format: str) -> None:
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if shape(stage) == "text" and format != "alpaca":
        raise W2SError("stage pt has only the alpaca format; leave --format out")


def _text_problem(what: str, value: object) -> str | None:
    if not isinstance(value, str):
        return f"its {what} must be a text, was: {value!r}"
    if not value.strip():
        return f"its {what} is empty"
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"its {what} is not valid Unicode: a lone surrogate at character {error.start}"
    return None


def _prompt_problem(prompt: object, format: str) -> str | None:
    if not isinstance(prompt, list):
        return _text_problem("prompt", prompt)
    if not all(isinstance(m, dict) and isinstance(m.get("role"), str) for m in prompt):
        return "each message of its prompt must be {role, content}"
    for message in prompt:
        if wrong := _text_problem(f"{message['role']} message", message.get("content")):
            return wrong
    turns = [message["role"] for message in prompt]
    if turns[:1] == ["system"]:
        turns = turns[1:]
    if turns != (["user", "assistant"] * len(turns))[: len(turns)] or len(turns) % 2 == 0:
        return "its messages must alternate user and assistant, after at most one system message"
    if format == "alpaca" and len(turns) > 1:
        return "the alpaca format holds one user message; export it as sharegpt"
    return None


def _messages(prompt: str | list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt


def _endings(row: Row, stage: str) -> list[dict[str, Any]]:
    if shape(stage) == "response":
        return [{"response": row["response"]}]
    if shape(stage) == "pair":
        return [{"chosen": row["chosen"], "rejected": row["rejected"]}]
    if "response" in row:
        return [{"response": row["response"], "kto_tag": row["kto_tag"]}]
    return [
        {"response": row["chosen"], "kto_tag": True},
        {"response": row["rejected"], "kto_tag": False},
    ]


def _alpaca(messages: list[dict[str, str]], ending: dict[str, Any]) -> dict[str, Any]:
    system = messages[0]["content"] if messages[0]["role"] == "system" else ""
    tail = {"output" if key == "response" else key: value for key, value in ending.items()}
    return {"instruction": messages[-1]["content"], "input": "", "system": system} | tail


def _sharegpt(messages: list[dict[str, str]], ending: dict[str, Any]) -> dict[str, Any]:
    conversation = [_said(message["role"], message["content"]) for message in messages]
    tail = dict(ending)
    if "response" in tail:
        conversation.append(_said("assistant", tail.pop("response")))
    for key in tail.keys() & {"chosen", "rejected"}:
        tail[key] = _said("assistant", tail[key])
    return {"conversations": conversation} | tail


def _said(role: str, content: str) -> dict[str, str]:
    return {"from": _SPEAKERS[role], "value": content}


def _read_info(path: Path) -> dict[str, Any]:
    """The entries at `path`, {} when there is no file."""
    if not path.exists():
        return {}
    try:
        info = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise W2SError(f"{path}: cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise W2SError(f"{path}: not valid JSON ({error}); repair it or move it away") from None
    if not isinstance(info, dict):
        raise W2SError(f"{path}: expected an object of datasets; repair it or move it away")
    return info
