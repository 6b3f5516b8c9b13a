"""What the model comes to on the validation part: by which the epoch is chosen."""

from __future__ import annotations

import numpy as np

from superfine.evaluation.evaluate import with_standard_error
from superfine.model import Model
from superfine.records import Examples, FloatArray, Ragged
from superfine.tasks.task import Task
from superfine.training.loop import Validate, Validation
from superfine.training.stages import Part


def validation_of(examples: Examples, part: Part, choose_by: str | None = None) -> Validate:
    """A function that scores a model on these validation rows. choose_by: another score than the task's main one."""

    def validate(model: Model) -> Validation:
        outputs = model.pooled_outputs(part.encoded)
        task = model.task.adjusted(examples, outputs, part.encoded)
        loss = mean_loss(task, outputs, part)
        score = task.single_scores[task.chosen_by(choose_by)]
        statistics = task.statistics(examples, task.decode(examples, outputs, part.encoded))
        value, error = with_standard_error(statistics, score)
        if not np.isfinite(value):  # of so few rows that nothing defines it
            return Validation(loss, loss, 0.0, rises=False)
        return Validation(loss, value, error, score.rises)

    return validate


def mean_loss(task: Task, outputs: FloatArray, part: Part) -> float:
    """The task's loss on a part, over its texts or over its tokens with a target."""
    import torch

    targets = part.targets.values if isinstance(part.targets, Ragged) else part.targets
    losses = task.loss(torch.from_numpy(outputs), torch.from_numpy(targets))
    return float(losses.sum() / max(1.0, float(part.amounts.sum()))) if isinstance(part.targets, Ragged) else float(losses.mean())
