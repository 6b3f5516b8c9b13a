"""How much each window of a text counts: attention of one learned query over the windows' states (Yang et al. 2016, section 2.2).

It is a part of the network, so it is trained and saved with it; plain transformers leaves it aside, as it knows no windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from superfine.errors import ModelError

NAME = "window_attention"


class WindowAttention(nn.Module):
    """weight: (width,), zero at the start, where all windows count alike and their outputs are averaged."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, states: Tensor) -> Tensor:
        """(s,) the scores of windows with these states (s, width); softmax over those of a text makes their shares."""
        scores: Tensor = states.to(self.weight.dtype) @ self.weight
        return scores


def add_to(network: Any) -> None:
    """Let the network learn how much windows count."""
    network.add_module(NAME, WindowAttention(network.config.hidden_size))


def of(network: Any) -> WindowAttention | None:
    """What a network has learned of that, if it has."""
    return cast("WindowAttention | None", getattr(network, NAME, None))


def restore(network: Any, folder: Path) -> None:
    """What a saved network learned of that, which plain transformers left aside. Raises ModelError where there is nothing."""
    from safetensors import safe_open

    add_to(network)
    key = f"{NAME}.weight"
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as saved:
            if key in saved.keys():  # noqa: SIM118 (no mapping)
                network.get_parameter(key).data.copy_(saved.get_tensor(key))
                return
    raise ModelError(f"{folder} does not hold how much windows count ({key}).", "Copy the bundle again, or train again.")
