"""Model backends: `load("hf:PATH")` gives a callable from requests to samples.

A backend has a `fingerprint`, which names the model for the response store and is known without
loading it. Calling it with requests yields `(position, samples)` pairs as they are finished:
`position` counts the requests from 0, `samples` are those it asked for, by index. The store
restores the order. Requests are read a window at a time, never all at once. `close()` releases
the model; closing twice is harmless.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError, missing_extra, nearest, out_of_range, unknown
from w2s_data.io import file_hash
from w2s_data.rows import Sample, digest
from w2s_data.store import Request

BACKENDS = {
    "hf": "w2s_data.backends.hf",
    "vllm": "w2s_data.backends.vllm",
    "openai": "w2s_data.backends.openai",
    "replay": "w2s_data.backends.replay",
}

# What of a model folder decides its answers; optimizer states and logs do not.
WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model*.bin")
PARTS = (
    *("config.json", "generation_config.json", "adapter_config.json", "*.index.json", "*.py"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template*", "spiece.model"),
)
HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


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


@dataclass(frozen=True)
class Checkpoint:
    """Where a model's weights are: a folder, or a name on the Hugging Face hub (@revision)."""

    name: str
    revision: str | None = None
    adapter: Checkpoint | None = None

    @property
    def is_folder(self) -> bool:
        return Path(self.name).is_dir()

    @functools.cached_property
    def fingerprint(self) -> str:
        """`local:<hash of the files that matter>`, or `hf:ID@REVISION` (main when none is given).

        A folder may move without changing its fingerprint; other weights, another tokenizer or
        chat template change it. What `main` means may change on the hub: name a revision to pin it.
        """
        own = f"local:{_folder_hash(Path(self.name))}" if self.is_folder else self._hub_name
        return f"{own}+{self.adapter.fingerprint}" if self.adapter else own

    @property
    def _hub_name(self) -> str:
        return f"hf:{self.name}@{self.revision or 'main'}"

    def __str__(self) -> str:
        name = f"{self.name}@{self.revision}" if self.revision else self.name
        return f"{name}+{self.adapter}" if self.adapter else name


def checkpoint(target: str) -> Checkpoint:
    """Read `PATH`, `HUB_ID[@REVISION]`, each with an optional `+ADAPTER` of the same form.

    Raises W2SError when a folder is not there or holds no model.
    """
    base, plus, adapter = target.rpartition("+")
    if not plus or Path(target).is_dir():
        return _checked(target, "config.json")
    return replace(_checked(base, "config.json"), adapter=_checked(adapter, "adapter_config.json"))


def _checked(name: str, config: str) -> Checkpoint:
    folder = Path(name)
    if folder.is_dir():
        if not (folder / config).is_file():
            raise W2SError(_no_config(folder, config))
        if not any(any(folder.glob(pattern)) for pattern in WEIGHTS):
            raise W2SError(f"model folder {name} has no weights ({', '.join(WEIGHTS)})")
        return Checkpoint(name)
    hub_id, _, revision = name.partition("@")
    if not HUB_ID.fullmatch(hub_id):
        raise W2SError(f"there is no model folder {name}{_near(folder)}")
    return Checkpoint(hub_id, revision or None)


def _no_config(folder: Path, config: str) -> str:
    adapter = folder / "adapter_config.json"
    if config == "config.json" and adapter.is_file():
        base = json.loads(adapter.read_text("utf-8")).get("base_model_name_or_path") or "MODEL"
        return f"{folder} holds an adapter, not a model: name it after its model: {base}+{folder}"
    return f"model folder {folder} has no {config}"


def _near(folder: Path) -> str:
    parent = folder.parent
    names = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    ordered = nearest(folder.name, names)[:3]
    return f"; in {parent}: {', '.join(ordered)}" if ordered else ""


def _folder_hash(folder: Path) -> str:
    files = {p for pattern in (*WEIGHTS, *PARTS) for p in folder.glob(pattern) if p.is_file()}
    parts = []
    for path in sorted(files, key=lambda p: p.name):
        facts = path.stat()
        parts += [path.name, _hash_once(str(path.resolve()), facts.st_size, facts.st_mtime_ns)]
    return digest("model", *parts)[:32]


@functools.lru_cache(maxsize=4096)
def _hash_once(path: str, size: int, mtime_ns: int) -> str:
    return file_hash(path)
