"""Sets for the report's tests, written as `build` writes them."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

from w2s_data import factory
from w2s_data.io import write_rows


def write_set(folder: Path, name: str, rows: list[dict], dropped: list[dict], **manifest: Any):
    """A DPO set of `rows` (id, prompt, chosen, rejected, further columns) in `folder`."""
    body = [
        {"id": r["id"], "instruction": r["prompt"], "input": "", "system": ""}
        | {key: value for key, value in r.items() if key not in ("id", "prompt")}
        for r in rows
    ]
    write_rows(folder / f"{name}.jsonl", body)
    write_rows(folder / f"{name}.dropped.jsonl", dropped)
    factory.register(folder, name, factory.entry("dpo", "alpaca", f"{name}.jsonl"))
    described = json.dumps({"name": name, "task": "gsm8k"} | manifest)
    (folder / f"{name}.manifest.json").write_text(described)


def unpack(page: str) -> tuple[dict, list[dict]]:
    """The index and the rows that a page holds."""
    texts = re.findall(r'<script type="application/gzip"[^>]*>([^<]*)</script>', page)
    *blocks, index = [json.loads(gzip.decompress(base64.b64decode(text))) for text in texts]
    return index, [row for block in blocks for row in block]


def table(page: str, title: str) -> list[dict[str, str]]:
    """The numbers under the chart of this title."""
    found = re.search(rf"<h3>{re.escape(title)}</h3>.*?<table>(.*?)</table>", page, re.DOTALL)
    assert found, f"no chart {title!r}"
    rows = re.findall(r"<tr>(.*?)</tr>", found[1], re.DOTALL)
    names = re.findall(r"<th[^>]*>(.*?)</th>", rows[0])
    cells = (re.findall(r"<td><bdi>(.*?)</bdi></td>", row, re.DOTALL) for row in rows[1:])
    return [dict(zip(names, row)) for row in cells]
