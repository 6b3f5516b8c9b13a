"""What is minimised, and how a step obtains its gradients: the two seams of training.

An objective maps a batch to a loss; regularisers of the first kind wrap it. A gradient step fills `.grad` by running the
objective and `backward` as often as it likes; regularisers of the second kind replace it. They compose over one unchanged loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from superfine.config import validate_options
from superfine.errors import ConfigError
from superfine.training.regularisers import REGULARISERS

if TYPE_CHECKING:  # names and options are checked where torch is not loaded yet
    from torch import Tensor

    from superfine.backbones.batch import Batch
    from superfine.model import Model


@dataclass(frozen=True)
class Outcome:
    """losses: (n,) of each row of outputs, in the graph. logits: (n, n_outputs) float32, in the batch's order.

    weights: (n,) of the rows, or None: all alike. own_losses: (n,) the task's own, without what regularisers make of them.
    """

    losses: Tensor
    logits: Tensor
    weights: Tensor | None = None
    own_losses: Tensor | None = None

    @property
    def loss(self) -> Tensor:
        """Scalar, in the graph: the weighted mean of the losses."""
        if self.weights is None:
            return self.losses.mean()
        return (self.losses * self.weights).sum() / self.weights.sum()

    @property
    def plain(self) -> Tensor:
        """(2,) without gradient: the sum of the task's own losses, without regularisers and weights, and how many they are."""
        import torch

        losses = (self.losses if self.own_losses is None else self.own_losses).detach()
        counts = torch.ones_like(losses) if self.weights is None else (self.weights > 0).to(losses.dtype)
        return torch.stack([(losses * counts).sum(), counts.sum()])


Objective: TypeAlias = "Callable[[Model, Batch], Outcome]"
Backward: TypeAlias = "Callable[[Tensor], None]"
GradientStep: TypeAlias = "Callable[[Model, Batch, Objective, Backward], Outcome]"


class ObjectiveRegulariser(Protocol):
    """Changes the loss."""

    def wrap(self, inner: Objective) -> Objective:
        """An objective around `inner`."""
        ...


class StepRegulariser(Protocol):
    """Changes how gradients come about, for example by an adversarial second pass."""

    def step(self, model: Model, batch: Batch, objective: Objective, backward: Backward) -> Outcome:
        """Leave gradients in `.grad`; return the outcome of the clean pass."""
        ...


def supervised(model: Model, batch: Batch) -> Outcome:
    """The task's own loss."""
    if batch.targets is None:
        raise ValueError("the batch has no targets")
    logits = model.logits(batch)
    losses = model.task.loss(logits, batch.targets)
    return Outcome(losses, logits, batch.weights, losses.detach())


def plain_step(model: Model, batch: Batch, objective: Objective, backward: Backward) -> Outcome:
    """One forward and one backward pass."""
    outcome = objective(model, batch)
    backward(outcome.loss)
    return outcome


def compose(regularisers: Mapping[str, Mapping[str, Any]]) -> tuple[Objective, GradientStep]:
    """The objective and the step of `training.regularisers`, objectives wrapped in the order given.

    Raises ConfigError for an unknown name or option, and for two regularisers that both replace the step.
    """
    objective: Objective = supervised
    step: GradientStep = plain_step
    step_name = ""
    for name, options in regularisers.items():
        regulariser = _build(name, options)
        if hasattr(regulariser, "wrap"):
            objective = regulariser.wrap(objective)
        elif step_name:
            raise ConfigError(
                f'The regularisers "{step_name}" and "{name}" both replace the gradient step.', "Choose one of them."
            )
        else:
            step, step_name = regulariser.step, name
    return objective, step


def _build(name: str, options: Mapping[str, Any]) -> Any:
    regulariser = REGULARISERS.load(name)
    return regulariser(validate_options(REGULARISERS.kind, name, regulariser.Options, options))
