"""Attention over a packed batch, registered with transformers under the name PACKED_ATTENTION for every model that asks by name.

The layout of the batch at hand is not an argument of the models, so it is put into a context variable around the call.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from superfine.backbones.packed.kernels import Saved, flash, flash_backward, products, products_backward
from superfine.backbones.packed.layout import Bucket, Layout, Rectangle

PACKED_ATTENTION = "superfine_packed"
"""The name under which transformers finds this attention."""

_layout: ContextVar[Layout | None] = ContextVar("packed_layout", default=None)
_flash_from: ContextVar[int | None] = ContextVar("packed_flash_from", default=None)
_read: ContextVar[Tensor | None] = ContextVar("packed_read", default=None)


@contextmanager
def packed(layout: Layout, flash_from: int | None = None, read: Tensor | None = None) -> Iterator[None]:
    """Inside, models with PACKED_ATTENTION attention take their single row of tokens as the texts of `layout`.

    read: (n,) the token of each text whose state is wanted; None: that of all.

    flash_from: how long lines must be for flash attention to compute them (on a CPU, without dropout); None: it never does.
    """
    token, flash_token, read_token = _layout.set(layout), _flash_from.set(flash_from), _read.set(read)
    try:
        yield
    finally:
        _layout.reset(token)
        _flash_from.reset(flash_token)
        _read.reset(read_token)


def packed_again() -> AbstractContextManager[None]:
    """The surroundings of the batch that is being computed, to be entered once more later; nothing where none is packed."""
    layout = _layout.get()
    return nullcontext() if layout is None else packed(layout, _flash_from.get(), _read.get())


def current_layout() -> Layout | None:
    """The layout of the packed batch that is being computed, if any."""
    return _layout.get()


def current_read() -> Tensor | None:
    """(n,) the tokens whose states are wanted of the packed batch that is being computed."""
    return _read.get()


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention inside each text.

    query: (1, heads, tokens, head_width); key and value may have fewer heads (grouped-query attention). sliding_window: tokens
    attend to those that are less than so many places away; None: to all.
    Returns (1, tokens, heads, head_width) and no weights, as transformers expects of an attention function.
    """
    layout = _layout.get()
    if layout is None:
        raise RuntimeError("packed attention was called outside of `with packed(layout)`")
    causal = bool(getattr(module, "is_causal", False)) if is_causal is None else is_causal
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    rows = [tensor.squeeze(0).transpose(0, 1) for tensor in (query, key, value)]
    return attend(layout, *rows, scale=scale, dropout=dropout, causal=causal, window=sliding_window)[None], None


def attend(
    layout: Layout,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    scale: float,
    dropout: float = 0.0,
    causal: bool = False,
    reads: bool = False,
    window: int | None = None,
) -> Tensor:
    """Attention of every token to its text (up to itself, if causal; to places less than `window` away), or of one token of each
    text (`reads`) to the whole text.

    query: (tokens, heads, head_width), or (n, heads, head_width); key, value: (tokens, key_heads, head_width), where key_heads
    divides heads. Returns what the queries are: (tokens or n, heads, head_width). Rows behind the last text give and get zeros.
    """
    plans = plans_of(layout, query.shape[1], key.shape[1], causal=causal, reads=reads, dtype=query.dtype, window=window)
    return cast(Tensor, _Attention.apply(query, key, value, plans, scale, dropout))  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Plan:
    """How one bucket is computed. Tensors are seen as rows of one head each: (tokens * heads, head_width).

    queries: (n * heads * query_length,), keys: (n * heads * length,) which row stands where in a rectangle with heads outside.
    outputs, key_places: where each row stands in the rectangle, for putting results and gradients back. left_over: places of no
    query. mask: (n, 1, query_length, length) added to the scores, or None. flash: whether flash attention computes it, if
    nothing is dropped.
    """

    start: int
    stop: int
    key_start: int
    key_stop: int
    n: int
    n_heads: int
    query_length: int
    length: int
    queries: Tensor
    keys: Tensor
    outputs: Tensor
    key_places: Tensor
    left_over: Tensor | None
    mask: Tensor | None
    flash: bool


