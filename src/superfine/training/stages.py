"""The stages of a training: what each learns from, in which batches, for what, and how its weights are fitted.

Fine-tuning has one stage. Others may come before it: another objective, with an output layer of its own that is not kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from torch import nn

from superfine.config import TrainingConfig
from superfine.data.encoded import Encoded
from superfine.model import Model
from superfine.records import IGNORED, FloatArray, IntArray, Ragged
from superfine.tasks.task import Targets
from superfine.training.objective import GradientStep, Objective, compose, plain_step
from superfine.training.recipe import Recipe, TrainingData, choose_recipe


@dataclass(frozen=True)
class Part:
    """Encoded texts and what they are to become: targets of the task, for each text (n, ...) or for each of its tokens.

    weights: (n,) how much each text counts, or None.
    """

    encoded: Encoded
    targets: Targets | Ragged
    weights: FloatArray | None = None

    @cached_property
    def amounts(self) -> FloatArray:
        """(n,) how much each text counts in the loss of a batch: its weight, times its tokens with a target where those count."""
        weights = np.ones(len(self)) if self.weights is None else self.weights
        if not isinstance(self.targets, Ragged):
            return weights
        counted = np.concatenate([[0], np.cumsum(self.targets.values != IGNORED)])
        return np.asarray(weights * np.diff(counted[self.targets.starts[self.encoded.first_sequences]]))

    @cached_property
    def tokens_per_text(self) -> IntArray:
        """(n,) tokens of each text, in all its windows."""
        return self.encoded.tokens_per_text

    def __len__(self) -> int:
        return len(self.encoded)


class Sampler(Protocol):
    """Which rows of a part make which batch. What it says of an epoch hangs on nothing else, so a resumed run repeats it."""

    def __len__(self) -> int:
        """The batches of an epoch."""
        ...

    def batches(self, epoch: int) -> Sequence[IntArray]:
        """The rows of each batch of an epoch, counted from 0."""
        ...


@dataclass(frozen=True)
class Shuffled:
    """Every row once an epoch, in an order that the seed draws, `size` at a time."""

    n_rows: int
    size: int
    seed: int

    def __len__(self) -> int:
        return math.ceil(self.n_rows / self.size)

    def batches(self, epoch: int) -> Sequence[IntArray]:
        order = np.random.default_rng([self.seed, epoch]).permutation(self.n_rows)
        return [order[start : start + self.size] for start in range(0, self.n_rows, self.size)]


@dataclass(frozen=True)
class Stage:
    """One objective, minimised over `recipe.epochs` passes with an optimiser of its own.

    head: parameters of this stage alone, which start from where they are and learn at the head's rate; what the objective
    computes with them is its own affair. None where the model's own output layer is all there is.
    """

    train: Part
    batches: Sampler
    objective: Objective
    recipe: Recipe
    settings: TrainingConfig
    gradient_step: GradientStep = plain_step
    head: nn.Module | None = None

    @property
    def n_steps(self) -> int:
        return len(self.batches) * self.recipe.epochs


def supervised_stage(model: Model, train: Part, settings: TrainingConfig, seed: int) -> Stage:
    """Fine-tuning for the model's task: what the settings say, and the rules for what they leave open."""
    task = model.task
    data = TrainingData(len(train), task.size, float(train.tokens_per_text.mean()), by_token=task.head.by_token)
    recipe = choose_recipe(settings, data, model.backbone.network.config.hidden_size)
    adapter = model.backbone.adapter
    if adapter is not None and settings.learning_rate is None:  # the head learns as fast as ever
        recipe = replace(recipe, learning_rate=recipe.learning_rate * adapter.RATE_FACTOR)
        multiplier = settings.head_learning_rate_multiplier / adapter.RATE_FACTOR
        settings = settings.model_copy(update={"head_learning_rate_multiplier": multiplier})
    objective, step = compose(task.regularisers if settings.regularisers is None else settings.regularisers)
    return Stage(train, Shuffled(len(train), recipe.batch_size, seed), objective, recipe, settings, step)
