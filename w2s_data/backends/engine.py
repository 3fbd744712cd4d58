"""A transformers model that writes: batches of samples, each from its own random numbers."""

from __future__ import annotations

import contextlib
import gc
import inspect
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from w2s_data.backends.checkpoint import Checkpoint
from w2s_data.backends.gumbel import choose, gumbel, scramble
from transformers.cache_utils import DynamicLayer

from w2s_data.errors import W2SError
from w2s_data.rows import Sample
from w2s_data.store import SURROGATE, Request

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


class Engine:
    """A loaded model and its tokenizer."""

    def __init__(self, model: Checkpoint, device: str, dtype: str, trust_remote_code: bool) -> None:
        self.name = str(model)
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if dtype == "auto":
            dtype = "float32" if device == "cpu" else "bfloat16"
        with _loading(self.name):
            self.device, kind = torch.device(device), getattr(torch, dtype)
            self.tokenizer, self.model = _load(model, kind, trust_remote_code)
            self.model.to(self.device).eval()
        self.exact = kind == torch.float32
        self.width = self.model.get_output_embeddings().weight.shape[0]
        self.pieces = self._pieces()
        self.ends = self._ends()
        self.token_noise = scramble(torch.arange(self.width, dtype=torch.int32, device=self.device))
        # Models from the hub may not know the argument; then all logits are computed.
        knows = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        self.last_only = {"logits_to_keep": 1} if knows else {}
        self._tables: dict[tuple[str, ...], Any] = {}

    def on_device(self, values: Any, dtype: torch.dtype = torch.long) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=self.device)

    def release(self) -> None:
        del self.model, self.tokenizer
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @property
    def default_batch_size(self) -> int:
        """Samples at once: enough to be efficient, and a batch on the CPU takes minutes at most."""
        size = sum(p.numel() for p in self.model.parameters())
        least, work = (16, 4e9) if self.device.type == "cpu" else (64, 4e11)
        return int(min(512, max(least, work / size)))

    def encode(self, request: Request, position: int) -> tuple[list[int], int]:
        """The tokens of the request's prompt, and how many may follow."""
        ids = self._tokens(request.prompt) or self._start()
        config = self.model.config.get_text_config()
        limit = getattr(config, "max_position_embeddings", None)
        if limit is None:
            return ids, request.max_tokens
        if len(ids) >= limit:
            raise W2SError(
                f"prompt {position + 1} ({request.prompt_text()[:50]!r}...) has {len(ids)} tokens, "
                f"{len(ids) + 1 - limit} too many for {self.name}, which has room for {limit}, "
                "one of them new: shorten the prompt or take a model with a longer context"
            )
        return ids, min(request.max_tokens, limit - len(ids))

    def _start(self) -> list[int]:
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return [token]
        raise W2SError(f"the tokenizer of {self.name} makes no token of an empty prompt")

    def _tokens(self, prompt: Any) -> list[int]:
        if isinstance(prompt, str):
            return self.tokenizer(SURROGATE.sub("\ufffd", prompt))["input_ids"]
        if not self.tokenizer.chat_template:
            raise W2SError(f"{self.name} has no chat template: send it text, not chat messages")
        messages = [{k: SURROGATE.sub("\ufffd", v) for k, v in m.items()} for m in prompt]
        go_on = messages[-1]["role"] == "assistant"
        try:
            text = self.tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=not go_on,
                continue_final_message=go_on,
            )
        except Exception as error:
            raise W2SError(f"the chat template of {self.name} refuses: {error}") from error
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def _pieces(self) -> list[str]:
        ids = range(min(self.width, len(self.tokenizer)))
        pieces = self.tokenizer.batch_decode([[i] for i in ids], clean_up_tokenization_spaces=False)
        return pieces + [""] * (self.width - len(pieces))

    def _ends(self) -> frozenset[int]:
        config = getattr(self.model, "generation_config", None)
        ends = getattr(config, "eos_token_id", None)
        ends = ends if isinstance(ends, list) else [ends]
        return frozenset(i for i in [*ends, self.tokenizer.eos_token_id] if i is not None)

    def ending(self, stops: tuple[str, ...]) -> Any:
        """For each token, whether a sample can end with it: an end token, or one that completes
        a stop string."""
        if stops not in self._tables:
            tails = tuple({stop[i:] for stop in stops for i in range(len(stop))})

            def completes(piece: str) -> bool:
                forms = (piece, piece.lstrip(), " " + piece)
                return "\ufffd" in piece or any(
                    form.startswith(tails) or any(stop in form for stop in stops) for form in forms
                )

            flags = [
                i in self.ends or bool(stops and completes(p)) for i, p in enumerate(self.pieces)
            ]
            self._tables[stops] = torch.tensor(flags, device=self.device)
        return self._tables[stops]

    def text(self, draft: Draft, tokens: list[int]) -> str:
        """The text of `tokens` as it goes on from the prompt (its last token tells of blanks)."""
        before, after = self._decode(draft.prompt[-1:]), self._decode(draft.prompt[-1:] + tokens)
        return after[len(before) :] if after.startswith(before) else self._decode(tokens)

    def _decode(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def finish(self, draft: Draft, tokens: list[int]) -> bool:
        """Whether the draft ends with `tokens`; if so, its text and the reason are set."""
        stops = [stop for stop in draft.request.stop if stop]
        ended = tokens[-1] in self.ends
        full = len(tokens) >= draft.room
        if not (ended or full):
            tail = self._decode(tokens[-2 - max(len(stop.encode()) for stop in stops) :])
            if not any(stop in tail for stop in stops):
                return False
        text = self.text(draft, tokens[:-1] if ended else tokens)
        cut = min((i for i in map(text.find, stops) if i >= 0), default=None)
        if cut is None and not (ended or full):
            return False
        draft.text = text[:cut]
        draft.finish = "length" if cut is None and not ended else "stop"
        return True

    @torch.inference_mode()
    def generate(self, drafts: list[Draft], park: bool = False) -> list[Draft]:
        """Write until every draft has ended or, with `park`, only stragglers are left: those.

        Stragglers would leave the machine idle; the caller puts those of many batches together.
        """
        batch = Batch(self, drafts)
        few = len(drafts) // 8 if park and len(drafts) >= 64 else 0
        while True:
            batch.write()
            if batch.living <= few:
                return batch.leave()
            batch.read()

    def read(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """The float32 logits after the last token of each row, and the cache."""
        out = self.model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            **self.last_only,
        )
        return out.logits[:, -1].float(), out.past_key_values

    def read_alone(self, ids: list[int]) -> Tensor:
        """As `read`, of one row without cache and padding: no other row has a say in it."""
        row = self.on_device([ids])
        return self.model(input_ids=row, use_cache=False, **self.last_only).logits[:, -1].float()

    def sample(self, draft: Draft) -> Sample:
        sample = Sample(
            index=draft.index, text=draft.text, finish=draft.finish, tokens=len(draft.tokens)
        )
        if draft.request.logprobs:
            sample["logprob"] = round(math.fsum(draft.logprobs), 6)
            sample["logprobs"] = [
                (self.pieces[token], round(value, 6))
                for token, value in zip(draft.tokens, draft.logprobs)
            ]
        return sample


class RoomyLayer(DynamicLayer):
    """Keys and values in a buffer with room to grow, instead of a copy for every token."""

    def __init__(self, layer: DynamicLayer, rows: Tensor) -> None:
        super().__init__()
        self.dtype, self.device = layer.keys.dtype, layer.keys.device
        self.is_initialized = True
        self._buffers = [_roomy(layer.keys[rows]), _roomy(layer.values[rows])]
        self._show(len(rows), layer.keys.shape[-2])

    def _show(self, count: int, length: int) -> None:
        self.keys, self.values = (buffer[:count, :, :length] for buffer in self._buffers)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        count, length = self.keys.shape[0], self.keys.shape[2]
        if length == self._buffers[0].shape[2]:
            self._buffers = [_roomy(self.keys), _roomy(self.values)]
        for buffer, new in zip(self._buffers, (key_states, value_states)):
            buffer[:count, :, length : length + 1] = new
        self._show(count, length + 1)
        return self.keys, self.values

    def fill(self, holes: Tensor, movers: Tensor, count: int) -> None:
        for buffer in self._buffers:
            buffer[holes] = buffer[movers]
        self._show(count, self.keys.shape[2])


def _roomy(states: Tensor) -> Tensor:
    count, heads, length, width = states.shape
    buffer = states.new_empty(count, heads, length + 64 + length // 4, width)
    buffer[:, :, :length] = states
    return buffer


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
        self.length = max(map(len, beginnings))
        ids = self.engine.on_device([[0] * (self.length - len(b)) + list(b) for b in beginnings])
        mask = torch.ones(len(beginnings), self.length + horizon, dtype=torch.long)
        for row, beginning in enumerate(beginnings):
            mask[row, : self.length - len(beginning)] = 0
        mask = mask.to(self.engine.device)
        positions = (mask[:, : self.length].cumsum(-1) - 1).clamp(min=0)
        logits, self.cache = self.engine.read(ids, mask[:, : self.length], positions, None)
        where = self.engine.on_device(rows)
        self.logits, self.mask, self.position = logits[where], mask[where], positions[where, -1]
        self.roomy = all(type(layer) is DynamicLayer for layer in self.cache.layers)
        if self.roomy:
            self.cache.layers = [RoomyLayer(layer, where) for layer in self.cache.layers]
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
        if self.roomy:
            for layer in self.cache.layers:
                layer.fill(holes, movers, self.living)
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


def _words(key: int) -> list[int]:
    """The 64 bits of `key` as two signed 32-bit integers."""
    return [(word ^ 0x80000000) - 0x80000000 for word in (key >> 32, key & 0xFFFFFFFF)]


@contextlib.contextmanager
def _loading(name: str) -> Iterator[None]:
    try:
        yield
    except W2SError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise W2SError(f"{name} cannot be loaded: {type(error).__name__}: {reason}") from error


def _load(model: Checkpoint, dtype: torch.dtype, trust: bool) -> tuple[Any, Any]:
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    where: dict[str, Any] = {"revision": model.revision or "main", "trust_remote_code": trust}
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.name, **where)
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    where["dtype" if version >= (4, 56) else "torch_dtype"] = dtype
    net, report = transformers.AutoModelForCausalLM.from_pretrained(
        model.name, output_loading_info=True, **where
    )
    if report["missing_keys"]:
        names = sorted(report["missing_keys"])
        raise W2SError(
            f"{model.name} lacks {len(names)} of the weights its config asks for: "
            f"{', '.join(names[:3])}, ..."
        )
    if model.adapter:
        import peft

        revision = model.adapter.revision or "main"
        net = peft.PeftModel.from_pretrained(net, model.adapter.name, revision=revision)
        net = net.merge_and_unload()
    return tokenizer, net