def plans_of(
    layout: Layout,
    n_heads: int,
    n_key_heads: int,
    *,
    causal: bool,
    reads: bool,
    dtype: torch.dtype,
    window: int | None = None,
) -> list[Plan]:
    """One for each bucket, made once for all layers that attend alike."""
    flash_from = _flash_from.get() if layout.starts.device.type == "cpu" else None
    if window is not None and window >= layout.longest:
        window = None
    name = (n_heads, n_key_heads, causal, reads, dtype, flash_from, window)
    if name not in layout.prepared:
        layout.prepared[name] = [
            _plan(bucket, n_heads, n_key_heads, causal, reads, dtype, flash_from, window) for bucket in layout.buckets
        ]
    return cast("list[Plan]", layout.prepared[name])


def _plan(
    bucket: Bucket,
    n_heads: int,
    n_key_heads: int,
    causal: bool,
    reads: bool,
    dtype: torch.dtype,
    flash_from: int | None,
    window: int | None,
) -> Plan:
    tokens, querying = bucket.tokens, bucket.reads if reads else bucket.tokens
    heads = torch.arange(n_heads, device=tokens.rows.device)[:, None]
    queries = querying.rows[:, None] * n_heads + heads
    keys = tokens.rows[:, None] * n_key_heads + heads // (n_heads // n_key_heads)
    left_over = None
    if querying.filled is not None:
        left_over = (~querying.filled)[:, None].expand_as(queries).reshape(-1).nonzero().squeeze(1)
    mask = None
    if causal or window is not None or not bucket.is_plain:
        allowed = within_texts(querying, tokens)
        if window is not None:  # rows of one text follow each other
            allowed &= (querying.rows[:, :, None] - tokens.rows[:, None, :]).abs() < window
        if causal:
            allowed &= querying.rows[:, :, None] >= tokens.rows[:, None, :]
        mask = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device).masked_fill_(~allowed, float("-inf"))[:, None]
    return Plan(
        querying.start, querying.stop, tokens.start, tokens.stop, tokens.n, n_heads, querying.length, tokens.length,
        queries.reshape(-1), keys.reshape(-1), _head_places(querying, n_heads), _head_places(tokens, n_heads), left_over, mask,
        flash_from is not None and tokens.length >= flash_from,
    )  # fmt: skip


def within_texts(querying: Rectangle, tokens: Rectangle) -> Tensor:
    """(n, query_length, length) which tokens of a line are of the text that asks."""
    allowed = querying.text[:, :, None] == tokens.text[:, None, :]
    return allowed if tokens.filled is None else allowed & tokens.filled[:, None, :]


def _head_places(rectangle: Rectangle, n_heads: int) -> Tensor:
    """(rows * heads,) where each head of each row stands in (n, heads, length)."""
    line, column = rectangle.places // rectangle.length, rectangle.places % rectangle.length
    heads = torch.arange(n_heads, device=line.device)
    return ((line[:, None] * n_heads + heads) * rectangle.length + column[:, None]).reshape(-1)


SavedTensors = list[Tensor | None]
"""What the backward pass needs: the tensors of each bucket's `Saved`, one after the other."""


