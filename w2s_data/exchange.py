"""Generations in and out of the response store: published files become samples, samples a file.

A file has one row per response, in the order of the samples of its prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from w2s_data import show
from w2s_data.backends.replay import recorded
from w2s_data.errors import W2SError, out_of_range, unknown
from w2s_data.io import read_rows, write_rows
from w2s_data.rows import Row, Sample
from w2s_data.store import SURROGATE, Prompt, Request, Store, key_of
from w2s_data.tasks import ALIASES as QUESTION_ALIASES
from w2s_data.tasks import Task, ask
from w2s_data.tasks.sources import PROMPTS, RESPONSES, field_of, responses_of

ALIASES = {
    "prompt": PROMPTS,
    "question": QUESTION_ALIASES["question"],
    "choices": QUESTION_ALIASES["choices"],
    "response": RESPONSES,
    "sample": ("sample",),
    "model": ("model",),
    "parameters": ("parameters",),
    "finish": ("finish", "finish_reason"),
    "tokens": ("tokens", "num_tokens"),
    "logprob": ("logprob",),
}
PARAMETERS = Request("").parameters() | {"choices": ()}
BATCH = 1000


@dataclass
class Imported:
    """What an import did: rows read, their prompts and responses, how many were new or there."""

    rows: int = 0
    prompts: int = 0
    responses: int = 0
    added: int = 0
    already: int = 0


def import_responses(
    path: str | Path,
    *,
    store: Store,
    task: Task | None = None,
    model: str | None = None,
    fields: Mapping[str, str] | None = None,
    start: int = 0,
    **parameters: Any,
) -> Imported:
    """Keep the generations in `path` (jsonl, json, csv, parquet) in the store.

    `fields` maps our names (the keys of ALIASES) to the file's. The prompt is the file's, as text
    or chat messages; without one the task's prompt is rendered around the question. A response may
    be a list. Responses count up from sample `start` for each prompt, in order, where the file
    has no `sample`. `model` is the fingerprint to keep them under, the row's `model` by default;
    under `replay:NAME` they answer the prompt whatever it is asked with. Otherwise `parameters`
    (temperature, top_p, max_tokens, stop, seed, logprobs) say how they were generated: given here,
    else in the row's `parameters`, else the task's and those of `Request`.

    Importing a file again adds nothing, and so does a file that is torn. Raises W2SError naming
    file and line for a missing or malformed field, and for a sample that is stored with another
    text.
    """
    for name in (fields or {}).keys() - ALIASES.keys():
        raise unknown("field", name, ALIASES)
    done, counts = Imported(), dict[str, int]()
    given = _parameters(parameters)
    items = _Reader(path, task, model, dict(fields or {}), start, given).read(counts, done)
    total = sum(1 for _ in read_rows(path))
    with show.progress("import", total) as advance:
        read = 0
        while batch := list(islice(items, BATCH)):
            _add(store, path, batch, done)
            advance(done.rows - read)
            read = done.rows
    done.prompts = len(counts)
    return done


class Item(NamedTuple):
    """A response on its way into the store, with its line and its request's key there."""

    line: int
    model: str
    key: str
    request: Request
    sample: Sample


@dataclass(frozen=True)
class _Reader:
    """How the rows of one file are read."""

    path: str | Path
    task: Task | None
    model: str | None
    names: Mapping[str, str]
    start: int
    parameters: Mapping[str, Any]

    def read(self, counts: dict[str, int], done: Imported) -> Iterator[Item]:
        """Yield the file's responses; `counts` numbers the samples of each request."""
        for line, row in read_rows(self.path):
            done.rows += 1
            where = f"{self.path}:{line}"
            found = self._named(row, where)
            model = self._model(found, where)
            request = self._request(found, model, where)
            key = key_of(request, model)
            first = _index(found.get("sample"), counts.get(key, self.start), where)
            texts = responses_of(row, where, self.names)
            counts[key] = first + len(texts)
            for index, text in enumerate(texts, first):
                yield Item(line, model, key, request, _sample(found, index, text, where))

    def _named(self, row: Row, where: str) -> Row:
        keys = {
            name: field_of(row, where, name, self.names, aliases)
            for name, aliases in ALIASES.items()
        }
        return {name: row[key] for name, key in keys.items() if key is not None}

    def _model(self, found: Row, where: str) -> str:
        model = self.model or found.get("model")
        if not model or not isinstance(model, str):
            raise W2SError(
                f"{where}: whose responses are these? Name a model: replay:NAME keeps them "
                "under that name"
            )
        return model

    def _request(self, found: Row, model: str, where: str) -> Request:
        prompt = self._prompt(found, where)
        if model.startswith("replay:"):
            choices = _parameters(found.get("parameters") or {}).get("choices")
            return Request(prompt, choices=choices) if choices else recorded(prompt)
        values: dict[str, Any] = {}
        if self.task:
            values = {"max_tokens": self.task.max_tokens, "stop": self.task.stop}
        try:
            values |= _parameters(found.get("parameters") or {})
            return Request(prompt, **(values | dict(self.parameters)))
        except W2SError as error:
            raise W2SError(f"{where}: {error}") from None

    def _prompt(self, found: Row, where: str) -> Prompt:
        if "prompt" in found:
            return _checked_prompt(found["prompt"], where)
        question = found.get("question")
        if question is None:
            raise W2SError(
                f"{where}: neither a prompt nor a question; name one with --field prompt=NAME "
                "or --field question=NAME"
            )
        if self.task is None:
            raise W2SError(f"{where}: a question without a prompt needs --task to write it")
        if not isinstance(question, str) or not question.strip():
            raise W2SError(f"{where}: the question must be a non-empty string, was: {question!r}")
        asked = {"question": question, "choices": found.get("choices")}
        if self.task.shape:
            asked |= self.task.shape(asked | {"where": where, "there": ", ".join(found)})
        return ask(self.task, asked)


