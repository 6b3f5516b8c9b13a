"""Gradient checkpointing (Chen, Xu, Zhang and Guestrin 2016): what is between two layers is kept, what is inside them is computed
again in the backward pass.

torch computes it again after the call of the network has ended, when the layout of the packed batch is gone: here it is put back.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch.utils.checkpoint import checkpoint

from superfine.backbones.packed.attention import packed_again

T = TypeVar("T")
RECOMPUTED = "is_recomputed"
"""The mark of such a layer."""


def recompute_layer(layer: torch.nn.Module) -> None:
    """Compute a layer again in the backward pass, however it is computed, from now until `restore_layer`."""
    inner = layer.forward

    def forward(*states: Any, **arguments: Any) -> Any:
        return computed_again(inner, *states, **arguments) if layer.training else inner(*states, **arguments)

    layer.forward = forward
    layer.__dict__[RECOMPUTED] = True


def is_recomputed(layer: torch.nn.Module) -> bool:
    return bool(layer.__dict__.get(RECOMPUTED))


def in_layer(layer: torch.nn.Module, function: Callable[..., T], *states: Any) -> T:
    """function(*states), the computation of a layer that does not go through the layer's own call."""
    return computed_again(function, *states) if is_recomputed(layer) and layer.training else function(*states)


def computed_again(function: Callable[..., T], *states: Any, **arguments: Any) -> T:
    """function(*states, **arguments), of which the backward pass keeps the arguments alone."""
    if not torch.is_grad_enabled():
        return function(*states, **arguments)
    found: T = checkpoint(function, *states, use_reentrant=False, context_fn=_contexts, **arguments)
    return found


def _contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Of the forward pass, and of the second one."""
    return nullcontext(), packed_again()
