"""Rows that come more than once: exactly, nearly, or as their own opposite.

Near duplicates: MinHash with locality-sensitive hashing, by the library rensa. Rows are compared
by runs of three words; rows whose numbers differ are never near, since that makes another problem.
Rows of one prompt differ in their responses alone, so these alone are compared: the two choices of
a question are no near duplicates, however short they are beside it. Only the first of a group of
near rows is kept in the index, so that it never compares all pairs.
"""

from __future__ import annotations

import re
from typing import Any

from w2s_data.check.content import Texts
from w2s_data.check.entries import Entry
from w2s_data.check.findings import Findings
from w2s_data.check.survey import Seen
from w2s_data.rows import digest

PERMUTATIONS, BANDS, THRESHOLD, BATCH = 64, 8, 0.9, 1000
WORD, NUMBER = re.compile(r"\w+"), re.compile(r"\d+(?:[.,]\d+)*")


class Copies:
    """The rules W901, W902, W903 and W911 over the rows of one set. Memory: some 1 kB a row."""

    def __init__(self, entry: Entry, found: Findings, val_size: float = 0.0):
        self.entry, self.found, self.val_size = entry, found, val_size
        self._rows: dict[bytes, str | None] = {}
        self._prompts: set[bytes] = set()
        self._liked: set[bytes] = set()
        self._disliked: set[bytes] = set()
        self._near = _Near(entry, found) if found.wants("W902") else None

    def see(self, seen: Seen, has: Texts) -> None:
        prompt = _key(*has.prompt)
        key = _key(*has.prompt, *(f"{k}\0{v}" for k, v in has.responses.items()))
        new = key not in self._rows
        first = self._rows.setdefault(key, seen.place.id)
        if not new and (first is None or first != seen.place.id):
            self.found.add("W901", self.entry.name, place=seen.place)
        if has.prompt and self.val_size and prompt in self._prompts:
            message = f"val_size {self.val_size:g} may put rows of this prompt on both sides"
            self.found.add("W911", self.entry.name, message, seen.place)
        self._prompts.add(prompt)
        self._opposites(seen, prompt, has.responses)
        if new and self._near:
            self._near.see(seen, prompt, has)

    def _opposites(self, seen: Seen, prompt: bytes, responses: dict[str, str]) -> None:
        opposite = False
        for parts, here, there in (
            (("chosen", "true"), self._liked, self._disliked),
            (("rejected", "false"), self._disliked, self._liked),
        ):
            for part in responses.keys() & set(parts):
                key = _key(prompt.hex(), responses[part])
                opposite |= key in there
                here.add(key)
        if opposite and len({text.strip() for text in responses.values()}) == len(responses):
            self.found.add("W903", self.entry.name, place=seen.place)

    def end(self) -> None:
        if self._near:
            self._near.flush()


class _Near:
    """Near duplicates, searched for in batches."""

    def __init__(self, entry: Entry, found: Findings):
        self.entry, self.found = entry, found
        self._waiting: list[tuple[Seen, bytes, Texts]] = []
        self._kept: dict[int, tuple[bytes, Any]] = {}
        try:
            from rensa import RMinHash, RMinHashLSH
        except ImportError:
            found.skip("near duplicates: they need the package rensa: pip install rensa")
            self._index: Any = None
        else:
            self._hash, self._index = RMinHash, RMinHashLSH(THRESHOLD, PERMUTATIONS, BANDS)

    def see(self, seen: Seen, prompt: bytes, has: Texts) -> None:
        if self._index is None:
            return
        self._waiting.append((seen, prompt, has))
        if len(self._waiting) == BATCH:
            self.flush()

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        said = ["\n".join(has.responses.values()) for _, _, has in waiting]
        whole = ["\n".join([*has.prompt, text]) for (_, _, has), text in zip(waiting, said)]
        hashes = zip(self._hashes(whole), self._hashes(said), strict=True)
        for (seen, prompt, _), (each, own) in zip(waiting, hashes, strict=True):
            if any(self._same(row, prompt, own) for row in self._index.query(each)):
                self.found.add("W902", self.entry.name, place=seen.place)
            else:
                self._index.insert(seen.place.row, each)
                self._kept[seen.place.row] = (prompt, own)

    def _hashes(self, texts: list[str]) -> Any:
        return self._hash.from_token_sets([shingles(text) for text in texts], PERMUTATIONS, 42)

    def _same(self, row: int, prompt: bytes, own: Any) -> bool:
        """Whether an earlier row, near as a whole, is of another prompt or says nearly the same."""
        asked, said = self._kept[row]
        return asked != prompt or said.jaccard(own) >= THRESHOLD


def shingles(text: str) -> list[str]:
    """Runs of three words, each marked with the text's numbers."""
    words = WORD.findall(text.casefold())
    numbers = digest(*NUMBER.findall(text))[:12]
    runs = range(max(1, len(words) - 2))
    return [f"{numbers} {' '.join(words[i : i + 3])}" for i in runs]


def _key(*texts: str) -> bytes:
    return bytes.fromhex(digest(*texts)[:24])
