"""The last layer computes what is read, and nothing else: exact, and a sixth of a six-layer model saved.

A classifier reads one token of each text. So the last layer needs keys and values of every token, but queries, output
projection and feed-forward only of the tokens that are read. (Decoders save the feed-forward alone.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from torch import Tensor, nn

from superfine.backbones.packed.attention import attend, current_layout

Shortened = Callable[..., Tensor]
"""(layer, hidden (1, tokens, width), read (n,) token indices, **arguments of the layer) -> (1, n, width)."""


def bert_layer(layer: Any, hidden: Tensor, read: Tensor, **_: Any) -> Tensor:
    """BERT, RoBERTa, ELECTRA, ERNIE: attention with an output block of its own, then two more."""
    own = layer.attention.self
    states = hidden[0].index_select(0, read)
    context = _context(own, own.query(states), own.key(hidden[0]), own.value(hidden[0]), own.num_attention_heads)
    attended = layer.attention.output(context[None], states[None])
    out: Tensor = layer.feed_forward_chunk(attended)
    return out


def distilbert_layer(layer: Any, hidden: Tensor, read: Tensor, **_: Any) -> Tensor:
    """DistilBERT: the same under other names."""
    own = layer.attention
    states = hidden[0].index_select(0, read)
    context = _context(own, own.q_lin(states), own.k_lin(hidden[0]), own.v_lin(hidden[0]), own.n_heads)
    attended = layer.sa_layer_norm(own.out_lin(context) + states)
    out: Tensor = layer.output_layer_norm(layer.ffn(attended[None]) + attended)
    return out


def decoder_layer(layer: Any, hidden: Tensor, read: Tensor, **arguments: Any) -> Tensor:
    """Llama, Mistral, Qwen: norms first; attention over all tokens, then only those that are read."""
    attended, _ = layer.self_attn(hidden_states=layer.input_layernorm(hidden), **arguments)
    states = (hidden + attended)[:, read]
    out: Tensor = states + layer.mlp(layer.post_attention_layernorm(states))
    return out


def _context(attention: Any, query: Tensor, key: Tensor, value: Tensor, n_heads: int) -> Tensor:
    """(n, width): what the tokens that are read gather from their texts."""
    layout = current_layout()
    assert layout is not None
    rows = [tensor.view(len(tensor), n_heads, -1) for tensor in (query, key, value)]
    dropout = attention.dropout.p if attention.training else 0.0
    return attend(layout, *rows, scale=rows[0].shape[-1] ** -0.5, dropout=dropout, reads=True).flatten(1)


def shorten(layer: nn.Module, how: Shortened, reads: Literal["first", "last"]) -> None:
    """Make `layer` compute only what is read while a packed batch is computed; otherwise it is as it was."""
    whole = layer.forward

    def forward(hidden_states: Tensor, *positional: Any, **arguments: Any) -> Any:
        layout = current_layout()
        if layout is None:
            return whole(hidden_states, *positional, **arguments)
        return how(layer, hidden_states, layout.first if reads == "first" else layout.last, **arguments)

    layer.forward = forward


def restore(layer: nn.Module) -> None:
    """Undo `shorten`."""
    layer.__dict__.pop("forward", None)
