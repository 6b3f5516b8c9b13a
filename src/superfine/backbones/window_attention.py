"""How much each window of a text counts: attention of one learned query over the windows' states (Yang et al. 2016, section 2.2).

It is a part of the network, so it is trained and saved with it; plain transformers leaves it aside, as it knows no windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from superfine.backbones.heads import head_modules
from superfine.errors import ModelError

NAME = "window_attention"
KEY = f"{NAME}.weight"


class WindowAttention(nn.Module):
    """weight: (width,), zero at the start, where all windows count alike and their outputs are averaged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, states: Tensor) -> Tensor:
        """(s,) the scores of windows with these states (s, width); softmax over those of a text makes their shares."""
        scores: Tensor = states.to(self.weight.dtype) @ self.weight
        return scores


def add_to(network: Any, folder: Path | None = None) -> None:
    """Let the network learn how much windows count, from where the network saved in `folder` stopped, if that learned it too."""
    layers = (module for part in head_modules(network) for module in part.modules() if isinstance(module, nn.Linear))
    network.add_module(NAME, WindowAttention(next(layers).in_features))
    saved = None if folder is None else _saved(folder)
    if saved is not None and saved.shape == of(network).weight.shape:  # type: ignore[union-attr]
        network.get_parameter(KEY).data.copy_(saved)


def of(network: Any) -> WindowAttention | None:
    """What a network has learned of that, if it has."""
    return cast("WindowAttention | None", getattr(network, NAME, None))


def restore(network: Any, folder: Path) -> None:
    """What a saved network learned of that, which plain transformers left aside. Raises ModelError where there is nothing."""
    saved = _saved(folder)
    if saved is None:
        raise ModelError(f"{folder} does not hold how much windows count ({KEY}).", "Copy the bundle again, or train again.")
    network.add_module(NAME, WindowAttention(len(saved)))
    network.get_parameter(KEY).data.copy_(saved)


def _saved(folder: Path) -> Tensor | None:
    """(width,) what a network in that folder learned of that."""
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as saved:
            for key in (KEY, f"base_model.model.{KEY}"):  # the second beside an adapter
                if key in saved.keys():  # noqa: SIM118 (no mapping)
                    return cast(Tensor, saved.get_tensor(key))
    return None
