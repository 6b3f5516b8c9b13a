"""R-Drop (Liang et al. 2021): two passes under different dropout masks should agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from superfine.training.objective import Objective, Outcome

if TYPE_CHECKING:  # options are checked where torch is not loaded yet
    from torch import Tensor

    from superfine.backbones.batch import Batch
    from superfine.model import Model


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
            disagreement = symmetric_kl(first.logits, second.logits)
            return Outcome((first.loss + second.loss) / 2 + self.weight * disagreement, first.logits)

        return twice


def symmetric_kl(logits: Tensor, other_logits: Tensor) -> Tensor:
    """Mean over n rows of (KL(p‖q) + KL(q‖p)) / 2 between the softmaxes of two (n, K) logits, in nats."""
    from torch.nn import functional as F

    log_p, log_q = F.log_softmax(logits, dim=-1), F.log_softmax(other_logits, dim=-1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=-1).mean() / 2
