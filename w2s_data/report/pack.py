"""Rows packed for the page: JSON, gzip, base64, a block of some hundred kilobytes at a time.

No text of a row stands in the page as it is, so none can be taken for markup; a browser unpacks
only the blocks that it shows or searches.
"""

from __future__ import annotations

import base64
import gzip
import tempfile
from collections.abc import Iterator
from typing import Any

from w2s_data.io import dump, writing

BLOCK = 1 << 19  # characters of JSON


def packed(text: str) -> str:
    """`text` as gzip in base64, the same for the same text."""
    return base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()


class Blocks:
    """Rows as packed blocks on disk: memory for one block.

    `starts` holds the number of each block's first row, `groups` each row's group.
    """

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.groups: list[int] = []
        self._open: list[str] = []
        self._size = 0
        self._file = tempfile.TemporaryFile("w+")  # noqa: SIM115 (lives as long as the blocks)

    def add(self, row: Any, group: int) -> None:
        """Append one row."""
        if not self._open:
            self.starts.append(len(self.groups))
        text = dump(row)
        self.groups.append(group)
        self._open.append(text)
        self._size += len(text)
        if self._size >= BLOCK:
            self._close()

    def __iter__(self) -> Iterator[str]:
        self._close()
        self._file.seek(0)
        return (line.rstrip("\n") for line in self._file)

    def _close(self) -> None:
        if self._open:
            with writing(tempfile.gettempdir()):
                self._file.write(packed(f"[{','.join(self._open)}]") + "\n")
            self._open, self._size = [], 0