class _Attention(torch.autograd.Function):
    """softmax(scale · Q Kᵀ + mask) V for each bucket, with gradients written out.

    Autograd would fill a tensor as large as the batch with zeros for every slice that a bucket reads, and add them up; here each
    bucket's rows are gathered into a rectangle by one index and put back by another.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, plans: list[Plan], scale: float, dropout: float) -> Tensor:
        out, saved = attention_forward(plans, query, key, value, scale, dropout)
        ctx.save_for_backward(*saved)
        ctx.plans, ctx.scale, ctx.key_shape = plans, scale, key.shape
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return *attention_backward(ctx.plans, ctx.saved_tensors, gradients[0], ctx.key_shape, ctx.scale), None, None, None


def attention_forward(
    plans: list[Plan], query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: float
) -> tuple[Tensor, SavedTensors]:
    """The result, shaped as the queries, and what `attention_backward` needs."""
    flat = [tensor.reshape(-1, tensor.shape[-1]) for tensor in (query, key, value)]
    out = torch.empty_like(flat[0], memory_format=torch.contiguous_format)
    saved: SavedTensors = []
    for plan in plans:
        q = _gather(plan, flat[0], plan.queries, plan.query_length).mul_(scale)
        k, v = (_gather(plan, rows, plan.keys, plan.length) for rows in flat[1:])
        context, of_bucket = flash(q, k, v, plan.mask) if plan.flash and not dropout else products(q, k, v, plan.mask, dropout)
        _put(plan.outputs, context, out, plan.start * plan.n_heads, plan.stop * plan.n_heads)
        saved += of_bucket
    out[plans[-1].stop * plans[-1].n_heads :] = 0
    return out.view(query.shape), saved


def attention_backward(
    plans: list[Plan], saved: Sequence[Tensor | None], d_out: Tensor, key_shape: Sequence[int], scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of query, key and value, from that of the result. key_shape: (tokens, key_heads, head_width)."""
    flat = d_out.reshape(-1, d_out.shape[-1])
    n_tokens, n_key_heads, width = key_shape
    n_heads = d_out.shape[1]
    d_query = torch.empty_like(flat, memory_format=torch.contiguous_format)
    d_key, d_value = flat.new_empty(n_tokens * n_heads, width), flat.new_empty(n_tokens * n_heads, width)
    last, size = plans[-1], len(Saved._fields)
    for i, plan in enumerate(plans):
        of_bucket = Saved._make(cast("Sequence[Tensor]", saved[size * i : size * (i + 1)]))
        d_o = _gather(plan, flat, plan.queries, plan.query_length)
        if plan.left_over is not None:
            d_o.view(-1, width).index_fill_(0, plan.left_over, 0)
        d_q, d_k, d_v = (
            flash_backward(of_bucket, d_o, plan.mask) if of_bucket.log_sums is not None else products_backward(of_bucket, d_o)
        )
        given = (plan.key_start * n_heads, plan.key_stop * n_heads)
        _put(plan.outputs, d_q, d_query, plan.start * n_heads, plan.stop * n_heads)
        _put(plan.key_places, d_k, d_key, *given)
        _put(plan.key_places, d_v, d_value, *given)
    d_query[last.stop * n_heads :] = 0
    d_key[last.key_stop * n_heads :] = 0
    d_value[last.key_stop * n_heads :] = 0
    d_query = d_query.mul_(scale).view(d_out.shape)
    # Query heads that share a key head add up.
    d_key, d_value = (
        d.view(n_tokens, n_heads, width)
        if n_heads == n_key_heads
        else d.view(n_tokens, n_key_heads, n_heads // n_key_heads, width).sum(2)
        for d in (d_key, d_value)
    )
    return d_query, d_key, d_value


def _gather(plan: Plan, rows: Tensor, index: Tensor, length: int) -> Tensor:
    """Rows of one head each (r, head_width) as the rectangle (n, heads, length, head_width)."""
    return rows.index_select(0, index).view(plan.n, plan.n_heads, length, -1)


def _put(index: Tensor, rectangle: Tensor, out: Tensor, start: int, stop: int) -> None:
    """The rows of a rectangle back to `out[start:stop]`."""
    torch.index_select(rectangle.view(-1, rectangle.shape[-1]), 0, index, out=out[start:stop])


def register() -> None:
    """Make PACKED_ATTENTION known to transformers."""
    from transformers import AttentionInterface

    AttentionInterface.register(PACKED_ATTENTION, packed_attention)
