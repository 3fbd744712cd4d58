"""A task without code: a YAML file that a user passes with `--task-file`, beside its questions.

    name: riddles
    title: Riddles with a number for an answer
    rule: gsm8k                      # how the final answer is read from a response
    answer_key: "####"
    prompt: qa                       # or a template file: riddles.jinja
    stop: [Question, "Answer:"]
    max_tokens: 256
    fields: {question: riddle}       # our name: the file's
    files: {train_1: one.jsonl, train_2: two.jsonl, test: test.jsonl}
    hub: {test: {path: me/riddles, split: test}}
    roles: {weak: "hf:me/small"}

All but name and rule may be left out. Choice questions (rule choice) have options and answers in
any shape that `tasks/choice.py` reads; an answer may be a list of names (rule openqa). Paths are
relative to the file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from w2s_data import prompts
from w2s_data.errors import W2SError, unknown
from w2s_data.tasks import ALIASES, Hub, Task, choice, openqa


class HubEntry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    path: str = Field(min_length=1)
    config: str | None = None
    split: str = "train"
    half: int | None = Field(default=None, ge=1, le=2)


class TaskFile(BaseModel):
    """The fields of a task file."""

    model_config = ConfigDict(extra="forbid", strict=True)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    rule: str
    title: str = ""
    answer_key: str | None = Field(default=None, min_length=1)
    prompt: str = ""
    stop: list[str] = ["Question", "Answer:"]
    max_tokens: int = Field(default=512, ge=1)
    fields: dict[str, str] = {}
    files: dict[str, str] = {}
    hub: dict[str, HubEntry] = {}
    roles: dict[str, str] = {}


def read_task(path: Path) -> Task:
    """The task that `path` describes. Raises W2SError naming the file and its first wrong field."""
    try:
        given = TaskFile.model_validate(_yaml(path))
    except ValidationError as error:
        raise W2SError(f"{path}: {_sentence(error)}") from None
    for name in given.fields.keys() - ALIASES.keys():
        raise W2SError(f"{path}: fields: {unknown('field', name, ALIASES)}")
    rule = _rule(path, given.rule)
    choosing = rule in choice.RULES
    key = given.answer_key or (choice.ANSWER_KEY if choosing else openqa.ANSWER_KEY)
    ends = key == choice.ANSWER_KEY
    return Task(
        name=given.name,
        title=given.title or given.name,
        rule=rule,
        answer_key=key,
        response=choice.response if ends else partial(keyed_response, key),
        prompt=_prompt(path, given.prompt or ("choice" if choosing else "qa")),
        shape=choice.shape if choosing else None,
        read_gold=choice.read_gold if choosing else openqa.read_gold,
        stop=tuple(given.stop),
        max_tokens=given.max_tokens,
        fields=given.fields,
        files={split: path.parent / name for split, name in given.files.items()},
        hub={split: Hub(**entry.model_dump()) for split, entry in given.hub.items()},
        roles=given.roles,
    )


def keyed_response(answer_key: str, solution: str | None, answer: str) -> str:
    """The solution and, on a line of its own, the answer key and the answer."""
    return f"{solution or ''}\n{answer_key} {answer}".lstrip()


def _yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise W2SError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise W2SError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise W2SError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def _sentence(error: ValidationError) -> str:
    """The first complaint in one sentence."""
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        model = TaskFile if len(first["loc"]) == 1 else HubEntry
        return str(unknown("field", first["loc"][-1], model.model_fields))
    if first["type"] == "missing":
        return f"field {place!r} is missing"
    if not place:
        return f"expected fields ({', '.join(TaskFile.model_fields)}), found {first['input']!r}"
    return f"{place}: {first['msg']}, was: {first['input']!r}"


def _rule(path: Path, rule: str) -> str:
    from w2s_data.answers import RULES

    if rule not in RULES:
        raise W2SError(f"{path}: {unknown('extraction rule', rule, RULES)}")
    return rule


def _prompt(path: Path, prompt: str) -> str:
    name = str(path.parent / prompt) if prompt.endswith(".jinja") else prompt
    if "question" not in prompts.slots(name):
        raise W2SError(f"{path}: prompt {name!r} has no slot 'question'")
    return name
