"""A layer of the original Transformer (norms last: BERT and its kin), forward and backward written out.

    a   = LayerNorm(x + dropout(attention(x)))
    out = LayerNorm(a + dropout(W₂ act(W₁ a + b₁) + b₂))

Autograd takes such a layer for a hundred operations, many of which cost more than their arithmetic where a batch is a few hundred
tokens. Written out it is half as many: products that end in a sum add to it, and a residual and its mask are one pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from superfine.backbones.packed.attention import (
    Plan,
    SavedTensors,
    attention_backward,
    attention_forward,
    current_layout,
    plans_of,
)
from superfine.backbones.packed.dropout import dropout_mask

Activation = Callable[[Tensor], Tensor]
PARTS = ("query", "key", "value", "attended", "attention_norm", "widen", "narrow", "output_norm")
"""Of a layer, those that have weights."""


@dataclass(frozen=True)
class PostNormLayer:
    """The parts of one layer, whatever its family calls them.

    attention_dropout, attended_dropout, output_dropout: of the attention weights and of the two residual branches; None: none.
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attended: nn.Linear
    attention_norm: nn.LayerNorm
    widen: nn.Linear
    narrow: nn.Linear
    output_norm: nn.LayerNorm
    n_heads: int
    activation: Activation
    attention_dropout: nn.Dropout
    attended_dropout: nn.Dropout | None
    output_dropout: nn.Dropout

    @property
    def is_plain(self) -> bool:
        """Whether the weights of its parts are all that they compute with: no adapters beside them, no parametrisations, no
        hooks."""
        return all(
            type(part) in (nn.Linear, nn.LayerNorm) and not part._forward_hooks and not part._forward_pre_hooks
            for part in (getattr(self, name) for name in PARTS)
        )

    def __call__(self, hidden: Tensor, read: Tensor | None) -> Tensor:
        """hidden: (tokens, width). read: (n,) the tokens whose states are wanted, or None for all. Returns (tokens or n, width).

        Only what is wanted is computed: keys and values of every token, the rest of the tokens that are read.
        """
        layout = current_layout()
        assert layout is not None
        plans = plans_of(layout, self.n_heads, self.n_heads, causal=False, reads=read is not None, dtype=hidden.dtype)
        modules = [getattr(self, name) for name in PARTS]
        weights = _Weights(*(parameter for module in modules for parameter in (module.weight, module.bias)))
        return cast(Tensor, _Layer.apply(hidden, read, plans, self, *weights))  # type: ignore[no-untyped-call]


class _Weights(NamedTuple):
    query: Tensor
    query_bias: Tensor
    key: Tensor
    key_bias: Tensor
    value: Tensor
    value_bias: Tensor
    attended: Tensor
    attended_bias: Tensor
    attention_norm: Tensor
    attention_norm_bias: Tensor
    widen: Tensor
    widen_bias: Tensor
    narrow: Tensor
    narrow_bias: Tensor
    output_norm: Tensor
    output_norm_bias: Tensor


def _share(dropout: nn.Dropout | None) -> float:
    return dropout.p if dropout is not None and dropout.training else 0.0


class _Saved(NamedTuple):
    """What goes into the products and the norms; mean and scale (one over the deviation) are a norm's statistics."""

    hidden: Tensor
    read: Tensor | None
    states: Tensor
    context: Tensor
    attended: Tensor
    attended_mask: Tensor | None
    attended_mean: Tensor
    attended_scale: Tensor
    normed: Tensor
    wide: Tensor
    active: Tensor
    output: Tensor
    output_mask: Tensor | None
    output_mean: Tensor
    output_scale: Tensor


