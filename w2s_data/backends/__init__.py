"""Model backends: `load("hf:PATH")` gives a callable from requests to samples.

A backend has two things. `fingerprint` names the model for the response store and is known
without loading it. Calling it with requests yields `(position, samples)` pairs as they are
finished: `position` counts the requests from 0, `samples` are those it asked for, by index.
The store restores the order. `close()` releases the model.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from w2s_data.errors import W2SError, unknown
from w2s_data.rows import Sample
from w2s_data.store import Request

BACKENDS = {
    "hf": "w2s_data.backends.hf",
    "vllm": "w2s_data.backends.vllm",
    "openai": "w2s_data.backends.openai",
    "replay": "w2s_data.backends.replay",
}


class Backend(Protocol):
    """What every backend module's `load(target, **options)` returns."""

    fingerprint: str

    def __call__(self, requests: Iterable[Request]) -> Iterator[tuple[int, list[Sample]]]: ...

    def close(self) -> None: ...


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
