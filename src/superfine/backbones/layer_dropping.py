"""A shallower network from a deeper one: some of its layers, evenly spread, first and last among them.

Sajjad, Dalvi, Durrani and Nakov 2023, "On the effect of dropping layers of pre-trained transformer models": fine-tuning makes
up for much of what is lost, and the time falls with the layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from superfine.backbones.structure import layers_of
from superfine.errors import ConfigError


def drop_layers(network: Any, n_kept: int) -> None:
    """Keep `n_kept` layers of a network, in place. Raises ConfigError where it has no more, or where they are not known."""
    found = layers_of(network)
    if found is None:
        raise _has_no_effect(network)
    parent, name, layers = found
    if n_kept > len(layers):
        raise ConfigError(f"model.layers cannot be {n_kept}: the model has {len(layers)} layers.")
    kept = kept_layers(len(layers), n_kept)
    setattr(parent, name, nn.ModuleList(layers[i] for i in kept))
    network.config.num_hidden_layers = n_kept
    for name, value in network.config.to_dict().items():
        if isinstance(value, list) and len(value) == len(layers):  # one entry for each layer
            setattr(network.config, name, [value[i] for i in kept])
    if not _can_be_opened(network):
        raise _has_no_effect(network)


def _can_be_opened(network: Any) -> bool:
    """Whether its configuration describes the network as it is now."""
    try:
        with torch.device("meta"):
            opened = type(network)(type(network.config)(**network.config.to_dict()))
    except Exception:  # what configurations and networks check of themselves is their own affair
        return False
    ours, theirs = (
        {key: tuple(value.shape) for key, value in one.state_dict().items() if key.endswith(("weight", "bias"))}
        for one in (network, opened)
    )
    return ours == theirs


def _has_no_effect(network: Any) -> ConfigError:
    return ConfigError(
        f"model.layers has no effect on a model of type {network.config.model_type}: none of its layers can be left out.",
        "Leave it out, or choose BERT's kind.",
    )


def kept_layers(n: int, n_kept: int) -> list[int]:
    """Which of `n` layers stay, counted from 0 at the embeddings; of one alone it is the first."""
    return [int(i) for i in np.linspace(0, n - 1, n_kept).round()]
