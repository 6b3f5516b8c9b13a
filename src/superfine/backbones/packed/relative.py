"""Bodies whose attention adds scores for how far two tokens are apart: MPNet, and DeBERTa's second and third version.

transformers computes such scores for every pair of places of a rectangle. Here they are those of a line of a bucket, which holds
texts of similar length; only distances that occur are looked up and projected. Tokens of one text follow each other in its line,
so the distance of two is that of their columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from superfine.backbones.packed.attention import current_layout
from superfine.backbones.packed.layout import Bucket, Layout

Bias = Callable[[Tensor, Tensor, int], Tensor]
"""(scaled queries, keys, each (n, heads, length, head_width), longest line) -> scores to add (n or 1, heads, length, length)."""


def attend_relatively(
    query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: Callable[[Tensor], Tensor], bias: Bias
) -> Tensor:
    """Attention of every token to its text, with scores added: each (tokens, heads, head_width). Rows behind the last text get
    zeros."""
    layout = cast(Layout, current_layout())
    longest = longest_line(layout)
    parts = []
    for bucket in layout.buckets:
        q, k, v = (rows[bucket.tokens.rows].transpose(1, 2) for rows in (query * scale, key, value))
        scores = q @ k.transpose(2, 3) + bias(q, k, longest)
        if (hidden := _hidden(layout, bucket)) is not None:
            scores = scores.masked_fill(hidden, -torch.inf)
        context = dropout(scores.softmax(-1)) @ v
        parts.append(context.transpose(1, 2).flatten(0, 1)[bucket.tokens.places])
    context = torch.cat(parts)
    return F.pad(context, (0, 0, 0, 0, 0, len(query) - len(context)))


def longest_line(layout: Layout) -> int:
    return max(bucket.tokens.length for bucket in layout.buckets)


def _hidden(layout: Layout, bucket: Bucket) -> Tensor | None:
    """(n, 1, length, length) True where a token must not look, made once for all layers; None where it may look everywhere."""
    if bucket.is_plain:
        return None
    name = ("hidden", bucket.tokens.start)
    if name not in layout.prepared:
        tokens = bucket.tokens
        allowed = tokens.text[:, :, None] == tokens.text[:, None, :]
        if tokens.filled is not None:
            allowed &= tokens.filled[:, None, :]
        layout.prepared[name] = ~allowed[:, None]
    return cast(Tensor, layout.prepared[name])


def by_distance(scores: Tensor) -> Tensor:
    """(..., length, 2 · length − 1) to (..., length, length): what row i has at place j − i + length − 1 comes to place j."""
    *outer, length, width = scores.shape
    flat = F.pad(scores, (0, 1)).flatten(-2)[..., length - 1 : length - 1 + length * width]
    return flat.view(*outer, length, width)[..., :length]


def mpnet(body: Any, embedded: Tensor, types: Tensor, positions: Tensor, read: Tensor | None) -> Tensor:
    """(tokens or n, width) of MPNet: BERT with one table of scores by distance for all layers (Song et al. 2020)."""
    encoder = body.encoder
    longest = longest_line(cast(Layout, current_layout()))
    distances = torch.arange(1 - longest, longest, device=embedded.device)
    table = encoder.relative_attention_bias(encoder.relative_position_bucket(distances)).t()
    states = body.embeddings(inputs_embeds=embedded[None], position_ids=positions[None])[0]

    def bias(query: Tensor, _: Tensor, longest: int) -> Tensor:
        length = query.shape[2]
        own = table[:, longest - length : longest + length - 1].to(query)
        return by_distance(own[:, None].expand(-1, length, -1))[None]

    for layer in encoder.layer:
        own = layer.attention.attn
        q, k, v = (project(states).unflatten(-1, (own.num_attention_heads, -1)) for project in (own.q, own.k, own.v))
        context = attend_relatively(q, k, v, q.shape[-1] ** -0.5, own.dropout, bias).flatten(1)
        if read is not None and layer is encoder.layer[-1]:
            states, context = states[read], context[read]
        attended = layer.attention.LayerNorm(layer.attention.dropout(own.o(context)) + states)
        states = layer.output(layer.intermediate(attended), attended)
    return cast(Tensor, states)


def deberta(body: Any, embedded: Tensor, types: Tensor, positions: Tensor, read: Tensor | None) -> Tensor:
    """(tokens or n, width) of DeBERTa's second and third version: content to content, content to distance and distance to content
    (He, Liu, Gao and Chen 2021, equation 4).

    Raises ValueError for bodies with a convolution, or with a decoder that enhances masks.
    """
    encoder = body.encoder
    if encoder.conv is not None or body.z_steps > 1 or not encoder.relative_attention:
        raise ValueError("not this kind of DeBERTa")
    states = body.embeddings(inputs_embeds=embedded[None], position_ids=positions[None], token_type_ids=types[None], mask=None)[0]
    rows, row_of_distance = _rows_by_distance(body, longest_line(cast(Layout, current_layout())), embedded.device)
    table = encoder.get_rel_embedding()[rows].to(states)
    for layer in encoder.layer:
        own = layer.attention.self
        q, k, v = (
            project(states).unflatten(-1, (own.num_attention_heads, -1))
            for project in (own.query_proj, own.key_proj, own.value_proj)
        )
        scale = (q.shape[-1] * (1 + sum(kind in own.pos_att_type for kind in ("c2p", "p2c")))) ** -0.5
        bias = _disentangled(own, own.pos_dropout(table), row_of_distance, scale)
        context = attend_relatively(q, k, v, scale, own.dropout, bias).flatten(1)
        if read is not None and layer is encoder.layer[-1]:
            states, context = states[read], context[read]
        attended = layer.attention.output(context, states)
        states = layer.output(layer.intermediate(attended), attended)
    return cast(Tensor, states)


def _rows_by_distance(body: Any, longest: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The rows of DeBERTa's table for distances from 1 − longest to longest − 1, each once; and (2 · longest − 1,) which of them
    belongs to each distance."""
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    own = body.encoder.layer[0].attention.self
    distances = torch.arange(1 - longest, longest, device=device)
    if own.position_buckets > 0:
        distances = make_log_bucket_position(distances, own.position_buckets, own.max_relative_positions).long()
    rows = (distances + own.pos_ebd_size).clamp(0, 2 * own.pos_ebd_size - 1)
    once, which = torch.unique_consecutive(rows, return_inverse=True)
    return once, which


def _disentangled(own: Any, table: Tensor, row_of_distance: Tensor, scale: float) -> Bias:
    """The scores of one layer for distances. table: (r, width)."""

    def projected(shared: Any, name: str) -> Tensor:
        """(heads, r, head_width)"""
        projection = shared if own.share_att_key else getattr(own, name)
        return cast(Tensor, projection(table).unflatten(-1, (own.num_attention_heads, -1)).transpose(0, 1))

    keys = projected(own.key_proj, "pos_key_proj") if "c2p" in own.pos_att_type else None
    queries = projected(own.query_proj, "pos_query_proj") * scale if "p2c" in own.pos_att_type else None

    def bias(query: Tensor, key: Tensor, longest: int) -> Tensor:
        length = query.shape[2]
        ascending = row_of_distance[longest - length : longest + length - 1]
        scores = query.new_zeros(())
        if keys is not None:
            scores = scores + by_distance(query @ keys[:, ascending.flip(0)].transpose(1, 2))
        if queries is not None:
            scores = scores + by_distance(key @ queries[:, ascending].transpose(1, 2)).transpose(2, 3)
        return scores

    return bias
