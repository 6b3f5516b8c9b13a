"""Label smoothing (Szegedy et al. 2016): a little of every target's mass is spread over all classes."""

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


class LabelSmoothing:
    """loss = (1 - amount) · inner + amount · cross-entropy against the answer that knows nothing."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        amount: float = Field(0.1, ge=0, lt=1, description="share of a target's mass that is spread evenly")

    def __init__(self, options: Options) -> None:
        self.amount = options.amount

    def wrap(self, inner: Objective) -> Objective:
        def smoothed(model: Model, batch: Batch) -> Outcome:
            outcome = inner(model, batch)
            even = uniform_cross_entropy(outcome.logits, model.task.head.activation)
            return replace(outcome, losses=(1 - self.amount) * outcome.losses + self.amount * even)

        return smoothed


def uniform_cross_entropy(logits: Tensor, activation: Activation) -> Tensor:
    """(n,) cross-entropy in nats of (n, K) logits against all classes alike, or against one half for each label, their sum.

    Raises ConfigError where outputs are no probabilities.
    """
    from torch.nn import functional as F

    if activation == "softmax":
        return -F.log_softmax(logits, dim=-1).mean(dim=-1)
    if activation == "sigmoid":
        return (F.softplus(logits) - logits / 2).sum(dim=-1)
    raise ConfigError("The regulariser label_smoothing is of probabilities, and this task has none.", "Leave it out.")
