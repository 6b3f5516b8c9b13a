"""Weights that stay what they were pretrained to be."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

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
        lower = {id(parameter) for layer in found[2][:what] for parameter in layer.parameters()}
    for name, parameter in network.named_parameters():
        frozen = id(parameter) in lower or is_of_embeddings(name)
        parameter.requires_grad_(name in trained or not frozen)
