"""A loaded row -> prompt and responses, by LLaMA-Factory 0.9.5's rules.

A rule that LLaMA-Factory dies of raises `Dies`; a row that it drops without an error comes back
with the rule's code in `lost`. tests/check holds both against LLaMA-Factory itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from w2s_data.check.entries import Entry
from w2s_data.factory import shape
from w2s_data.rows import Row

Said = tuple[str, Any]
USER, ASSISTANT, OBSERVATION, FUNCTION = "user", "assistant", "observation", "function"
ASKING, ANSWERING = (USER, OBSERVATION), (ASSISTANT, FUNCTION)


class Dies(Exception):
    """The whole set cannot be loaded because of this row: `code` and what is wrong."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


class Example(NamedTuple):
    """A row as LLaMA-Factory understands it: (role, content) pairs.

    `response` has one message, or chosen and rejected, or for KTO a message and an empty one.
    `lost` is (code, why) when the row is dropped without an error.
    """

    prompt: list[Said]
    response: list[Said]
    system: Any = ""
    tools: Any = ""
    lost: tuple[str, str] | None = None


def converter(entry: Entry, stage: str) -> Callable[[Row], Example]:
    """The function that converts the rows of a set trained on in `stage`."""
    convert = _alpaca if entry.formatting == "alpaca" else _conversation

    def run(row: Row) -> Example:
        example = convert(entry, row)
        if example.lost or not _is_lost(example, stage):
            return example
        return example._replace(lost=_why_lost(entry, stage, row))

    return run


def _is_lost(example: Example, stage: str) -> bool:
    """What LLaMA-Factory's processors pass over."""
    if shape(stage) == "text":
        return False
    wanted = 1 if shape(stage) == "response" else 2
    enough = len(example.response) == 1 if wanted == 1 else len(example.response) >= 2
    return len(example.prompt) % 2 != 1 or not enough


def _why_lost(entry: Entry, stage: str, row: Row) -> tuple[str, str]:
    columns = entry.columns
    kind, name = (str, "a text") if entry.formatting == "alpaca" else (dict, "a message")
    if shape(stage) == "tag":
        return "W403", f"the KTO tag is {_shown(_value(row, columns['kto_tag']))}, not a bool"
    if shape(stage) == "pair":
        for part in ("chosen", "rejected"):
            value = _value(row, columns[part])
            if not isinstance(value, kind):
                return "W402", f"{part} is {_shown(value)}, not {name}"
    if columns["kto_tag"] and isinstance(_value(row, columns["kto_tag"]), bool):
        return "W402", f"the row has a KTO tag, which {stage} drops"
    if entry.formatting != "alpaca":
        return "W502", "the conversation is empty"
    return "W402", f"the response is {_shown(_value(row, columns['response']))}, not a text"


def _value(row: Row, column: Any) -> Any:
    return row.get(column) if column else None


def _shown(value: Any) -> str:
    """null, or the type: one finding for all rows of the kind."""
    if value is None:
        return "null"
    return {"str": "a text", "bool": "true or false", "dict": "an object", "list": "a list",
            "int": "a number", "float": "a number"}.get(
        type(value).__name__, f"a {type(value).__name__}"
    )  # fmt: skip


def _cell(row: Row, column: Any, part: str) -> Any:
    if column not in row:
        where = f"{column!r}, which is not in the file" if column else "no column"
        raise Dies("W101", f"{part} is needed, and mapped to {where}")
    return row[column]


def _extra(entry: Entry, row: Row, part: str) -> Any:
    column = entry.columns[part]
    return _cell(row, column, part) if column else ""


