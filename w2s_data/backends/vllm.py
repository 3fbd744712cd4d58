"""vLLM's offline engine in this process: `vllm:PATH_OR_HUB_ID[@REVISION][+ADAPTER]`.

It needs an environment of its own (run/install_vllm.sh). A model has the same fingerprint here and
under `hf:`. Samples are seeded by (seed, prompt, start), except on the CPU, where vLLM takes one
seed for the engine: that of the first request it gets.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from w2s_data.backends import Backend, at_least, need
from w2s_data.backends.checkpoint import Checkpoint, checkpoint
from w2s_data.backends.encode import choices_of, room_after, tokens_of, weighed
from w2s_data.errors import W2SError
from w2s_data.rows import Sample, digest
from w2s_data.store import Request

LORA_RANKS = (8, 16, 32, 64, 128, 256)


def load(target: str, **options: Any) -> VLLM:
    """A model in vLLM. `target` is a folder or a hub id, `+ADAPTER` a LoRA adapter on it.

    Options: `batch_size` (samples handed to the engine at once; it makes its own batches of
    them), `chat` (a text prompt becomes one user message). All others go to `vllm.LLM` as they
    are: `tensor_parallel_size`, `gpu_memory_utilization`, `max_model_len`, `dtype`, ...
    """
    batch_size, chat = options.pop("batch_size", 2048), options.pop("chat", False)
    at_least("batch_size", batch_size, 1)
    model = checkpoint(target)
    need("vllm", "vllm")
    return VLLM(model, batch_size, chat, options)


class VLLM(Backend):
    def __init__(self, model: Checkpoint, batch_size: int, chat: bool, options: dict[str, Any]):
        self.model = model
        self.chat = chat
        self._batch_size, self._options = batch_size, options
        self._engine: Any = None
        self._lora: Any = None
        self._seeds = True

    @property
    def fingerprint(self) -> str:  # type: ignore[override]
        return self.model.fingerprint

    def close(self) -> None:
        if self._engine is None:
            return
        core = getattr(self._engine.llm_engine, "engine_core", None)
        if core is not None:
            core.shutdown()
        self._engine = core = None
        gc.collect()

    def __call__(self, requests: Iterable[Request]) -> Iterator[tuple[int, list[Sample]]]:
        """Raises W2SError if the engine cannot start or a prompt does not fit into the model."""
        asked = enumerate(map(self.stored, requests))
        while batch := list(_take(asked, self._batch_size)):
            if self._engine is None:
                self._start(batch[0][1])
            tokenizer = self._engine.get_tokenizer()
            context = self._engine.llm_engine.model_config.max_model_len
            prompts, parameters, continuations = [], [], []
            for position, request in batch:
                where = (position, context, str(self.model))
                choices: list[list[int]] = []
                if request.choices:
                    ids, choices = choices_of(tokenizer, request, *where)
                else:
                    ids = tokens_of(tokenizer, request.prompt, str(self.model))
                    parameters.append(self._parameters(request, room_after(ids, request, *where)))
                parameters += [_reading()] * len(choices)
                prompts += [{"prompt_token_ids": ids + choice} for choice in choices or [[]]]
                continuations.append(choices)
            with self._failing("stopped"):
                answers = self._engine.generate(
                    prompts, parameters, lora_request=self._lora, use_tqdm=False
                )
            outputs = iter(answers)
            for (position, request), choices in zip(batch, continuations):
                if choices:
                    read = zip(itertools.count(request.start), choices, outputs)
                    yield position, [_weighed(request, *one) for one in read]
                    continue
                ordered = sorted(next(outputs).outputs, key=lambda one: one.index)
                yield position, [_sample(one, request) for one in ordered]

    def _parameters(self, request: Request, room: int) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            n=request.n,
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=room,
            stop=[stop for stop in request.stop if stop],
            seed=_seed(request) if self._seeds and request.temperature else None,
            logprobs=0 if request.logprobs else None,
        )

    def _start(self, first: Request) -> None:
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        import vllm
        from vllm.platforms import current_platform

        self._seeds = not current_platform.is_cpu()
        options = {
            "model": self.model.name,
            "revision": self.model.revision,
            "seed": _seed(first),
            "enable_prefix_caching": True,
            "disable_log_stats": True,
        }
        with self._failing("cannot be started"):
            if self.model.adapter:
                from vllm.lora.request import LoRARequest

                folder = _fetched(self.model.adapter)
                options |= {"enable_lora": True, "max_lora_rank": _rank(folder)}
                self._lora = LoRARequest("adapter", 1, str(folder))
            self._engine = vllm.LLM(**options | self._options)

    @contextlib.contextmanager
    def _failing(self, how: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            reason = " ".join(str(error).split()) or "no reason given"
            name = f"vllm:{self.model}"
            raise W2SError(f"{name} {how}: {type(error).__name__}: {reason}") from error


def _reading() -> Any:
    """Parameters that read a prompt and give its tokens' log-probabilities."""
    from vllm import SamplingParams

    return SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, detokenize=False)


def _weighed(request: Request, index: int, choice: list[int], output: Any) -> Sample:
    """The log-probability of `choice`, the last tokens of the prompt that was read."""
    steps = output.prompt_logprobs[-len(choice) :]
    total = math.fsum(float(step[token].logprob) for token, step in zip(choice, steps))
    return weighed(request, index, len(choice), total)


def _take(asked: Iterator[tuple[int, Request]], size: int) -> Iterator[tuple[int, Request]]:
    """Requests for `size` samples, or just over."""
    for position, request in asked:
        yield position, request
        size -= request.n
        if size <= 0:
            return


def _seed(request: Request) -> int:
    """Of a request's own, so that samples asked for later do not repeat the first."""
    return int(digest(str(request.seed), request.prompt_text(), str(request.start))[:7], 16)


def _fetched(adapter: Checkpoint) -> Path:
    if adapter.is_folder:
        return Path(adapter.name)
    import huggingface_hub

    return Path(huggingface_hub.snapshot_download(adapter.name, revision=adapter.revision))


def _rank(folder: Path) -> int:
    rank = json.loads((folder / "adapter_config.json").read_text("utf-8")).get("r", 8)
    return next((known for known in LORA_RANKS if known >= rank), rank)


def _sample(output: Any, request: Request) -> Sample:
    sample = Sample(
        index=request.start + output.index,
        text=output.text,
        finish="length" if output.finish_reason == "length" else "stop",
        tokens=len(output.token_ids),
    )
    if request.logprobs:
        found = [step[token] for token, step in zip(output.token_ids, output.logprobs)]
        sample["logprobs"] = [
            (one.decoded_token or "", round(float(one.logprob), 6)) for one in found
        ]
        sample["logprob"] = round(math.fsum(value for _, value in sample["logprobs"]), 6)
    return sample
