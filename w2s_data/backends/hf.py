"""Transformers models in this process: `hf:PATH_OR_HUB_ID[@REVISION][+ADAPTER]`.

A prompt is read once for all its samples, and finished samples leave the batch. The random numbers
of a sample are a hash of (model, prompt, temperature, top_p, seed, index; step, token): Gumbel-max
sampling with counter-based noise. In float32 a token whose choice hangs on rounding errors is
chosen again from a pass over its sample alone. So a sample does not depend on the batch it was
generated in, and generation that was killed goes on with the same texts.

Log-probabilities are natural, of the tokens as sampled, under the model's own distribution
(temperature 1, top_p 1), the ending token included.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from w2s_data.backends import Backend, at_least, check_options, need
from w2s_data.backends.checkpoint import Checkpoint, checkpoint
from w2s_data.rows import Sample
from w2s_data.store import Request

if TYPE_CHECKING:
    from w2s_data.backends.batch import Draft
    from w2s_data.backends.engine import Engine

Numbered = Iterator[tuple[int, Request]]

# What configs call the number of layers.
LAYERS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
DEFAULTS: dict[str, Any] = {
    "batch_size": 0,
    "device": "auto",
    "dtype": "auto",
    "trust_remote_code": False,
    "chat": False,
}


def load(target: str, **options: Any) -> HuggingFace:
    """A transformers model. `target` is a folder or a hub id, `+ADAPTER` a LoRA adapter on it.

    Options: `batch_size` (samples at once; 0: by the model's size), `device` (auto, cpu, cuda,
    ...), `dtype` (auto: float32 on the CPU, bfloat16 elsewhere), `trust_remote_code`, `chat` (a
    text prompt becomes one user message in the chat template).
    """
    check_options("hf", options, DEFAULTS)
    at_least("batch_size", options.get("batch_size", 0), 0)
    model = checkpoint(target)
    for package in ("torch", "transformers", *(["peft"] if model.adapter else [])):
        need(package, "hf")
    return HuggingFace(model, **DEFAULTS | options)


class HuggingFace(Backend):
    """Requests are cut into batches of samples in their order; a batch ends before the next."""

    def __init__(self, model: Checkpoint, batch_size: int, chat: bool, **how: Any):
        self.model = model
        self.chat = chat
        self.batch_size = batch_size
        self._how = how
        self._engine: Engine | None = None

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        return self.model.fingerprint

    def close(self) -> None:
        if self._engine is not None:
            self._engine.release()
            self._engine = None

    def __call__(self, requests: Iterable[Request]) -> Iterator[tuple[int, list[Sample]]]:
        """Raises W2SError if the model cannot be loaded or a prompt does not fit into it."""
        requests = iter(requests)
        first = next(requests, None)
        if first is None:
            return
        engine = self.engine()
        asked = enumerate(map(self.stored, itertools.chain([first], requests)))
        for choices, some in itertools.groupby(asked, lambda one: bool(one[1].choices)):
            answer = self._weigh if choices else self._write
            yield from answer(engine, some)

    def engine(self) -> Engine:
        """The model, loaded; `close` releases it."""
        if self._engine is None:
            from w2s_data.backends.engine import Engine

            self._engine = Engine(self.model, **self._how)
        return self._engine

    @property
    def precision(self) -> str:
        """The precision that the model is loaded in."""
        from w2s_data.backends.engine import placed

        return placed(self._how["device"], self._how["dtype"])[1]

    @property
    def layers(self) -> int | None:
        """How many layers the model has as its config tells, None if it does not; nothing is
        loaded."""
        config = self.model.config()
        places = (config, config.get("text_config") or {})
        return next((place[name] for place in places for name in LAYERS if name in place), None)

    def size(self) -> int:
        """How many samples are side by side."""
        return self.batch_size or self.engine().default_batch_size

    def _weigh(self, engine: Engine, requests: Numbered) -> Iterator[tuple[int, list[Sample]]]:
        while batch := list(itertools.islice(requests, max(1, self.size() // 2))):
            yield from engine.weigh(batch)

    def _write(self, engine: Engine, requests: Numbered) -> Iterator[tuple[int, list[Sample]]]:
        size = self.size()
        drafts = itertools.chain.from_iterable(engine.drafts(*one) for one in requests)
        begun: dict[int, list[Draft]] = {}
        parked: list[Draft] = []
        while True:
            fresh = [] if len(parked) >= size else list(itertools.islice(drafts, size))
            for draft in fresh:
                begun.setdefault(draft.position, []).append(draft)
            if fresh:
                parked += engine.generate(fresh, park=True)
            elif parked:
                engine.generate(parked[:size], park=False)
                del parked[:size]
            else:
                return
            for position, some in list(begun.items()):
                if len(some) == some[0].request.n and all(draft.finish for draft in some):
                    yield position, [engine.sample(draft) for draft in begun.pop(position)]
