"""Label smoothing (Szegedy et al. 2016): a little of every target's mass is spread over all classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from superfine.training.objective import Objective, Outcome

if TYPE_CHECKING:  # options are checked where torch is not loaded yet
    from torch import Tensor

    from superfine.backbones.batch import Batch
    from superfine.model import Model


class LabelSmoothing:
    """loss = (1 - amount) · inner + amount · mean over classes of -log p."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        amount: float = Field(0.1, ge=0, lt=1, description="share of a target's mass that is spread evenly")

    def __init__(self, options: Options) -> None:
        self.amount = options.amount

    def wrap(self, inner: Objective) -> Objective:
        def smoothed(model: Model, batch: Batch) -> Outcome:
            outcome = inner(model, batch)
            loss = (1 - self.amount) * outcome.loss + self.amount * uniform_cross_entropy(outcome.logits)
            return Outcome(loss, outcome.logits)

        return smoothed


def uniform_cross_entropy(logits: Tensor) -> Tensor:
    """Mean cross-entropy of (n, K) logits against the uniform distribution, in nats."""
    from torch.nn import functional as F

    return -F.log_softmax(logits, dim=-1).mean()
