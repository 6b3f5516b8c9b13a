"""A shallower network from a deeper one: some of its layers, evenly spread, first and last among them.

Sajjad, Dalvi, Durrani and Nakov 2023, "On the effect of dropping layers of pre-trained transformer models": fine-tuning makes
up for much of what is lost, and the time falls with the layers.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from torch import nn

from superfine.backbones.families import Family
from superfine.errors import ConfigError


def drop_layers(network: Any, family: Family | None, n_kept: int) -> None:
    """Keep `n_kept` layers of a network, in place. Raises ConfigError where it has no more, or where they are not known."""
    name = network.config.model_type
    if family is None or family.layers is None:
        raise ConfigError(
            f"model.layers has no effect on a model of type {name}: its layers are not known here.",
            "Leave it out, or choose BERT's kind.",
        )
    *above, last = family.layers.path.split(".")
    parent = network.base_model.get_submodule(".".join(above))
    layers = cast(nn.ModuleList, getattr(parent, last))
    if n_kept > len(layers):
        raise ConfigError(f"model.layers cannot be {n_kept}: the model has {len(layers)} layers.")
    kept = kept_layers(len(layers), n_kept)
    setattr(parent, last, nn.ModuleList(layers[i] for i in kept))
    network.config.num_hidden_layers = n_kept
    if getattr(network.config, "layer_types", None):
        network.config.layer_types = [network.config.layer_types[i] for i in kept]


def kept_layers(n: int, n_kept: int) -> list[int]:
    """Which of `n` layers stay, counted from 0 at the embeddings; of one alone it is the first."""
    return [int(i) for i in np.linspace(0, n - 1, n_kept).round()]
