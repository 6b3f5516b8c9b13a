"""What the model comes to on the validation part: by which the epoch is chosen."""

from __future__ import annotations

import numpy as np

from superfine.evaluation.evaluate import with_standard_error
from superfine.model import Model
from superfine.records import Examples
from superfine.training.loop import Part, Validate, Validation


def validation_of(examples: Examples, part: Part, choose_by: str | None = None) -> Validate:
    """A function that scores a model on these validation rows. choose_by: another score than the task's main one."""

    def validate(model: Model) -> Validation:
        import torch

        outputs = model.outputs(part.encoded)
        task = model.task.adjusted(examples, outputs)
        loss = task.loss(torch.from_numpy(outputs), torch.from_numpy(part.targets)).mean()
        score = task.single_scores[task.chosen_by(choose_by)]
        statistics = task.statistics(examples, task.decode(examples, outputs, part.encoded))
        value, error = with_standard_error(statistics, score)
        if not np.isfinite(value):  # of so few rows that nothing defines it
            return Validation(float(loss), float(loss), 0.0, rises=False)
        return Validation(float(loss), value, error, score.rises)

    return validate
