"""Where a model's weights are, and the fingerprint that changes when they do."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError, nearest, unknown
from w2s_data.io import file_hash
from w2s_data.rows import digest

# What of a model folder decides its answers; optimizer states and logs do not.
WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "adapter_model*.bin")
PARTS = (
    *("config.json", "generation_config.json", "adapter_config.json", "*.index.json", "*.py"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template*", "spiece.model"),
    *("modules.json", "*sentence*.json", "[0-9]_*/*.[bjs]*"),  # of models of embeddings
)
BUNDLED = Path(__file__).parents[1] / "bundled" / "models"
HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


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

    def config(self) -> dict[str, Any]:
        """Its config.json, from the hub's cache or the hub if it is no folder. Raises W2SError."""
        try:
            return dict(json.loads(self._config_file().read_text("utf-8")))
        except Exception as error:
            reason = f"cannot be read ({type(error).__name__})"
            raise W2SError(f"{self.name}: its config.json {reason}") from None

    def _config_file(self) -> Path:
        if self.is_folder:
            return Path(self.name) / "config.json"
        import huggingface_hub

        asked = (self.name, "config.json")
        cached = huggingface_hub.try_to_load_from_cache(*asked, revision=self.revision)
        if not isinstance(cached, str):
            cached = huggingface_hub.hf_hub_download(*asked, revision=self.revision)
        return Path(cached)

    @property
    def _hub_name(self) -> str:
        return f"hf:{self.name}@{self.revision or 'main'}"

    def __str__(self) -> str:
        name = f"{self.name}@{self.revision}" if self.revision else self.name
        return f"{name}+{self.adapter}" if self.adapter else name


def checkpoint(target: str) -> Checkpoint:
    """Read `PATH`, `HUB_ID[@REVISION]`, each with an optional `+ADAPTER` of the same form.

    `bundled/NAME` is one of the models that come with this package. Raises W2SError when a folder
    is not there or holds no model.
    """
    base, plus, adapter = target.rpartition("+")
    if not plus or Path(target).is_dir():
        return _checked(target, "config.json")
    return replace(_checked(base, "config.json"), adapter=_checked(adapter, "adapter_config.json"))


def _checked(name: str, config: str) -> Checkpoint:
    folder = Path(name)
    if folder.parts[:1] == ("bundled",) and not folder.exists():
        folder = BUNDLED / Path(*folder.parts[1:])
        name = str(folder)
        if not folder.is_dir():
            raise unknown("bundled model", folder.name, [p.name for p in BUNDLED.glob("*/")])
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
    names = [p.name for p in parent.glob("[!.]*/")] if parent.is_dir() else []
    ordered = nearest(folder.name, names)[:3]
    return f"; in {parent}: {', '.join(ordered)}" if ordered else ""


def _folder_hash(folder: Path) -> str:
    files = {p for pattern in (*WEIGHTS, *PARTS) for p in folder.glob(pattern) if p.is_file()}
    parts = []
    for path in sorted(files):
        facts = path.stat()
        name = path.relative_to(folder).as_posix()
        parts += [name, _hash_once(str(path.resolve()), facts.st_size, facts.st_mtime_ns)]
    return digest("model", *parts)[:32]


@functools.lru_cache(maxsize=4096)
def _hash_once(path: str, size: int, mtime_ns: int) -> str:
    if Path(path).name != "adapter_config.json":
        return file_hash(path)
    config = json.loads(Path(path).read_text("utf-8"))
    config.pop("base_model_name_or_path", None)  # where the base lay when the adapter was trained
    for names in (value for value in config.values() if isinstance(value, list)):
        names.sort(key=str)  # peft writes sets of modules in any order
    return digest(json.dumps(config, sort_keys=True))
