"""What a network of transformers consists of, found in the network itself, so that no family has to say it."""

from __future__ import annotations

import re
from typing import Any

from torch import nn


def layers_of(network: Any) -> tuple[nn.Module, str, nn.ModuleList] | None:
    """The list of the body's layers, with the module that holds it and the name it has there; None where there is no such list.

    It is the first list with as many modules, all of one class, as the configuration counts layers.
    """
    n_layers = getattr(network.config, "num_hidden_layers", None)
    for parent in network.base_model.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == n_layers and len({type(layer) for layer in child}) == 1:
                return parent, name, child
    return None


def repeated_parts(network: Any) -> list[nn.Module]:
    """The layers of the body; where they share weights, as in ALBERT, the part that is computed again and again."""
    if (found := layers_of(network)) is not None:
        return list(found[2])
    lists = (child for child in network.base_model.modules() if isinstance(child, nn.ModuleList))
    return list(next(lists, []))


LAYER = re.compile(r"\.(?:layer|layers|h|block|blocks|albert_layer_groups)\.(\d+)\.")
"""In the name of a parameter: which layer it belongs to."""


def is_of_embeddings(name: str) -> bool:
    """Whether a parameter of that name lies below all layers: a table of embeddings, its norm or its projection."""
    return LAYER.search(name) is None and ("embed" in name.lower() or name.endswith(("wte.weight", "wpe.weight")))
