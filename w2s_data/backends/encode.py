"""Prompts as tokens, for the backends that hold a model themselves. Nothing is ever cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from w2s_data.errors import W2SError
from w2s_data.rows import Message, Prompt, Sample
from w2s_data.store import SURROGATE, Request


def tokens_of(tokenizer: Any, prompt: Prompt, name: str) -> list[int]:
    """Text by the tokenizer's own defaults, messages through its chat template.

    A last message of the assistant is gone on with. Raises W2SError if there is no template, or
    if it refuses the messages.
    """
    if isinstance(prompt, str):
        return list(tokenizer(clean(prompt))["input_ids"]) or [_first(tokenizer, name)]
    if not tokenizer.chat_template:
        raise W2SError(f"{name} has no chat template: send it text, not chat messages")
    messages = clean_messages(prompt)
    go_on = messages[-1]["role"] == "assistant"
    how = {"add_generation_prompt": not go_on, "continue_final_message": go_on}
    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, **how)
    except Exception as error:
        raise W2SError(f"the chat template of {name} refuses: {error}") from error
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def choices_of(
    tokenizer: Any, request: Request, position: int, context: int | None, name: str
) -> tuple[list[int], list[list[int]]]:
    """The prompt's tokens, and those of each continuation that `request` asks the weight of.

    A continuation is split into tokens by itself, as LLaMA-Factory splits a response. Raises
    W2SError if it does not fit into the context after the prompt.
    """
    prompt = tokens_of(tokenizer, request.prompt, name)
    asked = request.choices[request.start : request.start + request.n]
    found = [list(tokenizer(clean(c), add_special_tokens=False)["input_ids"]) for c in asked]
    room_after(prompt + max(found, key=len), request, position, context, name)
    return prompt, found


def room_after(
    prompt: list[int], request: Request, position: int, context: int | None, name: str
) -> int:
    """How many tokens may follow the prompt: `max_tokens`, or what is left of the context.

    Raises W2SError if the prompt leaves room for none.
    """
    if context is None:
        return request.max_tokens
    if len(prompt) >= context:
        raise W2SError(
            f"prompt {position + 1} ({request.prompt_text()[:50]!r}...) has {len(prompt)} tokens, "
            f"{len(prompt) + 1 - context} too many for {name}, which takes {context} with at "
            "least one to write: shorten the prompt or take a model with a longer context"
        )
    return min(request.max_tokens, context - len(prompt))


def weighed(request: Request, index: int, tokens: int, logprob: float) -> Sample:
    """The choice `index` of `request` as a sample: its text, and its natural log-probability."""
    text, value = request.choices[index], round(min(logprob, 0.0), 6)
    return Sample(index=index, text=text, finish="stop", tokens=tokens, logprob=value)


def _first(tokenizer: Any, name: str) -> int:
    """What an empty prompt is read as."""
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return token
    raise W2SError(f"the tokenizer of {name} makes no token of an empty prompt")


def clean_messages(messages: Iterable[Message]) -> list[Message]:
    return [{key: clean(value) for key, value in message.items()} for message in messages]


def clean(text: str) -> str:
    """Lone surrogates, which no model and no server takes, as U+FFFD."""
    return SURROGATE.sub("\ufffd", text)
