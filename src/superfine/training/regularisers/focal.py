"""Focal loss (Lin et al. 2017): what is right already counts less."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from superfine.errors import ConfigError
from superfine.training.objective import Objective, Outcome

if TYPE_CHECKING:  # options are checked where torch is not loaded yet
    from torch import Tensor

    from superfine.backbones.batch import Batch
    from superfine.model import Model
    from superfine.records import Activation


class Focal:
    """loss = (1 - p)^gamma · inner, where p is the probability that the target of a text has.

    Of several labels p is that of the whole set, the labels taken as independent.
    """

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        gamma: float = Field(2.0, ge=0, description="0: the plain loss; the larger, the less easy texts count")

    def __init__(self, options: Options) -> None:
        self.gamma = options.gamma

    def wrap(self, inner: Objective) -> Objective:
        def focused(model: Model, batch: Batch) -> Outcome:
            outcome = inner(model, batch)
            return replace(outcome, losses=focal(outcome.losses, self.gamma, model.task.head.activation))

        return focused


def focal(losses: Tensor, gamma: float, activation: Activation) -> Tensor:
    """(n,) losses, which are minus the logarithms of probabilities, times (1 - p)^gamma.

    Raises ConfigError where they are none.
    """
    import torch

    if activation == "none":
        raise ConfigError("The regulariser focal is of probabilities, and this task has none.", "Leave it out.")
    return (-torch.expm1(-losses.clamp_min(0.0))).pow(gamma) * losses