class _Layer(torch.autograd.Function):
    """A layer for the hidden states, the tokens that are read (or None), how attention is computed, and `_Weights`."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, read: Tensor | None, plans: list[Plan], layer: PostNormLayer, *parameters: Tensor
    ) -> Tensor:
        w = _Weights(*parameters)
        states = hidden if read is None else hidden.index_select(0, read)
        query, key, value = (
            torch.addmm(bias, x, weight.t()).view(len(x), layer.n_heads, -1)
            for bias, x, weight in ((w.query_bias, states, w.query), (w.key_bias, hidden, w.key), (w.value_bias, hidden, w.value))
        )
        scale = query.shape[-1] ** -0.5
        context, attention_saved = attention_forward(plans, query, key, value, scale, _share(layer.attention_dropout))
        context = context.view(len(states), -1)
        branch = torch.addmm(w.attended_bias, context, w.attended.t())
        attended, attended_mask = _add(states, branch, _share(layer.attended_dropout))
        normed, attended_mean, attended_scale = torch.native_layer_norm(
            attended, w.attention_norm.shape, w.attention_norm, w.attention_norm_bias, layer.attention_norm.eps
        )
        wide = torch.addmm(w.widen_bias, normed, w.widen.t())
        active = layer.activation(wide)
        branch = torch.addmm(w.narrow_bias, active, w.narrow.t())
        output, output_mask = _add(normed, branch, _share(layer.output_dropout))
        out, output_mean, output_scale = torch.native_layer_norm(
            output, w.output_norm.shape, w.output_norm, w.output_norm_bias, layer.output_norm.eps
        )
        saved = _Saved(
            hidden, read, states, context, attended, attended_mask, attended_mean, attended_scale,
            normed, wide, active, output, output_mask, output_mean, output_scale,
        )  # fmt: skip
        ctx.save_for_backward(*saved, *w, *attention_saved)
        ctx.plans, ctx.layer, ctx.scale = plans, layer, scale
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        n_saved, n_weights = len(_Saved._fields), len(_Weights._fields)
        tensors = ctx.saved_tensors  # once: what a checkpoint computes again is given once
        saved = _Saved._make(tensors[:n_saved])
        w = _Weights._make(tensors[n_saved : n_saved + n_weights])
        attention_saved: SavedTensors = tensors[n_saved + n_weights :]
        layer: PostNormLayer = ctx.layer
        wanted = dict(zip(_Weights._fields, ctx.needs_input_grad[4:], strict=True))
        found: dict[str, Tensor | None] = {}

        def linear(name: str, d_out: Tensor, x: Tensor) -> None:
            """Note the gradients of a weight and of its bias."""
            if wanted[name]:
                found[name] = d_out.t() @ x
            if wanted[name + "_bias"]:
                found[name + "_bias"] = d_out.sum(0)

        def norm(name: str, d_out: Tensor, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
            """Note the gradients of a norm's weight and bias; return that of its input."""
            weight, bias = getattr(w, name), getattr(w, name + "_bias")
            mask = [True, wanted[name], wanted[name + "_bias"]]
            d_x, found[name], found[name + "_bias"] = torch.ops.aten.native_layer_norm_backward(
                d_out, x, weight.shape, mean, scale, weight, bias, mask
            )
            return cast(Tensor, d_x)

        d_output = norm("output_norm", gradients[0].contiguous(), saved.output, saved.output_mean, saved.output_scale)
        d_branch = d_output if saved.output_mask is None else d_output * saved.output_mask
        linear("narrow", d_branch, saved.active)
        d_wide = _activation_backward(layer.activation, d_branch @ w.narrow, saved.wide)
        linear("widen", d_wide, saved.normed)
        d_normed = d_output.addmm_(d_wide, w.widen)
        d_attended = norm("attention_norm", d_normed, saved.attended, saved.attended_mean, saved.attended_scale)
        d_branch = d_attended if saved.attended_mask is None else d_attended * saved.attended_mask
        linear("attended", d_branch, saved.context)
        d_context = (d_branch @ w.attended).view(len(saved.states), layer.n_heads, -1)
        key_shape = (len(saved.hidden), layer.n_heads, d_context.shape[-1])
        d_query, d_key, d_value = (
            d.flatten(1) for d in attention_backward(ctx.plans, attention_saved, d_context, key_shape, ctx.scale)
        )
        linear("query", d_query, saved.states)
        linear("key", d_key, saved.hidden)
        linear("value", d_value, saved.hidden)
        d_hidden = None
        if ctx.needs_input_grad[0]:
            d_states = d_attended.addmm_(d_query, w.query)
            if saved.read is None:
                d_hidden = d_states.addmm_(d_key, w.key).addmm_(d_value, w.value)
            else:
                d_hidden = (d_key @ w.key).addmm_(d_value, w.value).index_add_(0, saved.read, d_states)
        return d_hidden, None, None, None, *(found.get(name) for name in _Weights._fields)


def _add(residual: Tensor, branch: Tensor, dropout: float) -> tuple[Tensor, Tensor | None]:
    """residual + dropout(branch), and the mask."""
    if not dropout:
        return branch.add_(residual), None
    mask = dropout_mask(branch.shape, dropout, branch.dtype, branch.device)
    return torch.addcmul(residual, branch, mask), mask


def _activation_backward(activation: Activation, d_out: Tensor, x: Tensor) -> Tensor:
    if activation is F.gelu:
        return cast(Tensor, torch.ops.aten.gelu_backward(d_out, x))
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(activation(x), x, d_out)[0]


def bert_layer(layer: Any) -> PostNormLayer:
    """BERT, RoBERTa, ELECTRA, ERNIE: attention with an output block of its own, then two more."""
    own, after = layer.attention.self, layer.attention.output
    return PostNormLayer(
        query=own.query, key=own.key, value=own.value, attended=after.dense, attention_norm=after.LayerNorm,
        widen=layer.intermediate.dense, narrow=layer.output.dense, output_norm=layer.output.LayerNorm,
        n_heads=own.num_attention_heads, activation=_plain(layer.intermediate.intermediate_act_fn),
        attention_dropout=own.dropout, attended_dropout=after.dropout, output_dropout=layer.output.dropout,
    )  # fmt: skip


def distilbert_layer(layer: Any) -> PostNormLayer:
    """DistilBERT: the same under other names, with no dropout behind attention."""
    own, forward = layer.attention, layer.ffn
    return PostNormLayer(
        query=own.q_lin, key=own.k_lin, value=own.v_lin, attended=own.out_lin, attention_norm=layer.sa_layer_norm,
        widen=forward.lin1, narrow=forward.lin2, output_norm=layer.output_layer_norm,
        n_heads=own.n_heads, activation=_plain(forward.activation),
        attention_dropout=own.dropout, attended_dropout=None, output_dropout=forward.dropout,
    )  # fmt: skip


def _plain(activation: Activation) -> Activation:
    """torch's own function where transformers wraps the exact GELU in a module."""
    from transformers.activations import GELUActivation

    return F.gelu if type(activation) is GELUActivation else activation
