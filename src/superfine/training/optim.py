"""The optimiser: AdamW with a rate per layer, for word embeddings on the rows a batch has touched, under a rate schedule."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from superfine.backbones.structure import LAYER, is_of_embeddings
from superfine.config import TrainingConfig
from superfine.training.weights import MasterWeights

BETAS = (0.9, 0.999)
EPSILON = 1e-8
NO_DECAY = re.compile(r"(?:^|[._])(?:bias|layer_?norm|ln_?\w*|norm)(?:[._]|$)", re.IGNORECASE)


def layer_depths(names: list[str], head: Collection[str]) -> list[int]:
    """How many layers below the head each parameter lies: 1 for the top layer, most for the embeddings; 0 for those of
    the head."""
    layers = [int(match.group(1)) if (match := LAYER.search(name)) else None for name in names]
    n_layers = max((layer for layer in layers if layer is not None), default=-1) + 1
    depths = []
    for name, layer in zip(names, layers, strict=True):
        if name in head:
            depths.append(0)
        elif layer is not None:
            depths.append(n_layers - layer)
        else:
            depths.append(n_layers + 1 if is_of_embeddings(name) else 1)
    return depths


def rate_factor(progress: float, warmup_ratio: float) -> float:
    """Share of the peak rate after `progress` (0 to 1) of the run: a linear rise, then a linear fall to zero."""
    if progress < warmup_ratio:
        return progress / warmup_ratio
    return max(0.0, (1 - progress) / (1 - warmup_ratio))


class Optimiser:
    """AdamW (Loshchilov and Hutter 2019) over the masters, with gradients clipped together; biases and norms are not decayed.

    The peak rate of a parameter is learning_rate · layer_decay ** depth; of those in `head`
    learning_rate · head_learning_rate_multiplier, and so of those in `beside`, which are no part of the network. Sparse gradients
    (word embeddings) go to `RowAdamW`.
    """

    def __init__(
        self,
        weights: MasterWeights,
        embedding: nn.Parameter,
        head: Collection[str],
        settings: TrainingConfig,
        learning_rate: float,
        beside: Sequence[nn.Parameter] = (),
    ) -> None:
        self.max_grad_norm = settings.max_grad_norm
        self.rows: RowAdamW | None = None
        keys: list[tuple[float, float, bool]] = []
        for name, depth, master in zip(weights.names, layer_depths(weights.names, head), weights.masters, strict=True):
            peak = learning_rate * (settings.head_learning_rate_multiplier if depth == 0 else settings.layer_decay**depth)
            decay = settings.weight_decay if master.dim() > 1 and not NO_DECAY.search(name) else 0.0
            keys.append((peak, decay, master is embedding))
        groups: dict[tuple[float, float], list[nn.Parameter]] = {}
        for (peak, decay, is_embedding), parameter in weights.spans(keys):
            if is_embedding:
                self.rows = RowAdamW(parameter, peak, decay, weights.rows)
            else:
                groups.setdefault((peak, decay), []).append(parameter)
        for parameter in beside:
            decay = settings.weight_decay if parameter.dim() > 1 else 0.0
            groups.setdefault((learning_rate * settings.head_learning_rate_multiplier, decay), []).append(parameter)
        parameters = [{"params": members, "weight_decay": decay, "peak_rate": peak} for (peak, decay), members in groups.items()]
        self.dense = torch.optim.AdamW(parameters, lr=learning_rate, betas=BETAS, eps=EPSILON, fused=True)
        self.dense_parameters = [p for group in groups.values() for p in group]

    def step(self, factor: float) -> None:
        """Update with `factor` times the peak rates, and drop the gradients."""
        rows_gradient = self.rows.take_gradient() if self.rows is not None else None
        gradients = [p.grad for p in self.dense_parameters if p.grad is not None]
        if rows_gradient is not None:
            gradients.append(rows_gradient[1])
        scale = clip_scale(gradients, self.max_grad_norm)
        for group in self.dense.param_groups:
            group["lr"] = group["peak_rate"] * factor
        # The fused update divides by this while it reads the gradients, which saves a pass over them.
        self.dense.grad_scale = 1 / scale  # type: ignore[attr-defined]
        self.dense.step()
        self.dense.zero_grad(set_to_none=True)
        if self.rows is not None and rows_gradient is not None:
            rows, gradient = rows_gradient
            self.rows.step(rows, gradient * scale, factor)

    def zero_grad(self) -> None:
        """Drop the gradients without using them."""
        self.dense.zero_grad(set_to_none=True)
        if self.rows is not None:
            self.rows.weight.grad = None


def clip_scale(gradients: list[Tensor], norm: float) -> Tensor:
    """The factor, at most 1, that brings all gradients together down to the L2 norm `norm`."""
    # A dot product reads millions of numbers twice as fast as a norm does.
    total = torch.stack([torch.dot(flat, flat) for flat in (gradient.flatten() for gradient in gradients)]).sum().sqrt()
    return torch.clamp(norm / (total + 1e-6), max=1.0)


class RowAdamW:
    """AdamW on the rows of a (vocabulary, width) table that a batch has touched, each row with a clock of its own.

    Dense AdamW moves every row at every step, touched or not, and so spends most of a short batch's time on words the batch does
    not hold. Here a row's moments and bias correction advance only when the row is read.

    rows: (r,) those that can ever be touched; None is all. Moments are kept for these alone: of a vocabulary of a hundred
    languages the texts of one task hold a few per cent.
    """

    def __init__(self, weight: nn.Parameter, peak_rate: float, weight_decay: float, rows: Tensor | None = None) -> None:
        self.weight = weight
        self.peak_rate = peak_rate
        self.weight_decay = weight_decay
        n_rows = len(weight) if rows is None else len(rows)
        self.exp_avg = torch.zeros((n_rows, weight.shape[1]), dtype=weight.dtype, device=weight.device)
        self.exp_avg_sq = torch.zeros_like(self.exp_avg)
        self.steps = torch.zeros(n_rows, device=weight.device)
        self._places: Tensor | None = None
        if rows is not None:
            self._places = torch.full((len(weight),), -1, dtype=torch.int64, device=weight.device)
            self._places[rows] = torch.arange(n_rows, device=weight.device)

    def take_gradient(self) -> tuple[Tensor, Tensor] | None:
        """The touched rows (r,) and their gradients (r, width), taken from the sparse gradient of the weight."""
        gradient = self.weight.grad
        self.weight.grad = None
        if gradient is None:
            return None
        if not gradient.is_sparse:
            return torch.arange(len(gradient), device=gradient.device), gradient
        gradient = gradient.coalesce()
        return gradient.indices()[0], gradient.values()

    def step(self, rows: Tensor, gradient: Tensor, factor: float) -> None:
        """Update `rows` by their gradients with `factor` times the peak rate."""
        rate = self.peak_rate * factor
        first, second = BETAS
        with torch.no_grad():
            places = rows if self._places is None else self._places[rows]
            clock = self.steps[places] + 1
            mean = self.exp_avg[places].lerp_(gradient, 1 - first)
            square = self.exp_avg_sq[places].lerp_(gradient.square(), 1 - second)
            denominator = (square / (1 - second**clock)[:, None]).sqrt_().add_(EPSILON)
            values = self.weight[rows] * (1 - rate * self.weight_decay)
            values -= rate * (mean / (1 - first**clock)[:, None]) / denominator
            cast(Tensor, self.weight).index_copy_(0, rows, values)
            for target, update in ((self.exp_avg, mean), (self.exp_avg_sq, square), (self.steps, clock)):
                target.index_copy_(0, places, update)
