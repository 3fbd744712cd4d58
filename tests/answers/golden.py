"""Where the published and adjudicated data lie; tests skip without them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("W2S_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a golden file, JSON or JSONL."""
    path = SHARED / "golden" / name
    if not path.exists():
        pytest.skip(f"the golden file {name} is not beside the repository (set W2S_SHARED)")
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        found: list[dict[str, Any]] = json.loads(text)
        return found
    return [json.loads(line) for line in text.splitlines()]
