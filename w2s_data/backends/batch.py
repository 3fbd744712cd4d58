"""Samples side by side in a model: which token comes next, and who has ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from w2s_data.backends.attention import SharedLayer, Sharing
from w2s_data.backends.gumbel import choose, gumbel
from w2s_data.store import Request

if TYPE_CHECKING:
    from w2s_data.backends.engine import Engine

Tensor = torch.Tensor

# Between batches of different shapes, a sample's float32 logits differ by less than this.
ROUNDING = 1e-4


@dataclass(eq=False)
class Draft:
    """One sample in the making; `finish` is empty until it ends."""

    position: int
    index: int
    request: Request
    prompt: list[int]
    room: int
    key: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    text: str = ""
    finish: str = ""


class Batch:
    """Drafts side by side: one row each in every tensor; `step` counts the tokens written here."""

    def __init__(self, engine: Engine, drafts: list[Draft]):
        self.engine, self.drafts, self.step = engine, drafts, -1
        self.living = len(drafts)
        rows = engine.on_device
        self.begun = rows([len(d.tokens) for d in drafts])
        self.room = rows([d.room - len(d.tokens) for d in drafts])
        self.key = rows([_words(d.key) for d in drafts], torch.int32)
        self.temperature = rows([d.request.temperature for d in drafts], torch.float32)
        self.top_p = rows([d.request.top_p for d in drafts], torch.float32)
        stops = list(dict.fromkeys(d.request.stop for d in drafts))
        self.endings = torch.stack([engine.ending(tuple(filter(None, s))) for s in stops])
        self.ending = rows([stops.index(d.request.stop) for d in drafts])
        self.alive = torch.ones_like(self.begun, dtype=torch.bool)
        self.sampled = any(d.request.temperature for d in drafts)
        self.wants_logprobs = any(d.request.logprobs for d in drafts)
        horizon = int(self.room.max())
        self.written = torch.zeros(len(drafts), horizon, dtype=torch.long, device=engine.device)
        self.logprobs = self.written.new_zeros(
            (len(drafts), horizon if self.wants_logprobs else 0), dtype=torch.float32
        )
        self._read_prompts(horizon)

    def _read_prompts(self, horizon: int) -> None:
        """Each different beginning is read once, then repeated for the drafts that share it."""
        beginnings: dict[tuple[int, ...], int] = {}
        rows = [beginnings.setdefault((*d.prompt, *d.tokens), len(beginnings)) for d in self.drafts]
        common = _common(beginnings) if self.engine.shares else 0
        self.length = max(map(len, beginnings))
        ids = torch.zeros(len(beginnings), self.length, dtype=torch.long)
        mask = torch.ones(len(beginnings), self.length + horizon, dtype=torch.long)
        for row, beginning in enumerate(beginnings):
            start = self.length - len(beginning) + common
            ids[row, :common] = torch.tensor(beginning[:common])
            ids[row, start:] = torch.tensor(beginning[common:])
            mask[row, common:start] = 0
        ids, mask = ids.to(self.engine.device), mask.to(self.engine.device)
        positions = (mask[:, : self.length].cumsum(-1) - 1).clamp(min=0)
        cache, seen = None, mask[:, : self.length]
        if common:
            first = slice(0, 1), slice(0, common)
            _, cache = self.engine.read(ids[first], seen[first], positions[first], None)
            for layer in cache.layers:
                layer.keys, layer.values = (
                    states.expand(len(ids), -1, -1, -1) for states in (layer.keys, layer.values)
                )
        self.logits, self.cache = self.engine.read(
            ids[:, common:], seen, positions[:, common:], cache
        )
        where = self.engine.on_device(rows)
        self.logits, self.mask = self.logits[where], mask[where]
        self.position = positions[where, -1]
        self.sharing: Sharing | None = None
        if self.engine.shares:
            self.sharing = Sharing(where, seen, common)
            self.cache.layers = [SharedLayer(layer, self.sharing) for layer in self.cache.layers]
        else:
            self.cache.batch_select_indices(where)

    def write(self) -> None:
        """Choose each row's next token; drafts that end with it are finished."""
        self.step += 1
        step, engine = self.step, self.engine
        tokens = self._choose()
        self.written[:, step] = tokens
        if self.wants_logprobs:
            values = self.logits.log_softmax(-1).gather(-1, tokens[:, None])
            self.logprobs[:, step] = values[:, 0]
        may_end = self.endings[self.ending, tokens] | (self.room <= step + 1)
        for row in (may_end & self.alive).nonzero()[:, 0].tolist():
            draft = self.drafts[row]
            if engine.finish(draft, draft.tokens + self.written[row, : step + 1].tolist()):
                self._keep(row)
                self.alive[row] = False
                self.living -= 1

    def _choose(self) -> Tensor:
        engine = self.engine
        noise = None
        if self.sampled:
            noise = gumbel(self.key, self.begun + self.step, engine.token_noise)
        rounding = ROUNDING if engine.exact else 0.0
        tokens, sure = choose(self.logits, noise, self.temperature, self.top_p, rounding)
        if engine.exact:
            for row in (~sure & self.alive).nonzero()[:, 0].tolist():
                draft = self.drafts[row]
                ids = draft.prompt + draft.tokens + self.written[row, : self.step].tolist()
                logits = engine.read_alone(ids)
                one = slice(row, row + 1)
                tokens[one] = choose(
                    logits,
                    None if noise is None else noise[one],
                    self.temperature[one],
                    self.top_p[one],
                    0.0,
                )[0]
        return tokens

    def read(self) -> None:
        """Give the model the tokens just written; finished rows leave when they are many."""
        if self.living < 0.9 * len(self.drafts):
            self._compact()
        self.position = self.position + 1
        self.length += 1
        self.logits, self.cache = self.engine.read(
            self.written[:, self.step, None],
            self.mask[:, : self.length],
            self.position[:, None],
            self.cache,
        )

    def _compact(self) -> None:
        """Rows from the end take the places of those that are finished."""
        holes = (~self.alive[: self.living]).nonzero()[:, 0]
        movers = self.alive[self.living :].nonzero()[:, 0] + self.living
        rows = torch.arange(self.living, device=self.engine.device)
        rows[holes] = movers
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor) and name != "endings":
                setattr(self, name, value[rows])
        self.drafts = [self.drafts[row] for row in rows.tolist()]
        if self.sharing is not None:
            prompts = self.sharing.keep(rows)
            for layer in self.cache.layers:
                layer.keep(holes, movers, self.living, prompts)
        else:
            self.cache.batch_select_indices(rows)

    def _keep(self, row: int) -> None:
        draft = self.drafts[row]
        draft.tokens = draft.tokens + self.written[row, : self.step + 1].tolist()
        draft.logprobs = draft.logprobs + self.logprobs[row, : self.step + 1].tolist()

    def leave(self) -> list[Draft]:
        """The drafts that have not ended, with what was written so far."""
        rows = self.alive.nonzero()[:, 0].tolist()
        for row in rows:
            self._keep(row)
        return [self.drafts[row] for row in rows]


def _common(beginnings: Iterable[tuple[int, ...]]) -> int:
    """How many tokens all of several beginnings share, less than any has; 0 for a few."""
    least, most = min(beginnings), max(beginnings)
    pairs = enumerate(zip(least, most))
    same = next((i for i, (a, b) in pairs if a != b), min(len(least), len(most)))
    same = min(same, min(map(len, beginnings)) - 1)
    return same if same >= 16 and least != most else 0


def _words(key: int) -> list[int]:
    """The 64 bits of `key` as two signed 32-bit integers."""
    return [(word ^ 0x80000000) - 0x80000000 for word in (key >> 32, key & 0xFFFFFFFF)]
