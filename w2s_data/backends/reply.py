"""What an OpenAI-compatible server's reply says."""

from __future__ import annotations

import email.utils
import math
import re
import time
from typing import Any

from w2s_data.errors import W2SError
from w2s_data.rows import Sample
from w2s_data.store import Request

COMPLETE = {None, "stop", "eos", "eos_token", "stop_sequence", "end_turn", "tool_calls"}


def read_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice of either end point as text, finish_reason and (token, log-probability) pairs."""
    logprobs = choice.get("logprobs") or {}
    if "message" in choice:
        text = choice["message"].get("content") or ""
        content = logprobs.get("content") or ()
        pairs = [(one["token"], one["logprob"]) for one in content]
        top = {t["token"]: t["logprob"] for one in content[:1] for t in one.get("top_logprobs", ())}
    else:
        text = choice["text"]
        pairs = list(zip(logprobs.get("tokens") or (), logprobs.get("token_logprobs") or ()))
        top = next(iter(logprobs.get("top_logprobs") or [{}])) or {}
    if not isinstance(text, str):
        raise TypeError(text)
    return {"text": text, "finish": choice.get("finish_reason"), "pairs": pairs, "top": top}


def heard(choices: tuple[str, ...], top: dict[str, float]) -> list[float]:
    """The log-probability of each choice by its first token, from the likeliest next tokens.

    A choice that is not listed has at most the least of them, which it is given.
    """
    begins = [
        {token for token in top if token.strip() and choice.strip().startswith(token.strip())}
        for choice in choices
    ]
    if not top or not any(begins) or set.intersection(*begins):
        raise W2SError(
            f"the server's likeliest next tokens do not tell {' from '.join(map(repr, choices))}: "
            f"{', '.join(map(repr, top)) or 'it lists none'}"
        )
    least = min(top.values())
    return [
        math.log(math.fsum(math.exp(top[token]) for token in found)) if found else least
        for found in begins
    ]


def read_sample(choice: dict[str, Any], index: int, tokens: int, request: Request) -> Sample:
    text, pairs = choice["text"], choice["pairs"]
    cut = min((i for i in map(text.find, filter(None, request.stop)) if i >= 0), default=None)
    finish = "stop" if cut is not None or choice["finish"] in COMPLETE else "length"
    sample = Sample(index=index, text=text[:cut], finish=finish, tokens=len(pairs) or tokens)
    if request.logprobs:
        if not pairs and text:
            raise W2SError("the server gives no log-probabilities: sample without logprobs")
        sample["logprob"] = sum(value for _, value in pairs)
        sample["logprobs"] = pairs
    return sample


def words_of(reply: Any) -> str:
    """What the server says in an error's body, in one line."""
    try:
        data = reply.json()
        error = data.get("error", data)
        words = error["message"] if isinstance(error, dict) and "message" in error else error
    except (ValueError, AttributeError):
        words = reply.text
    return " ".join(str(words).split())[:500] or reply.reason_phrase


def retry_after(headers: Any) -> float | None:
    """The seconds that the server asks to wait, of both forms of Retry-After."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", value):
        return float(value)
    try:
        when = email.utils.parsedate_to_datetime(value)
        return max(0.0, when.timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
