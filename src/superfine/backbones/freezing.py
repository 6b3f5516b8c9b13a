"""Weights that stay what they were pretrained to be."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from torch import nn

from superfine.backbones.structure import is_of_embeddings, layers_of
from superfine.config import Freeze
from superfine.errors import ConfigError


def train_alone(network: Any, trained: Collection[str]) -> None:
    """Freeze all but the parameters of these names and those of an adapter."""
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trained or ".lora_" in name)


def freeze(network: Any, what: Freeze, trained: Collection[str]) -> None:
    """Freeze the embeddings, these and so many layers from below, or the whole body. trained: names of parameters that learn
    anyway, those of the head.

    Raises ConfigError for more layers than there are, or where none are found.
    """
    if what == "all":
        train_alone(network, trained)
        return
    lower: set[int] = set()
    if what != "embeddings":
        found = layers_of(network)
        if found is None or what > len(found[2]):
            n = "no list of layers" if found is None else f"{len(found[2])} layers"
            raise ConfigError(
                f"model.freeze={what} cannot be done: the model has {n}.", "Use --set model.freeze=embeddings, or all."
            )
        if _has_layers_in_parts(*found[:2]):
            raise ConfigError(
                f"model.freeze={what} cannot be done: a layer of {type(network).__name__} lies in several lists.",
                "Use --set model.freeze=embeddings, or all.",
            )
        lower = {id(parameter) for layer in found[2][:what] for parameter in layer.parameters()}
    table = network.get_input_embeddings().weight
    for name, parameter in network.named_parameters():
        frozen = id(parameter) in lower or parameter is table or is_of_embeddings(name)
        parameter.requires_grad_(name in trained or not frozen)


def _has_layers_in_parts(parent: nn.Module, name: str) -> bool:
    """Whether lists beside that of the layers are as long, as in XLM, which keeps attention and what comes after it apart."""
    lists = [child for child in parent.children() if isinstance(child, nn.ModuleList)]
    own = getattr(parent, name)
    return any(child is not own and len(child) == len(own) and next(child.parameters(), None) is not None for child in lists)
