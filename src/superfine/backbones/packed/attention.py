"""Attention over a packed batch, registered with transformers under the name PACKED for every model that asks by name.

The layout of the batch at hand is not an argument of the models, so it is put into a context variable around the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from superfine.backbones.packed.layout import Bucket, Layout

PACKED = "superfine_packed"
"""The name under which transformers finds this attention."""

_layout: ContextVar[Layout | None] = ContextVar("packed_layout", default=None)


@contextmanager
def packed(layout: Layout) -> Iterator[None]:
    """Inside, models with PACKED attention take their single row of tokens as the texts of `layout`."""
    token = _layout.set(layout)
    try:
        yield
    finally:
        _layout.reset(token)


def current_layout() -> Layout | None:
    """The layout of the packed batch that is being computed, if any."""
    return _layout.get()


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention inside each text.

    query: (1, heads, tokens, head_width); key and value may have fewer heads (grouped-query attention).
    Returns (1, tokens, heads, head_width) and no weights, as transformers expects of an attention function.
    """
    layout = _layout.get()
    if layout is None:
        raise RuntimeError("packed attention was called outside of `with packed(layout)`")
    causal = bool(getattr(module, "is_causal", False)) if is_causal is None else is_causal
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    rows = [tensor[0].transpose(0, 1) for tensor in (query, key, value)]
    outputs = [_attend(bucket, rows, scale, dropout, causal) for bucket in layout.buckets]
    return (outputs[0] if len(outputs) == 1 else torch.cat(outputs))[None], None


def _attend(bucket: Bucket, rows: list[Tensor], scale: float, dropout: float, causal: bool) -> Tensor:
    """One bucket. rows: query, key, value as (tokens, heads, head_width). Returns the bucket's (tokens, heads, head_width)."""
    q, k, v = (_rectangle(bucket, row) for row in rows)
    if k.shape[1] != q.shape[1]:
        repeats = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(repeats, dim=1), v.repeat_interleave(repeats, dim=1)
    scores = torch.matmul(q * scale, k.transpose(-1, -2))
    if bucket.keys is not None:
        scores = scores.masked_fill(~bucket.keys, float("-inf"))
    if causal:
        later = torch.ones(bucket.length, bucket.length, dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, float("-inf"))
    weights = torch.softmax(scores, dim=-1)
    if dropout:
        weights = F.dropout(weights, dropout, training=True)
    attended = torch.matmul(weights, v).transpose(1, 2).reshape(bucket.n * bucket.length, q.shape[1], -1)
    return attended if bucket.scatter is None else attended.index_select(0, bucket.scatter)


def attend_read(layout: Layout, query: Tensor, key: Tensor, value: Tensor, *, scale: float, dropout: float) -> Tensor:
    """Attention of one token of each text to its whole text, for encoders.

    query: (n, heads, head_width); key, value: (tokens, heads, head_width). Returns (n, heads * head_width).
    """
    outputs, at = [], 0
    for bucket in layout.buckets:
        q = query[at : at + bucket.n].unsqueeze(2)
        k, v = _rectangle(bucket, key), _rectangle(bucket, value)
        scores = torch.matmul(q * scale, k.transpose(-1, -2))
        if bucket.keys is not None:
            scores = scores.masked_fill(~bucket.keys, float("-inf"))
        weights = torch.softmax(scores, dim=-1)
        if dropout:
            weights = F.dropout(weights, dropout, training=True)
        outputs.append(torch.matmul(weights, v).reshape(bucket.n, -1))
        at += bucket.n
    return outputs[0] if len(outputs) == 1 else torch.cat(outputs)


def _rectangle(bucket: Bucket, row: Tensor) -> Tensor:
    """(tokens, heads, head_width) to the bucket's (n, heads, length, head_width)."""
    tokens = row[bucket.start : bucket.stop]
    if bucket.gather is not None:
        tokens = tokens.index_select(0, bucket.gather)
    return tokens.reshape(bucket.n, bucket.length, *row.shape[1:]).transpose(1, 2)


def register() -> None:
    """Make PACKED known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(PACKED, packed_attention)
