"""Attention of many samples to prompts whose keys and values are kept once.

Each sample would read its own copy of its prompt's keys and values; on a small model that is most
of the work. Here all samples meet the states of the prompts' common beginning (worked examples) in
one product, the samples of one prompt meet the rest of it in another, and each its own tokens in a
third; one softmax over all three makes the result exact.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

Tensor = torch.Tensor

NAME = "w2s_shared_prompt"
# Architectures whose attention is the plain one: nothing but scaled products under a causal mask.
PLAIN = frozenset({"gemma", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3"})
BLOCK = 16


class Sharing:
    """Which row of the batch is a sample of which prompt: row -> slot = prompt * width + place."""

    def __init__(self, prompts: Tensor, mask: Tensor, common: int):
        """`prompts` [rows] has each row's prompt; `common` is the number of tokens that all begin
        with, and `mask` [prompts, length] is 0 at the padding after them."""
        mask = mask[:, common:]
        counts = torch.bincount(prompts, minlength=len(mask))
        order = prompts.argsort(stable=True)
        first = counts.cumsum(0) - counts
        place = torch.empty_like(prompts)
        place[order] = torch.arange(len(prompts), device=prompts.device) - first[prompts[order]]
        self.common, self.prompts, self.width = common, len(mask), int(counts.max())
        self.slots = prompts * self.width + place
        self.bias = torch.zeros(mask.shape, device=mask.device).masked_fill_(mask == 0, -torch.inf)

    def spread(self, rows: Tensor) -> Tensor:
        """[rows, heads, group, x] -> [prompts * heads, width * group, x], empty slots zero."""
        _, heads, group, x = rows.shape
        slots = rows.new_zeros(self.prompts * self.width, heads, group, x)
        slots[self.slots] = rows
        slots = slots.view(self.prompts, self.width, heads, group, x).transpose(1, 2)
        return slots.reshape(self.prompts * heads, self.width * group, x)

    def gather(self, slots: Tensor, heads: int) -> Tensor:
        """The way back of `spread`."""
        x = slots.shape[-1]
        slots = slots.view(self.prompts, heads, self.width, -1, x).transpose(1, 2)
        return slots.reshape(self.prompts * self.width, heads, -1, x)[self.slots]

    def keep(self, rows: Tensor) -> Tensor | None:
        """Only `rows` stay; returns the prompts that do when many have left, else None."""
        self.slots = self.slots[rows]
        prompts = self.slots // self.width
        left = prompts.unique()
        if len(left) > 0.8 * self.prompts:
            return None
        rank = torch.zeros(self.prompts, dtype=torch.long, device=rows.device)
        rank[left] = torch.arange(len(left), device=rows.device)
        self.slots = rank[prompts] * self.width + self.slots % self.width
        self.prompts, self.bias = len(left), self.bias[left]
        return left


class SharedLayer(DynamicLayer):
    """One layer's states: the prompts' once, and the samples' own in whole blocks."""

    keys: Tensor
    values: Tensor

    def __init__(self, layer: DynamicLayer, sharing: Sharing):
        super().__init__()
        keys, values = layer.keys, layer.values
        assert keys is not None
        assert values is not None
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        self.sharing, self.written = sharing, 0
        common, self.read = sharing.common, keys.shape[2] - sharing.common
        self.common_keys = keys[0, :, :common].contiguous()
        self.common_values = values[0, :, :common].contiguous()
        self.prompt_keys = keys[:, :, common:].contiguous()
        self.prompt_values = values[:, :, common:].contiguous()
        self.keys = self.values = keys.new_zeros(
            len(sharing.slots), keys.shape[1], 0, keys.shape[3]
        )

    def get_seq_length(self) -> int:
        return self.sharing.common + self.read + self.written

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.written == self.keys.shape[2]:
            # The product with whole blocks is several times faster than with a part of a buffer.
            self.keys, self.values = (pad(x, (0, 0, 0, BLOCK)) for x in (self.keys, self.values))
        self.keys[:, :, self.written] = key_states[:, :, 0]
        self.values[:, :, self.written] = value_states[:, :, 0]
        self.written += 1
        keys: Any = self.keys.view(self.keys.shape)
        keys.layer = self
        return keys, self.values

    def keep(self, holes: Tensor, movers: Tensor, count: int, prompts: Tensor | None) -> None:
        """The first `count` rows stay, `movers` in the places of `holes`."""
        for states in (self.keys, self.values):
            states[holes] = states[movers]
        self.keys, self.values = self.keys[:count], self.values[:count]
        if prompts is not None:
            self.prompt_keys = self.prompt_keys[prompts]
            self.prompt_values = self.prompt_values[prompts]

    def attend(self, query: Tensor, scaling: float) -> Tensor:
        """[rows, heads, 1, size] -> [rows, 1, heads, size]."""
        rows, heads, _, size = query.shape
        kept, share = self.keys.shape[1], self.sharing
        group = heads // kept
        query = (query * scaling).view(rows, kept, group, size)

        first = torch.bmm(_by_head(query), self.common_keys.transpose(1, 2))
        first = first.view(kept, rows, group, share.common).transpose(0, 1)
        far = torch.bmm(share.spread(query), self.prompt_keys.flatten(0, 1).transpose(1, 2))
        far = far.view(share.prompts, -1, self.read) + share.bias[:, None].to(far.dtype)
        near = torch.bmm(query.flatten(0, 1), self.keys.flatten(0, 1).transpose(1, 2))
        near = near.view(rows, kept, group, -1)
        near[..., self.written :] = -torch.inf

        weights = torch.cat([first, share.gather(far, kept), near], dim=-1)
        weights = weights.softmax(dim=-1, dtype=torch.float32).to(query.dtype)
        first, far, near = weights.split([share.common, self.read, near.shape[-1]], dim=-1)

        first = torch.bmm(_by_head(first), self.common_values)
        far = torch.bmm(share.spread(far), self.prompt_values.flatten(0, 1))
        near = torch.bmm(near.flatten(0, 1), self.values.flatten(0, 1))
        out = first.view(kept, rows, group, size).transpose(0, 1) + share.gather(far, kept)
        return (out + near.view(query.shape)).reshape(rows, 1, heads, size)


def _by_head(rows: Tensor) -> Tensor:
    """[rows, heads, group, x] -> [heads, rows * group, x]."""
    return rows.transpose(0, 1).flatten(1, 2)


def attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **kwargs: Any
) -> tuple[Tensor, None]:
    """Reading prompts goes through torch's own attention, writing through `SharedLayer`."""
    layer = getattr(key, "layer", None)
    if layer is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    return layer.attend(query, kwargs["scaling"]), None


def share_prompts(model: Any) -> bool:
    """Let `model` attend in this way, if its architecture is known to allow it.

    Sliding windows do not: some of these architectures come with and without them.
    """
    if model.config.model_type not in PLAIN:
        return False
    with torch.inference_mode():
        ids = torch.zeros(1, 1, dtype=torch.long, device=model.device)
        cache = model(input_ids=ids, use_cache=True).past_key_values
    if any(type(layer) is not DynamicLayer for layer in cache.layers):
        return False
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    model.set_attn_implementation(NAME)
    return True
