"""Bodies whose attention adds scores for how far two tokens are apart: MPNet, XLNet, DeBERTa's second and third version.

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

from superfine.backbones.packed.attention import current_layout, within_texts
from superfine.backbones.packed.checkpointing import in_layer
from superfine.backbones.packed.layout import Bucket, Layout

Bias = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""(scaled queries, keys, each (n, heads, length, head_width), which tokens these are (n, length), longest line) -> scores to add
(n or 1, heads, length, length)."""


def attend_relatively(
    query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: Callable[[Tensor], Tensor], bias: Bias
) -> Tensor:
    """Attention of every token to its text, with scores added: each (tokens, heads, head_width). Rows behind the last text get
    zeros."""
    layout = cast(Layout, current_layout())
    longest, query = longest_line(layout), query * scale
    parts = []
    for bucket in layout.buckets:
        q, k, v = (rows[bucket.tokens.rows].transpose(1, 2) for rows in (query, key, value))
        scores = q @ k.transpose(2, 3) + bias(q, k, bucket.tokens.rows, longest)
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
        layout.prepared[name] = ~within_texts(bucket.tokens, bucket.tokens)[:, None]
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

    def bias(query: Tensor, _: Tensor, __: Tensor, longest: int) -> Tensor:
        length = query.shape[2]
        own = table[:, longest - length : longest + length - 1].to(query)
        return by_distance(own[:, None].expand(-1, length, -1))[None]

    def computed(layer: Any, states: Tensor) -> Tensor:
        own = layer.attention.attn
        q, k, v = (project(states).unflatten(-1, (own.num_attention_heads, -1)) for project in (own.q, own.k, own.v))
        context = attend_relatively(q, k, v, q.shape[-1] ** -0.5, own.dropout, bias).flatten(1)
        if read is not None and layer is encoder.layer[-1]:
            states, context = states[read], context[read]
        attended = layer.attention.LayerNorm(layer.attention.dropout(own.o(context)) + states)
        return cast(Tensor, layer.output(layer.intermediate(attended), attended))

    for layer in encoder.layer:
        states = in_layer(layer, computed, layer, states)
    return cast(Tensor, states)


def xlnet(body: Any, embedded: Tensor, types: Tensor, positions: Tensor, read: Tensor | None) -> Tensor:
    """(tokens or n, width) of XLNet: sinusoids of distances, and scores for tokens of one and of two texts of a pair (Yang, Dai,
    Yang, Carbonell, Salakhutdinov and Le 2019; Dai et al. 2019, section 3.3).

    Raises ValueError for a body that looks in one direction alone.
    """
    if body.attn_type != "bi":
        raise ValueError("not this kind of XLNet")
    longest = longest_line(cast(Layout, current_layout()))
    sinusoids = _sinusoids(body, longest, embedded)

    def computed(layer: Any, states: Tensor) -> Tensor:
        own = layer.rel_attn
        q, k, v = (torch.einsum("th,hnd->tnd", states, weight) for weight in (own.q, own.k, own.v))
        distances = torch.einsum("rh,hnd->nrd", body.dropout(sinusoids), own.r)
        bias = _of_distances_and_texts(own, distances, types)
        context = attend_relatively(q + own.r_w_bias, k, v, own.scale, own.dropout, bias)
        if read is not None and layer is body.layer[-1]:
            states, context = states[read], context[read]
        attended = own.layer_norm(own.dropout(torch.einsum("tnd,hnd->th", context, own.o)) + states)
        return cast(Tensor, layer.ff(attended))

    states = body.dropout(embedded)
    for layer in body.layer:
        states = in_layer(layer, computed, layer, states)
    return cast(Tensor, body.dropout(states))


def _sinusoids(body: Any, longest: int, embedded: Tensor) -> Tensor:
    """(2 · longest − 1, width) of distances from longest − 1 down to 1 − longest."""
    distances = torch.arange(longest - 1, -longest, -1.0, device=embedded.device)
    if body.clamp_len > 0:
        distances = distances.clamp(-body.clamp_len, body.clamp_len)
    frequencies = 1 / torch.pow(10000, torch.arange(0, body.d_model, 2.0, device=embedded.device) / body.d_model)
    angles = distances[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1).to(embedded)


def _of_distances_and_texts(own: Any, distances: Tensor, types: Tensor) -> Bias:
    """The scores of one layer. distances: (heads, 2 · longest − 1, head_width), the farthest behind first."""

    def bias(query: Tensor, _: Tensor, rows: Tensor, longest: int) -> Tensor:
        length = query.shape[2]
        by_place = query + ((own.r_r_bias - own.r_w_bias) * own.scale)[:, None]
        scores = by_distance(by_place @ distances[:, longest - length : longest + length - 1].transpose(1, 2))
        of_tokens = types[rows]
        differs = of_tokens[:, None, :, None] != of_tokens[:, None, None, :]
        by_text = query + ((own.r_s_bias - own.r_w_bias) * own.scale)[:, None]
        of_one, of_two = torch.einsum("bnid,snd->sbni", by_text, own.seg_embed)[..., None]
        return scores + torch.where(differs, of_two, of_one)

    return bias


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

    def computed(layer: Any, states: Tensor) -> Tensor:
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
        return cast(Tensor, layer.output(layer.intermediate(attended), attended))

    for layer in encoder.layer:
        states = in_layer(layer, computed, layer, states)
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

    def bias(query: Tensor, key: Tensor, _: Tensor, longest: int) -> Tensor:
        length = query.shape[2]
        ascending = row_of_distance[longest - length : longest + length - 1]
        scores = query.new_zeros(())
        if keys is not None:
            scores = scores + by_distance(query @ keys[:, ascending.flip(0)].transpose(1, 2))
        if queries is not None:
            scores = scores + by_distance(key @ queries[:, ascending].transpose(1, 2)).transpose(2, 3)
        return scores

    return bias