def _alpaca(entry: Entry, row: Row) -> Example:
    columns = entry.columns
    prompt: list[Said] = []
    history = _extra(entry, row, "history")
    for turn in history if isinstance(history, list) else ():
        try:
            asked, answered = turn
        except (TypeError, ValueError):
            message = "history is not a list of [question, answer] pairs"
            raise Dies("W406", message) from None
        prompt += [(USER, asked), (ASSISTANT, answered)]
    parts = [value for part in ("prompt", "query") if (value := _extra(entry, row, part))]
    for value in parts:
        if not isinstance(value, str):
            raise Dies("W406", f"the prompt is {_shown(value)}, not a text")
    prompt.append((USER, "\n".join(parts)))
    response = _alpaca_response(entry, row, columns)
    return Example(prompt, response, _extra(entry, row, "system"), _extra(entry, row, "tools"))


def _alpaca_response(entry: Entry, row: Row, columns: dict[str, Any]) -> list[Said]:
    tag = _extra(entry, row, "kto_tag")
    if columns["kto_tag"] and isinstance(tag, bool):
        return _tagged((ASSISTANT, _cell(row, columns["response"], "response")), tag)
    if entry.ranking:
        chosen = _cell(row, columns["chosen"], "chosen")
        if isinstance(chosen, str):
            rejected = _cell(row, columns["rejected"], "rejected")
            if isinstance(rejected, str):
                return [(ASSISTANT, chosen), (ASSISTANT, rejected)]
    response = _extra(entry, row, "response")
    single = columns["response"] and isinstance(response, str)
    return [(ASSISTANT, response)] if single else []


def _tagged(said: Said, tag: bool) -> list[Said]:
    empty = (ASSISTANT, "")
    return [said, empty] if tag else [empty, said]


def _conversation(entry: Entry, row: Row) -> Example:
    messages = _cell(row, entry.columns["messages"], "messages")
    if not isinstance(messages, list):
        raise Dies("W503", f"the conversation is {_shown(messages)}, not a list")
    said = [_said(entry, message) for message in messages]
    own, openai = entry.tags["system_tag"], entry.formatting == "openai"
    if own and said and said[0][0] == own:
        messages, system = messages[1:], said.pop(0)[1]
    elif openai:
        system = _value(row, entry.columns["system"])
    else:
        system = _extra(entry, row, "system")
    if openai:
        tools = _value(row, entry.columns["tools"])
        tools = json.dumps(tools) if isinstance(tools, list | dict) else tools
        said = _with_tools(entry, said, messages)
        lost = _broken(entry, said, ASKING, ANSWERING)
    else:
        tools, tags = _extra(entry, row, "tools"), entry.tags
        asking = tags["user_tag"], tags["observation_tag"]
        lost = _broken(entry, said, asking, (tags["assistant_tag"], tags["function_tag"]))
    if lost:
        return Example([], [], system, tools, lost)
    if not openai:
        said = [(str(_role(entry, tag)), content) for tag, content in said]
    prompt, response = _turns(entry, row, said)
    return Example(prompt, response, system, tools)


def _said(entry: Entry, message: Any) -> Said:
    role, content = entry.tags["role_tag"], entry.tags["content_tag"]
    if not isinstance(message, dict):
        raise Dies("W503", f"a message is {_shown(message)}, not an object")
    for key in (role, content):
        if key not in message:
            raise Dies("W503", f"messages have no {key!r}, as `tags` says they do")
    return message[role], message[content]


def _role(entry: Entry, tag: Any) -> str | None:
    """The role of a tag; None for an unknown one. Of two parts with one tag the later wins."""
    tags = entry.tags
    roles = {tags["user_tag"]: USER, tags["assistant_tag"]: ASSISTANT,
             tags["observation_tag"]: OBSERVATION, tags["function_tag"]: FUNCTION,
             tags["system_tag"]: "system"}  # fmt: skip
    return roles.get(tag)


