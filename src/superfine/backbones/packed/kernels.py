"""Attention in a rectangle of lines, two ways with one result: plain products, and torch's flash attention.

Plain products hold all weights of a line. Flash attention (Dao et al. 2022) goes over them in blocks and holds none: faster where
lines are long, slower where they are short. How long that is depends on the processor, the format and whether gradients are
wanted: `flash_from` is the rule, taken from measurements (docs/experiments.md) and not made anew, so that a seed decides the
weights.

Shapes: q (n, heads, query_length, width), already scaled; k and v (n, heads, length, width), all contiguous; mask, added to the
scores, (n, 1, query_length, length) or None. Results are shaped as q.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor

from superfine.backbones.packed.dropout import dropout_mask
from superfine.backbones.processor import InstructionSet, instruction_set

FLASH_FROM: dict[tuple[InstructionSet, torch.dtype, bool], int] = {
    ("amx", torch.float32, False): 256,
    ("amx", torch.float32, True): 256,
    ("amx", torch.bfloat16, False): 128,
    ("avx512", torch.float32, False): 256,
}
"""By instruction set, format and whether gradients are wanted: how many tokens a line must have for flash attention to be faster.

What is not in it was slower at every length, or was not measured.
"""
TOO_LONG = 2048
"""Lines of so many tokens are computed by flash attention whatever is faster: all weights of one are 200 MB a layer for twelve
heads in float32, kept until the backward pass, and four times as much for twice the tokens."""


def flash_from(dtype: torch.dtype, *, with_gradients: bool) -> int:
    """From how many tokens in a line on flash attention computes it on this processor."""
    return FLASH_FROM.get((instruction_set(), dtype, with_gradients), TOO_LONG)


class Saved(NamedTuple):
    """What the backward pass of one rectangle needs: its inputs; weights and dropout mask of plain products, or what flash
    attention gave and the logarithm of its sums."""

    q: Tensor
    k: Tensor
    v: Tensor
    weights: Tensor | None = None
    dropped: Tensor | None = None
    out: Tensor | None = None
    log_sums: Tensor | None = None


Gradients = tuple[Tensor, Tensor, Tensor]
"""Of q, k and v, shaped as they are and contiguous."""


def products(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0) -> tuple[Tensor, Saved]:
    """softmax(q kᵀ + mask) v, with dropout of the weights."""
    flat_q, flat_k, flat_v = (x.flatten(0, 1) for x in (q, k, v))
    scores = torch.bmm(flat_q, flat_k.transpose(1, 2))
    if mask is not None:
        scores.view(*q.shape[:3], k.shape[2]).add_(mask)
    weights = torch.softmax(scores, dim=-1)
    dropped = dropout_mask(weights.shape, dropout, weights.dtype, weights.device) if dropout else None
    used = weights if dropped is None else weights * dropped
    return torch.bmm(used, flat_v).view(q.shape), Saved(q, k, v, weights, dropped)


def products_backward(saved: Saved, d_out: Tensor) -> Gradients:
    """From the gradient of what `products` gave."""
    q, k, v, d_flat = (x.flatten(0, 1) for x in (saved.q, saved.k, saved.v, d_out))
    weights, dropped = cast(Tensor, saved.weights), saved.dropped
    used = weights if dropped is None else weights * dropped
    d_v = torch.bmm(used.transpose(1, 2), d_flat)
    d_weights = torch.bmm(d_flat, v.transpose(1, 2))
    if dropped is not None:
        d_weights *= dropped
    d_scores = torch.ops.aten._softmax_backward_data(d_weights, weights, -1, weights.dtype)
    d_q, d_k = torch.bmm(d_scores, k), torch.bmm(d_scores.transpose(1, 2), q)
    return d_q.view_as(saved.q), d_k.view_as(saved.k), d_v.view_as(saved.v)


def flash(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Saved]:
    """The same on a CPU, in blocks, without dropout."""
    out, log_sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, k, v, attn_mask=mask, scale=1.0)
    return out.contiguous(), Saved(q, k, v, out=out, log_sums=log_sums)


def flash_backward(saved: Saved, d_out: Tensor, mask: Tensor | None) -> Gradients:
    """From the gradient of what `flash` gave, with the same mask."""
    gradients = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward(
        d_out, saved.q, saved.k, saved.v, saved.out, saved.log_sums, 0.0, False, attn_mask=mask, scale=1.0
    )
    return cast(Gradients, tuple(d.contiguous() for d in gradients))
