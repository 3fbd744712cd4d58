"""A transformers model that writes: batches of samples, each from its own random numbers."""

from __future__ import annotations

import contextlib
import gc
import inspect
import math
from collections.abc import Iterator
from typing import Any

import torch

from w2s_data.backends.attention import share_prompts
from w2s_data.backends.batch import Batch, Draft
from w2s_data.backends.checkpoint import Checkpoint
from w2s_data.backends.encode import choices_of, room_after, tokens_of, weighed
from w2s_data.backends.gumbel import scramble
from w2s_data.errors import W2SError, out_of_range
from w2s_data.rows import Sample, digest
from w2s_data.store import Request

Tensor = torch.Tensor


def placed(device: str, dtype: str) -> tuple[str, str]:
    """The device and the precision that `auto` stands for."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if dtype == "auto":
        dtype = "float32" if device == "cpu" else "bfloat16"
    return device, dtype


class Engine:
    """A loaded model and its tokenizer."""

    def __init__(self, model: Checkpoint, device: str, dtype: str, trust_remote_code: bool) -> None:
        self.name, self.fingerprint = str(model), model.fingerprint
        device, dtype = placed(device, dtype)
        with _loading(self.name):
            self.device, kind = torch.device(device), getattr(torch, dtype)
            self.tokenizer, self.model = _load(model, kind, trust_remote_code)
            self.model.to(self.device).eval()
        self.shares = share_prompts(self.model)
        self.exact = kind == torch.float32
        self.width = self.model.get_output_embeddings().weight.shape[0]
        self.pieces = self._pieces()
        self.ends = self._ends()
        self.token_noise = scramble(torch.arange(self.width, dtype=torch.int32, device=self.device))
        # Models from the hub may not know the argument; then all logits are computed.
        knows = "logits_to_keep" in inspect.signature(self.model.forward).parameters
        self.last_only = {"logits_to_keep": 1} if knows else {}
        config = self.model.config.get_text_config()
        self.context = getattr(config, "max_position_embeddings", None)
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

    def drafts(self, position: int, request: Request) -> Iterator[Draft]:
        """The samples that `request` asks for, still empty."""
        prompt = tokens_of(self.tokenizer, request.prompt, self.name)
        room = room_after(prompt, request, position, self.context, self.name)
        source = (self.fingerprint, str(request.temperature), str(request.top_p))
        for index in range(request.start, request.start + request.n):
            key = digest(*source, request.prompt_text(), str(request.seed), str(index))
            yield Draft(position, index, request, prompt, room, int(key[:16], 16))

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

    def side_by_side(self, rows: list[list[int]]) -> dict[str, Tensor]:
        """Token rows padded on the left, with mask and positions, as a model's arguments."""
        length = max(map(len, rows))
        ids = self.on_device([[0] * (length - len(row)) + row for row in rows])
        mask = self.on_device([[0] * (length - len(row)) + [1] * len(row) for row in rows])
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}

    @torch.inference_mode()
    def weigh(self, requests: list[tuple[int, Request]]) -> Iterator[tuple[int, list[Sample]]]:
        """The log-probability of each choice after its prompt, in one forward pass.

        Choices that differ in their last token only share one row of it.
        """
        asked, rows = [], dict[tuple[int, ...], int]()
        for position, request in requests:
            prompt, choices = choices_of(self.tokenizer, request, position, self.context, self.name)
            asked.append((position, request, prompt, choices))
            for choice in choices:
                rows.setdefault((*prompt, *choice[:-1]), len(rows))
        longest = max(len(choice) for *_, choices in asked for choice in choices)
        keep = {"logits_to_keep": longest} if self.last_only else {}
        inputs = self.side_by_side(list(map(list, rows)))
        values = self.model(**inputs, use_cache=False, **keep).logits[:, -longest:].float()
        values = values.log_softmax(-1)
        for position, request, prompt, choices in asked:
            samples = []
            for index, choice in enumerate(choices, request.start):
                row = values[rows[(*prompt, *choice[:-1])], -len(choice) :]
                total = row.gather(-1, self.on_device(choice)[:, None]).sum().item()
                samples.append(weighed(request, index, len(choice), total))
            yield position, samples

    @torch.inference_mode()
    def hidden(self, requests: list[tuple[int, Request]], layer: int | None) -> Any:
        """[requests, width] float32 on the CPU: the states of each prompt's last token after
        `layer` (0: the embeddings; None: the middle one)."""
        rows = []
        for position, request in requests:
            rows.append(tokens_of(self.tokenizer, request.prompt, self.name))
            room_after(rows[-1], request, position, self.context, self.name)
        inputs = self.side_by_side(rows)
        out = self.model(**inputs, use_cache=False, output_hidden_states=True, **self.last_only)
        most = len(out.hidden_states) - 1
        layer = most // 2 if layer is None else layer
        if not 0 <= layer <= most:
            raise out_of_range("layer", f"in [0, {most}]", layer)
        return out.hidden_states[layer][:, -1].float().cpu().numpy()

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


@contextlib.contextmanager
def _loading(name: str) -> Iterator[None]:
    try:
        yield
    except W2SError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise W2SError(f"{name} cannot be loaded: {type(error).__name__}: {reason}") from error


def _on_hub(model: Checkpoint, config: str) -> None:
    """Raise a W2SError now if a model is neither here nor on the hub: transformers asks long."""
    import huggingface_hub
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    if model.is_folder:
        return
    cached = huggingface_hub.try_to_load_from_cache(model.name, config, revision=model.revision)
    if isinstance(cached, str):
        return
    try:
        huggingface_hub.HfApi().model_info(model.name, revision=model.revision, timeout=20)
    except RepositoryNotFoundError:
        reason = "the hub has no such model, or not for you (log in with `hf auth login`)"
    except RevisionNotFoundError:
        reason = f"the hub has the model, but no revision {model.revision!r}"
    except Exception as error:
        reason = f"the hub cannot be reached ({type(error).__name__})"
    else:
        return
    raise W2SError(f"{model.name} is not a folder here, and {reason}")


def _load(model: Checkpoint, dtype: torch.dtype, trust: bool) -> tuple[Any, Any]:
    import transformers

    _on_hub(model, "config.json")
    if model.adapter:
        _on_hub(model.adapter, "adapter_config.json")
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    where: dict[str, Any] = {"revision": model.revision or "main", "trust_remote_code": trust}
    tokenizer = transformers.AutoTokenizer.from_pretrained(model.name, **where)
    version = tuple(int(part) for part in transformers.__version__.split(".")[:2])
    where["dtype" if version >= (4, 56) else "torch_dtype"] = dtype
    auto: Any = transformers.AutoModelForCausalLM
    net, report = auto.from_pretrained(model.name, output_loading_info=True, **where)
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
