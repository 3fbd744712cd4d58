"""Tasks: what is asked, how, where the questions come from, and the one door to ground truth.

A task is a `Task` in a module of its own, named in TASKS; or a file the user writes (`from_file`).
`questions` yields rows without ground truth. `gold` alone opens it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from w2s_data.errors import W2SError, out_of_range, unknown
from w2s_data.rows import Row

TASKS = {
    "arc_challenge": "w2s_data.tasks.arc_challenge",
    "ethics": "w2s_data.tasks.ethics",
    "gsm8k": "w2s_data.tasks.gsm8k",
    "hellaswag": "w2s_data.tasks.hellaswag",
    "hotpotqa": "w2s_data.tasks.hotpotqa",
    "math": "w2s_data.tasks.math",
    "mmlu": "w2s_data.tasks.mmlu",
    "numina": "w2s_data.tasks.numina",
    "olympic_arena": "w2s_data.tasks.olympic_arena",
    "triviaqa": "w2s_data.tasks.triviaqa",
}

# Many small ones in one module.
BINARY = (
    *("amazon_polarity", "anli-r2", "anthropic_hh", "boolq", "cola", "cosmos_qa", "dream"),
    *("ethics-commonsense", "ethics-deontology", "ethics-justice", "ethics-utilitarianism"),
    *("ethics-virtue", "gsm8k_right", "hellaswag-binary", "math_right", "mc_taco", "multirc"),
    *("openbookqa", "paws", "piqa", "quail", "quartz", "sciq", "sciq_with_support"),
    *("social_i_qa", "sst2", "twitter-sentiment", "wic"),
)
TASKS |= dict.fromkeys(BINARY, "w2s_data.tasks.binary")

SPLITS = ("train_1", "train_2", "test")
SOURCES = ("bundled", "hub", "file")
BUNDLED = Path(__file__).parents[1] / "bundled" / "questions"

ALIASES = {
    "id": ("id", "unique_id"),
    "question": ("question", "problem", "query"),
    "choices": ("choices", "options"),
    "answer": ("answer", "final_answer", "gold", "target"),
    "solution": ("solution", "rationale"),
    "level": ("level", "difficulty"),
    "subject": ("subject", "type"),
}
GOLD_FIELDS = ("answer", "solution")
META_FIELDS = ("level", "subject")


@dataclass(frozen=True)
class Hub:
    """Where a split lies on the hub: a data set's id, configuration and split.

    `half` 1 or 2 takes one of its two seeded halves; `without` leaves out another data set's rows.
    `parquet`: a data set whose records the hub has on its branch of converted files only.
    """

    path: str
    config: str | None = None
    split: str = "train"
    half: int | None = None
    without: Hub | None = None
    parquet: bool = False


class Gold(TypedDict):
    """The ground truth of one question; `response` is a whole response in the task's format.

    `answer` is a choice question's letter; `aliases` are an open answer's other names.
    """

    answer: str
    solution: str | None
    response: str
    aliases: NotRequired[list[str]]


@dataclass(frozen=True, eq=False)
class Task:
    """One task.

    `rule` is the extraction rule of `answers.extract`, `answer_key` the words before the final
    answer, `prompt` a template of `prompts.render`. `fields` maps names of ours (the keys of
    ALIASES) to a source record's, which must be there; `aliases` are further names to look for.
    `shape` brings a record's question side into the house's shape, `read_gold` its gold side.
    `form` makes a record under our names of a raw one of the hub or the bundled files, or None to
    leave it out; `balanced` keeps as many records of each answer there.
    `files` and `hub` say where each split comes from; `roles` names the default model of each
    role. `response(solution, answer)` writes the gold response.
    """

    name: str
    title: str
    rule: str
    answer_key: str
    response: Callable[[str | None, str], str]
    prompt: str = "qa"
    stop: tuple[str, ...] = ("Question", "Answer:")
    max_tokens: int = 512
    fields: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    shape: Callable[[Row], Row] | None = None
    read_gold: Callable[[Row], Row] | None = None
    form: Callable[[Row], Row | None] | None = None
    balanced: bool = False
    files: Mapping[str, Path] = field(default_factory=dict)
    hub: Mapping[str, Hub] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)


def get(name: str) -> Task:
    """The task of this name. Raises W2SError with the known names."""
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    module = importlib.import_module(TASKS[name])
    return module.TASKS[name] if name in BINARY else module.TASK


def from_file(path: str | Path) -> Task:
    """The task a YAML file describes (`tasks/user.py` lists its fields)."""
    from w2s_data.tasks.user import read_task

    return read_task(Path(path))


def questions(
    task: Task,
    split: str,
    *,
    source: str = "bundled",
    file: str | Path | None = None,
    fields: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Iterator[Row]:
    """Yield the split's rows `{id, task, question, meta}`, without ground truth, in source order.

    A choice question has `choices`, too: its option texts, labelled A, B, ... by position;
    `question` is the stem alone.

    `source` is one of SOURCES. A `file` (jsonl, json, csv, parquet) is read whole whatever the
    split. `fields` maps our names to the file's, before the task's own and ALIASES. `meta` holds
    level (an integer where it reads as one) and subject, where the source has them. A row without
    an id gets `rows.question_id`; the second row of one text gets `-2` after it.
    Raises W2SError naming file and line for a missing, empty or duplicate field.
    """
    from w2s_data.tasks.sources import records

    if limit is not None and limit < 1:
        raise out_of_range("limit", ">= 1", limit)
    found = records(task, split, source, file, fields)
    return (_question(task, record) for record in islice(found, limit))


def gold(
    task: Task,
    split: str,
    *,
    source: str = "bundled",
    file: str | Path | None = None,
    fields: Mapping[str, str] | None = None,
) -> dict[str, Gold]:
    """The ground truth of the same split by id: the only door to it.

    A source without an `answer` field gives it by the solution's answer key or last box (MATH),
    and an answer that holds the answer key is read as a solution (GSM8K).
    Raises W2SError naming file and line when a row has neither.
    """
    from w2s_data.tasks.sources import records

    mapped = [name for name in GOLD_FIELDS if name in (dict(task.fields) | dict(fields or {}))]
    found = records(task, split, source, file, fields)
    return {record["id"]: _gold(task, record, mapped) for record in found}


def _question(task: Task, record: Row) -> Row:
    """The wall: of the record, nothing but these fields passes."""
    meta = {name: _meta(record, name) for name in META_FIELDS if record.get(name) is not None}
    row = {
        "id": record["id"],
        "task": task.name,
        "question": record["question"],
        "meta": meta,
    }
    return row | {"choices": record["choices"]} if task.shape and record.get("choices") else row


def ask(task: Task, row: Row, **slots: Any) -> str:
    """The task's prompt for the row's question, with its choices where it shows them."""
    from w2s_data.prompts import render
    from w2s_data.prompts import slots as known

    shown = row.get("choices") and "choices" in known(task.prompt)
    options = {"choices": row["choices"]} if shown else {}
    return render(task.prompt, question=row["question"], **options, **slots)


def _meta(record: Row, name: str) -> int | str:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise W2SError(f"{record['where']}: {name} must be a string or an integer, was: {value!r}")
    number = str(value).removeprefix("Level ")
    return int(number) if name == "level" and number.isdecimal() else value


def _gold(task: Task, record: Row, mapped: Iterable[str]) -> Gold:
    for name in mapped:
        if name not in record:
            raise W2SError(
                f"{record['where']}: the field for {name} is missing; "
                f"fields there: {record['there']}"
            )
    if task.read_gold:
        record = record | task.read_gold(record)
    answer, solution = (_text(record, name) for name in GOLD_FIELDS)
    if answer is not None and task.answer_key in answer:
        answer, solution = None, solution or answer
    if answer is None:
        answer = _final_answer(task, record, solution)
    gold = Gold(answer=answer, solution=solution, response=task.response(solution, answer))
    if record.get("aliases"):
        gold["aliases"] = record["aliases"]
    return gold


def _final_answer(task: Task, record: Row, solution: str | None) -> str:
    from w2s_data.answers import extract

    if solution is None:
        raise W2SError(
            f"{record['where']}: no answer and no solution; fields there: {record['there']}; "
            "name the right one with --field answer=NAME"
        )
    boxed = None if task.answer_key in solution else extract("boxed", solution)
    found = boxed or extract(task.rule, solution)
    if found is None or not found.answer:
        raise W2SError(
            f"{record['where']}: row {record['id']!r}: the solution holds no final answer that "
            f"rule {task.rule!r} can read; add a field 'answer'"
        )
    return found.answer


def _text(record: Row, name: str) -> str | None:
    value = record.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if value is not None and not isinstance(value, str):
        raise W2SError(f"{record['where']}: {name} must be a string or a number, was: {value!r}")
    return value if value and value.strip() else None


def describe(task: Task) -> str:
    """The task as text for a terminal: its prompt, answer key, sources and default models."""
    lines = [task.title, "", f"answer key   {task.answer_key}", f"stop         {task.stop}"]
    lines += [f"max tokens   {task.max_tokens}", "", "prompt"]
    lines += [f"  {line}" for line in _shown_prompt(task).splitlines()]
    lines += ["", "splits"]
    for split in SPLITS:
        hub = task.hub.get(split)
        where = [f"hub {hub.path} ({hub.split})"] if hub else []
        where += ["bundled"] if split in task.files else []
        lines.append(f"  {split:10} {', '.join(where) or 'none'}")
    lines += ["", "models" if task.roles else "no default models"]
    return "\n".join(lines + [f"  {role:10} {spec}" for role, spec in task.roles.items()])


def _shown_prompt(task: Task) -> str:
    from w2s_data.prompts import slots

    choices = {"choices": ["...", "..."]} if "choices" in slots(task.prompt) else {}
    return ask(task, {"question": "..."} | choices)
