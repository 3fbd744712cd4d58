"""Model backends: `load("hf:PATH")` gives a callable from requests to samples.

A backend has a `fingerprint`, which names the model for the response store and is known without
loading it. Calling it with requests yields `(position, samples)` pairs as they are finished:
`position` counts the requests from 0, `samples` are those it asked for, by index. The store
restores the order. Requests are read a window at a time, never all at once. `close()` releases
the model; closing twice is harmless.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from w2s_data.errors import W2SError, missing_extra, out_of_range, unknown
from w2s_data.rows import Sample
from w2s_data.store import Request

BACKENDS = {
    "hf": "w2s_data.backends.hf",
    "vllm": "w2s_data.backends.vllm",
    "openai": "w2s_data.backends.openai",
    "replay": "w2s_data.backends.replay",
}


class Backend:
    """What every backend module's `load(target, **options)` returns."""

    fingerprint: str
    chat: bool = False

    def __call__(self, requests: Iterable[Request]) -> Iterator[tuple[int, list[Sample]]]:
        raise NotImplementedError

    def stored(self, request: Request) -> Request:
        """`request` as the store keys it: what this backend would really be asked.

        With `chat` a text becomes one user message; recorded answers (`replay:`) do not depend on
        sampling parameters. The backend answers `request` and `stored(request)` alike.
        """
        if self.chat and isinstance(request.prompt, str):
            return replace(request, prompt=({"role": "user", "content": request.prompt},))
        return request

    def close(self) -> None:
        """Release the model, its memory and its connections."""


def load(spec: str, **options: Any) -> Backend:
    """The backend a spec such as `hf:PATH+ADAPTER` or `openai:MODEL@URL` names.

    Nothing heavy happens here: models are loaded at the first call. Raises W2SError for a spec
    that names no backend, a model that is not there, or options the backend does not take.
    """
    kind, colon, target = spec.partition(":")
    if not colon or not target:
        raise W2SError(
            f"model spec {spec!r} must read BACKEND:MODEL, for instance hf:Qwen/Qwen2.5-1.5B; "
            f"backends: {', '.join(BACKENDS)}"
        )
    if kind not in BACKENDS:
        raise unknown("backend", kind, BACKENDS)
    return importlib.import_module(BACKENDS[kind]).load(target, **options)


def check_options(backend: str, options: dict[str, Any], known: Iterable[str]) -> None:
    """Raise W2SError for an option that `backend` does not take, the nearest name offered."""
    for name in options:
        if name not in (names := list(known)):
            raise unknown(f"option of the backend {backend}:", name, names)


def at_least(name: str, value: float, least: float) -> None:
    """Raise W2SError unless the option `name` is at least `least`."""
    if value < least:
        raise out_of_range(name, f">= {least}", value)


def need(package: str, extra: str) -> None:
    """Raise W2SError with the pip command if `package` is not installed; imports nothing."""
    if importlib.util.find_spec(package) is None:
        raise missing_extra(package, extra)
