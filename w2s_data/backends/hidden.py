"""Hidden states of `hf:` models on disk: one vector a prompt, of its last token at one layer.

A `.npy` file of shape [prompts, width] and, beside it, a JSON header that says whose states these
are. Batches are written as they are read, and the header counts them: a run that was interrupted
goes on behind the last whole batch, with the same batches, and gives the same bytes. A file of
another model, layer, precision or other prompts is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from w2s_data import show
from w2s_data.errors import W2SError, out_of_range
from w2s_data.io import locked, write_json, writing
from w2s_data.rows import Prompt, digest
from w2s_data.store import Request

DTYPES = ("float16", "float32")


def hidden_states(
    backend: Any,
    prompts: Iterable[Prompt],
    path: str | Path,
    *,
    layer: int | None = None,
    dtype: str = "float16",
) -> Any:
    """The states as a read-only numpy array [prompts, width] on disk, computed where absent.

    `backend` is one that `hf:` loads; `prompts` is iterated twice. `layer` counts from 0, the
    embeddings; the middle one by default. `path` ends in `.npy`, or is a folder: then the file is
    named after model, layer and prompts. Another process that writes it is waited for. Raises
    W2SError for another backend than `hf:`, a layer that is not there, a value beyond `dtype`, or
    a file that holds other states or is damaged.
    """
    check_readable(backend)
    if dtype not in DTYPES:
        raise out_of_range("dtype", " or ".join(DTYPES), dtype)
    header: dict[str, Any] = {"model": backend.fingerprint, "layer": layer_of(backend, layer)}
    header |= {"dtype": dtype, "computed": backend.precision, **_summed(backend, prompts)}
    if not header["prompts"]:
        raise W2SError("hidden states: there is no prompt to read")
    path = Path(path)
    if path.suffix != ".npy":
        path = path / f"{digest(json.dumps(header))[:16]}.npy"
    with locked(path.with_name(f".{path.stem}.lock")):
        found = _header(path, header)
        if found.get("done") != header["prompts"]:
            _write(backend, prompts, path, found)
    return _mapped(path, header)


def check_readable(backend: Any) -> None:
    """Raise W2SError for a backend without hidden states."""
    if not hasattr(backend, "engine"):
        raise W2SError("hidden states are read from a model in this process: name it hf:MODEL")


def layer_of(backend: Any, layer: int | None) -> int | None:
    """The layer by its number, of None the middle one's, as the model's config tells: nothing is
    loaded. As it is where the config does not say how many there are. Raises W2SError for one that
    is not there."""
    most = backend.layers
    if most is None:
        return layer
    layer = most // 2 if layer is None else layer
    if not 0 <= layer <= most:
        raise out_of_range("layer", f"in [0, {most}]", layer)
    return layer


def _summed(backend: Any, prompts: Iterable[Prompt]) -> dict[str, Any]:
    """How many prompts there are, and a hash of them in their order."""
    count, seen = 0, ""
    for prompt in prompts:
        count += 1
        seen = digest(seen, backend.stored(Request(prompt)).prompt_text())
    return {"prompts": count, "prompts_sha256": seen}


def _header(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """What stands at `path` already, or `wanted`."""
    place = path.with_suffix(".json")
    if not (place.exists() and path.exists()):
        return wanted
    try:
        found = json.loads(place.read_text("utf-8"))
        other = [name for name in wanted if found[name] != wanted[name]]
    except (ValueError, KeyError, TypeError, OSError):
        raise W2SError(f"{place}: not a header of hidden states; remove it with its .npy") from None
    if other:
        raise W2SError(
            f"{path} holds other hidden states ({other[0]}: {found[other[0]]}, asked for "
            f"{wanted[other[0]]}): choose another file, or remove it and its .json"
        )
    return found


def _write(backend: Any, prompts: Iterable[Prompt], path: Path, header: dict[str, Any]) -> None:
    """Write what is missing, batch by batch; the header is written after its batch."""
    import numpy as np

    try:
        engine = backend.engine()
        if not header.get("done"):
            header |= {"batch": max(1, backend.size() // 2), "done": 0}
        asked = enumerate(backend.stored(Request(prompt)) for prompt in prompts)
        rows = islice(asked, header["done"], None)
        states = None
        with show.progress("hidden states", header["prompts"]) as advance, writing(path):
            advance(header["done"])
            while batch := list(islice(rows, header["batch"])):
                with np.errstate(over="ignore"):
                    values = engine.hidden(batch, header["layer"]).astype(header["dtype"])
                if not np.isfinite(values).all():
                    raise W2SError(
                        f"a hidden state is beyond {header['dtype']}: store them with dtype=float32"
                    )
                if states is None:
                    states = _opened(path, header, values.shape[1])
                states[header["done"] : header["done"] + len(values)] = values
                states.flush()
                _sync(path)
                header["done"] += len(values)
                write_json(path.with_suffix(".json"), header)
                advance(len(values))
    finally:
        backend.close()


def _opened(path: Path, header: dict[str, Any], width: int) -> Any:
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    if header["done"]:
        _mapped(path, header)  # with r+ numpy fills up a file that is too short
        return np.lib.format.open_memmap(path, mode="r+")
    shape = (header["prompts"], width)
    return np.lib.format.open_memmap(path, mode="w+", dtype=header["dtype"], shape=shape)


def _mapped(path: Path, header: dict[str, Any]) -> Any:
    """The file's states; W2SError where it is not what its header says."""
    import numpy as np

    try:
        found = np.load(path, mmap_mode="r")
        whole = (found.ndim, len(found), found.dtype) == (2, header["prompts"], header["dtype"])
    except (ValueError, OSError, EOFError, AttributeError):
        whole = False
    if not whole:
        raise W2SError(
            f"{path}: damaged, or not the hidden states that {path.with_suffix('.json')} tells of; "
            "remove both"
        )
    return found


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
