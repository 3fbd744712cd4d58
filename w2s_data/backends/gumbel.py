"""Sampling by the Gumbel-max trick with counter-based noise.

The token with the largest log-probability + Gumbel noise is a draw from the distribution. The
noise is a hash of (key of the sample, step, token), so a draw depends on nothing else.
"""

from __future__ import annotations

import torch

Tensor = torch.Tensor


def scramble(x: Tensor) -> Tensor:
    """A good 32-bit hash (lowbias32 by C. Wellons) of each int32, in place."""
    x ^= (x >> 16) & 0xFFFF
    x *= 0x7FEB352D
    x ^= (x >> 15) & 0x1FFFF
    x *= 0x846CA68B - 2**32
    x ^= (x >> 16) & 0xFFFF
    return x


def gumbel(key: Tensor, step: Tensor, tokens: Tensor) -> Tensor:
    """Noise [rows, tokens] for sample keys [rows, 2] (int32), steps [rows], scrambled tokens."""
    step = scramble(step.to(torch.int32) + 1)
    first = scramble(key[:, 0] ^ step)
    second = scramble(key[:, 1] + step)
    bits = tokens[None, :] ^ first[:, None]
    bits *= 0x2C1B3C6D
    bits ^= (bits >> 12) & 0xFFFFF
    bits += second[:, None]
    scramble(bits)
    bits &= 0x7FFFFFFF
    uniform = bits.to(torch.float32).add_(0.5).mul_(2.0**-31).clamp_(max=1 - 2.0**-24)
    return uniform.neg_().log1p_().neg_().log_().neg_()


def choose(
    logits: Tensor, noise: Tensor | None, temperature: Tensor, top_p: Tensor, rounding: float
) -> tuple[Tensor, Tensor]:
    """The next token of each row, and whether logits off by `rounding` would give it as well.

    Rows at temperature 0 take the likeliest token; `noise` may be None when all rows do.
    """
    greedy = temperature == 0
    scale = torch.where(greedy, 1.0, temperature)[:, None]
    slack = rounding / scale
    scores = logits / scale
    within, surely = None, torch.full_like(slack, -torch.inf)
    if bool((top_p < 1).any()):
        within, surely = nucleus(scores, top_p[:, None], slack)
    if within is not None:
        scores = scores.masked_fill(~within, -torch.inf)
    noisy = scores if noise is None else scores + torch.where(greedy[:, None], 0.0, noise)
    best, token = noisy.max(dim=-1, keepdim=True)
    second = noisy.scatter(-1, token, -torch.inf).amax(dim=-1, keepdim=True)
    sure = (best - second > slack) & (scores.gather(-1, token) >= surely)
    return token[:, 0], sure[:, 0]


def nucleus(scores: Tensor, top_p: Tensor, slack: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest set of likeliest tokens with probability >= top_p, and its sure part.

    Returns a mask [rows, tokens] that includes every token that belongs to the set if scores are
    off by `slack`, and the score from which on a token belongs to it in any case.
    """
    ordered = scores.sort(dim=-1, descending=True).values
    share = ordered.softmax(dim=-1)
    before = share.cumsum(dim=-1) - share

    def size(p: Tensor) -> Tensor:
        return (before < p).sum(dim=-1, keepdim=True).clamp(min=1)

    everything = top_p >= 1
    small, large = size(top_p - slack), size(top_p + slack)
    lowest = ordered.gather(-1, large - 1) - slack
    surely = ordered.gather(-1, small - 1) + slack
    after = ordered.gather(-1, large.clamp(max=ordered.shape[-1] - 1))
    # The edge is clean when no rounding error moves it: then its last token is in, too.
    clean = (small == large) & ((after < lowest - slack) | (large == ordered.shape[-1]))
    surely = torch.where(clean | everything, -torch.inf, surely)
    lowest = torch.where(everything, -torch.inf, lowest)
    return scores >= lowest, surely
