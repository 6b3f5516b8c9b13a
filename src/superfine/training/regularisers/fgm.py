"""FGM, the fast gradient method on word embeddings (Miyato, Dai and Goodfellow 2017): train on a worst-case shift as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from superfine.training.objective import Backward, Objective, Outcome

if TYPE_CHECKING:  # options are checked where torch is not loaded yet
    from torch import Tensor

    from superfine.backbones.batch import Batch
    from superfine.backbones.packed.layout import Layout
    from superfine.model import Model


class FGM:
    """The gradients of the clean texts plus those of the texts shifted by epsilon · g / ‖g‖₂, g and its norm per text."""

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        epsilon: float = Field(0.1, gt=0, description="L2 norm of the shift of a text's embeddings")

    def __init__(self, options: Options) -> None:
        self.epsilon = options.epsilon

    def step(self, model: Model, batch: Batch, objective: Objective, backward: Backward) -> Outcome:
        embeddings = model.embed(batch)
        if not embeddings.requires_grad:  # the table is frozen, and what is looked up in it is wanted all the same
            embeddings = embeddings.detach().requires_grad_()
        embeddings.retain_grad()
        outcome = objective(model, batch.with_embeddings(embeddings))
        backward(outcome.loss)
        if embeddings.grad is None:
            raise RuntimeError("the objective did not use the batch's embeddings")
        shift = adversarial_shift(embeddings.grad, batch.layout, self.epsilon)
        backward(objective(model, batch.with_embeddings(model.embed(batch) + shift)).loss)
        return outcome


def adversarial_shift(gradient: Tensor, layout: Layout, epsilon: float) -> Tensor:
    """(T, width): each text's gradient scaled to the L2 norm epsilon; a text without gradient is not shifted."""
    import torch

    squares = gradient.float().pow(2).sum(dim=-1)
    norms = torch.zeros(layout.n_sequences, device=gradient.device).index_add_(0, layout.sequence_of_token, squares).sqrt()
    scale = torch.where(norms > 0, epsilon / norms, torch.zeros_like(norms))
    return (gradient * scale[layout.sequence_of_token, None]).to(gradient.dtype)
