"""Layers that are computed our way while a packed batch is: faster, and the last one computes what is read and nothing else.

A classifier reads one token of each text. So the last layer needs keys and values of every token, but queries, output
projection and feed-forward only of the tokens that are read: exact, and a sixth of a six-layer model saved. (Decoders save the
feed-forward alone.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn

from superfine.backbones.packed import post_norm
from superfine.backbones.packed.attention import current_layout, current_read
from superfine.backbones.packed.checkpointing import RECOMPUTED

Computed = Callable[..., Tensor]
"""(hidden (1, tokens, width), read (n,) token indices or None, **arguments of the layer) -> (1, n or tokens, width)."""
Computation = Callable[[Any], Computed]
"""How a layer of some family is computed."""


def bert_layer(layer: Any) -> Computed:
    """BERT, RoBERTa, ELECTRA, ERNIE."""
    written_out = post_norm.bert_layer(layer)
    if written_out.is_plain:
        return _in_one_row(written_out)

    def computed(hidden: Tensor, read: Tensor | None, **arguments: Any) -> Tensor:
        attended = layer.attention.self(hidden, **arguments)[0]
        if read is not None:
            attended, hidden = attended[:, read], hidden[:, read]
        states = layer.attention.output(attended, hidden)
        return cast(Tensor, layer.output(layer.intermediate(states), states))

    return computed


def distilbert_layer(layer: Any) -> Computed:
    """DistilBERT."""
    written_out = post_norm.distilbert_layer(layer)
    if written_out.is_plain:
        return _in_one_row(written_out)

    def computed(hidden: Tensor, read: Tensor | None, **arguments: Any) -> Tensor:
        attended = layer.attention(hidden, **arguments)[0]
        if read is not None:
            attended, hidden = attended[:, read], hidden[:, read]
        states = layer.sa_layer_norm(attended + hidden)
        return cast(Tensor, layer.output_layer_norm(layer.ffn(states) + states))

    return computed


def _in_one_row(layer: post_norm.PostNormLayer) -> Computed:
    # Not `hidden[0]`, whose gradient fills a tensor with zeros first.
    return lambda hidden, read, **_: layer(hidden.squeeze(0), read)[None]


def decoder_layer(layer: Any) -> Computed:
    """Llama, Mistral, Qwen, Gemma."""
    return _pre_norm(layer.input_layernorm, layer.self_attn, layer.post_attention_layernorm, layer.mlp)


def modernbert_layer(layer: Any) -> Computed:
    """ModernBERT, whose first layer has no norm before attention, and which has rotary bases of its own for local layers."""
    return _pre_norm(layer.attn_norm, layer.attn, layer.mlp_norm, layer.mlp)


def _pre_norm(attention_norm: nn.Module, attention: nn.Module, norm: nn.Module, feed_forward: nn.Module) -> Computed:
    """Norms first; attention over all tokens, then only those that are read."""

    def computed(hidden: Tensor, read: Tensor | None, **arguments: Any) -> Tensor:
        attended, _ = attention(hidden_states=attention_norm(hidden), **arguments)
        states = hidden + attended
        if read is not None:
            states = states[:, read]
        out: Tensor = states + feed_forward(norm(states))
        return out

    return computed


def patch_layer(layer: nn.Module, how: Computation, *, is_last: bool) -> None:
    """Compute `layer` like that while a packed batch is computed, otherwise as before.

    is_last: only for the tokens that are read; else for all.
    """
    own_forward, computed = layer.forward, how(layer)

    def forward(hidden_states: Tensor, *positional: Any, **arguments: Any) -> Any:
        if current_layout() is None:
            return own_forward(hidden_states, *positional, **arguments)
        return computed(hidden_states, current_read() if is_last else None, **arguments)

    layer.forward = forward


def restore_layer(layer: nn.Module) -> None:
    """Undo `patch_layer` and `recompute_layer`."""
    layer.__dict__.pop("forward", None)
    layer.__dict__.pop(RECOMPUTED, None)