def _checked_prompt(value: Any, where: str) -> Prompt:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(map(_is_message, value)):
        return tuple(value)
    raise W2SError(
        f"{where}: the prompt must be a non-empty string or chat messages "
        f"(role, content), was: {value!r}"
    )


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and {"role", "content"} <= value.keys()
        and all(isinstance(text, str) for text in value.values())
    )


def _parameters(given: Any) -> dict[str, Any]:
    """Sampling parameters, checked, in the types of `Request`: 1 is 1.0 in the store's key."""
    if not isinstance(given, dict):
        raise W2SError(f"parameters must be an object, was: {given!r}")
    for name in given.keys() - PARAMETERS.keys():
        raise unknown("parameter", name, PARAMETERS)
    return {name: _typed(name, value) for name, value in given.items()}


def _typed(name: str, value: Any) -> Any:
    kind = type(PARAMETERS[name])
    if kind is tuple:
        stops = [value] if isinstance(value, str) else value
        if isinstance(stops, list | tuple) and all(isinstance(stop, str) for stop in stops):
            return tuple(stops)
        raise out_of_range(name, "a list of strings", value)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise out_of_range(name, f"of type {kind.__name__}", value)
    return kind(value)


def _index(value: Any, following: int, where: str) -> int:
    """The row's own sample index, or the one that follows."""
    if value in (None, ""):
        return following
    if isinstance(value, bool) or not str(value).isdecimal():
        raise W2SError(f"{where}: sample must be an integer >= 0, was: {value!r}")
    return int(value)


def _sample(found: Row, index: int, text: str, where: str) -> Sample:
    try:
        tokens = int(found.get("tokens") or 0)
        logprob = None if found.get("logprob") in (None, "") else float(found["logprob"])
    except (TypeError, ValueError):
        raise W2SError(f"{where}: tokens and logprob must be numbers") from None
    finish = "length" if found.get("finish") == "length" else "stop"
    sample = Sample(index=index, text=SURROGATE.sub("\ufffd", text), finish=finish, tokens=tokens)
    if logprob is not None:
        sample["logprob"] = logprob
    return sample


def _add(store: Store, path: str | Path, batch: list[Item], done: Imported) -> None:
    """Store a batch. What is stored already must have the same text."""
    fresh: dict[str, dict[tuple[str, int], tuple[Request, Sample]]] = {}
    for line, model, key, request, sample in batch:
        one = replace(request, start=sample["index"])
        new = fresh.setdefault(model, {})
        place = (key, sample["index"])
        before = [new[place][1]] if place in new else store.samples(one, model)
        if before and before[0]["text"] != sample["text"]:
            raise W2SError(
                f"{path}:{line}: the store holds another text as sample {sample['index']} of this "
                f"prompt under {model!r}; import the file under another name"
            )
        done.responses += 1
        done.already += bool(before)
        if not before:
            new[place] = (request, sample)
    for model, new in fresh.items():
        store.add_many(((request, [sample]) for request, sample in new.values()), model)
        done.added += len(new)


@dataclass
class Exported:
    """What an export wrote: its responses and prompts, and the responses of each model."""

    responses: int
    prompts: int
    models: dict[str, int]


def export_responses(store: Store, path: str | Path, *, model: str | None = None) -> Exported:
    """Write the store's responses, or those under one model's fingerprint, as jsonl.

    A row has prompt (text, or chat messages), response, sample, model, parameters, finish, tokens
    and, where it is known, logprob. `import_responses` reads the file back; `replay:FILE` does
    when no prompt was sampled with two sets of parameters. Raises W2SError for an unknown model.
    """
    path = Path(path)
    if path.suffix != ".jsonl":
        raise W2SError(
            f"{path}: responses are exported as jsonl; choose a name that ends in .jsonl"
        )
    models: dict[str, int] = {}
    prompts = 0

    def rows() -> Iterator[Row]:
        nonlocal prompts
        last = None
        for row in store.rows():
            counted = model is None or row["model"] == model
            models[row["model"]] = models.get(row["model"], 0) + counted
            if counted:
                head = (row["model"], row["prompt"], row["parameters"])
                prompts += head != last
                last = head
                yield _exported(store, row)
        if model is not None and model not in models:
            raise unknown("model", model, models)

    responses = write_rows(path, rows())
    return Exported(responses, prompts, {name: count for name, count in models.items() if count})


def _exported(store: Store, row: Row) -> Row:
    values = {
        "prompt": _prompt_of(store, row),
        "response": row["response"],
        "sample": row["sample"],
        "model": row["model"],
        "parameters": row["parameters"],
        "finish": row["finish"],
        "tokens": row["tokens"],
    }
    return values if row["logprob"] is None else values | {"logprob": row["logprob"]}


def _prompt_of(store: Store, row: Row) -> str | list[dict[str, str]]:
    """The prompt's text, or its chat messages if that is what the store's key was made of."""
    text = row["prompt"]
    if text.startswith('[{"'):
        with suppress(ValueError, TypeError):
            messages = json.loads(text)
            chat = Request(tuple(messages), start=row["sample"], **_parameters(row["parameters"]))
            stored = store.samples(chat, row["model"])
            if chat.prompt_text() == text and stored and stored[0]["text"] == row["response"]:
                return messages
    return text
