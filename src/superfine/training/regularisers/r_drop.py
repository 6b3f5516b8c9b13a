"""R-Drop (Liang et al. 2021): two passes under different dropout masks should agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from superfine.training.objective import Objective, Outcome

if TYPE_CHECKING:  # options are checked where torch is not loaded yet
    from torch import Tensor

    from superfine.backbones.batch import Batch
    from superfine.model import Model
    from superfine.records import Activation


class RDrop:
    """loss = (inner₁ + inner₂) / 2 + weight · (KL(p₁‖p₂) + KL(p₂‖p₁)) / 2. Without dropout the second term is zero."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        weight: float = Field(1.0, ge=0, description="factor on the disagreement (the paper's alpha)")

    def __init__(self, options: Options) -> None:
        self.weight = options.weight

    def wrap(self, inner: Objective) -> Objective:
        def twice(model: Model, batch: Batch) -> Outcome:
            first, second = inner(model, batch), inner(model, batch)
            disagreement = symmetric_divergence(first.logits, second.logits, model.task.head.activation)
            return replace(first, losses=(first.losses + second.losses) / 2 + self.weight * disagreement)

        return twice


def symmetric_divergence(logits: Tensor, other_logits: Tensor, activation: Activation) -> Tensor:
    """(n,) (KL(p‖q) + KL(q‖p)) / 2 in nats between the distributions of two (n, K) logits: softmax, or K coins and their sum.

    Of outputs that are no probabilities it is the mean squared difference, as the paper has it for regression.
    """
    from torch.nn import functional as F

    if activation == "none":
        return (logits - other_logits).square().mean(dim=-1)
    if activation == "sigmoid":
        return ((logits.sigmoid() - other_logits.sigmoid()) * (logits - other_logits)).sum(dim=-1) / 2
    log_p, log_q = F.log_softmax(logits, dim=-1), F.log_softmax(other_logits, dim=-1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=-1) / 2