def _with_tools(entry: Entry, said: list[Said], messages: list[Any]) -> list[Said]:
    """Openai's way: calls become functions, and answers of tools in a row one observation."""
    tags, aligned, answers = entry.tags, [], []
    for (tag, content), message in zip(said, messages, strict=True):
        if tag in (tags["assistant_tag"], tags["function_tag"]) and message.get("tool_calls"):
            tag = tags["function_tag"]
            content = json.dumps([call["function"] for call in message["tool_calls"]])
        if tag == tags["observation_tag"]:
            answers.append(content)
            continue
        if answers:
            aligned.append((OBSERVATION, "\n".join(map(str, answers))))
            answers = []
        role = _role(entry, tag)
        if role is None:
            raise Dies("W501", f"role {tag!r} is not in `tags`")
        aligned.append((role, content))
    return aligned


def _broken(
    entry: Entry, said: list[Said], asking: tuple[Any, ...], answering: tuple[Any, ...]
) -> tuple[str, str] | None:
    """Speakers take turns, and their number fits; a row that does not so is dropped."""
    for turn, (speaker, _) in enumerate(said):
        if speaker not in (asking if turn % 2 == 0 else answering):
            return "W501", f"message {turn + 1} is not the {(USER, ASSISTANT)[turn % 2]}'s"
    if bool(entry.ranking) == (len(said) % 2 == 0):
        return "W502", f"the number of messages is not {'odd' if entry.ranking else 'even'}"
    return None


def _turns(entry: Entry, row: Row, said: list[Said]) -> tuple[list[Said], list[Said]]:
    tag = _extra(entry, row, "kto_tag")
    if entry.columns["kto_tag"] and isinstance(tag, bool):
        if not said:
            return [], [(ASSISTANT, "")]
        return said[:-1], _tagged(said[-1], tag)
    if entry.ranking:
        chosen = _cell(row, entry.columns["chosen"], "chosen")
        if isinstance(chosen, dict):
            rejected = _cell(row, entry.columns["rejected"], "rejected")
            if isinstance(rejected, dict):
                return said, [_ending(entry, chosen), _ending(entry, rejected)]
    return said[:-1], said[-1:]


def _ending(entry: Entry, message: Row) -> Said:
    tag, content = _said(entry, message)
    role = _role(entry, tag)
    if role is None:
        raise Dies("W504", f"chosen or rejected has the role {tag!r}, which is not in `tags`")
    return role, content


def encode_problem(example: Example, stage: str) -> tuple[str, str] | None:
    """What LLaMA-Factory's templates die of in a row that was not dropped."""
    if shape(stage) == "text":
        texts = [content for _, content in example.prompt[:1]]
        return None if texts and isinstance(texts[0], str) else ("W406", "the text is no text")
    messages = example.prompt + _trained(example, stage)
    for role, content in messages:
        if not isinstance(content, str):
            return "W406", f"the content of a message is {_shown(content)}, not a text"
        if role == FUNCTION and not _is_call(content):
            return "W409", "a tool call is not JSON with name and arguments"
        if role == "system":
            return "W504", "a system message stands among the turns"
    if example.system and not isinstance(example.system, str):
        return "W406", f"the system message is {_shown(example.system)}, not a text"
    if example.tools and not _is_tools(example.tools):
        return "W409", "tools are not a JSON list of tools with names and parameters"
    return None


def _trained(example: Example, stage: str) -> list[Said]:
    if shape(stage) != "tag":
        return example.response[:2]
    first, second = example.response[:2]
    return [first] if first[1] else [second]


def _is_call(content: str) -> bool:
    try:
        calls = json.loads(content)
        calls = calls if isinstance(calls, list) else [calls]
        return all("name" in call and "arguments" in call for call in calls)
    except (ValueError, TypeError):
        return False


def _is_tools(text: Any) -> bool:
    try:
        tools = json.loads(text)
        flat = [t.get("function", "") if t.get("type") == "function" else t for t in tools]
        return all(t["name"] and isinstance(t["parameters"]["properties"], dict) for t in flat)
    except (ValueError, TypeError, KeyError, AttributeError):
        return False
