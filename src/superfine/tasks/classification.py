"""One class for each text, or for each pair of texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from superfine.errors import DataError
from superfine.records import Examples, FloatArray, IntArray, Predictions

if TYPE_CHECKING:
    from torch import Tensor

RARE_FACTOR = 10.0
"""Class weights `auto` begins to weigh when the largest class has over so many times the rows of the smallest."""


class Classification:
    """Softmax classification over K named classes.

    labels: the class names as they stand in the file, sorted (as numbers where all are numbers).
    class_weights: (K,) factors on the loss of each class, or None.
    """

    name = "classification"

    class Options(BaseModel):
        """Nothing to set yet."""

        model_config = ConfigDict(extra="forbid")

    def __init__(self, labels: Sequence[str], class_weights: FloatArray | None = None) -> None:
        self.labels = tuple(labels)
        self.class_weights = class_weights
        self._ids = {label: i for i, label in enumerate(self.labels)}

    @classmethod
    def from_labels(cls, labels: Sequence[str]) -> Self:
        """The task whose classes are the different values in `labels`. Raises DataError when there is only one."""
        names = sorted(set(labels), key=_label_order)
        if len(names) < 2:
            only = f'only the class "{names[0]}"' if names else "no class at all"
            raise DataError(
                f"The training part holds {only}.", "A classifier needs at least two classes. Is the label column the right one?"
            )
        return cls(names)

    def encode(self, examples: Examples) -> IntArray:
        """(n,) the class id of each example. Raises DataError that names values and rows which training never saw."""
        if examples.label is None:
            raise DataError(f"{examples.source} has no label column.", "Name it with --label.")
        unknown: dict[str, list[int]] = {}
        for row, label in zip(examples.row.tolist(), examples.label, strict=True):
            if label not in self._ids:
                unknown.setdefault(label, []).append(row)
        if unknown:
            described = "; ".join(
                f'"{label}" in row {", ".join(map(str, rows[:5]))}{" …" if len(rows) > 5 else ""}'
                for label, rows in list(unknown.items())[:5]
            )
            raise DataError(
                f"{examples.source}: labels that the training part never had: {described}.",
                "Correct them, add training rows with these labels, or leave such rows out of the score: --ignore-unknown-labels",
            )
        return np.array([self._ids[label] for label in examples.label], dtype=np.int64)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats of (n, K) logits against (n,) class ids, weighted by class where there are weights."""
        import torch
        from torch.nn import functional as F

        weights = (
            None if self.class_weights is None else torch.as_tensor(self.class_weights, dtype=logits.dtype, device=logits.device)
        )
        return F.cross_entropy(logits, targets, weight=weights)

    def decode(self, row: IntArray, logits: FloatArray) -> Predictions:
        """Softmax in float64: (n, K) logits to class probabilities."""
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        return Predictions(row, self.labels, exponentials / exponentials.sum(axis=1, keepdims=True))


def _label_order(label: str) -> tuple[int, float, str]:
    try:
        number = float(label)
    except ValueError:
        return (1, 0.0, label)
    return (0, number, label) if math.isfinite(number) else (1, 0.0, label)


def balanced_weights(targets: IntArray, n_classes: int) -> FloatArray:
    """(K,) weights by the inverse square root of the class sizes, with mean one over the rows.

    The square root is between no weights and full balance: full balance makes a rare class's few rows steer the model.
    """
    counts = np.maximum(np.bincount(targets, minlength=n_classes), 1).astype(np.float64)
    weights = 1.0 / np.sqrt(counts)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), dtype=np.float64)


def chosen_weights(setting: str, targets: IntArray, n_classes: int) -> FloatArray | None:
    """The class weights for `training.class_weights`: "none", "balanced", or "auto" by the imbalance."""
    counts = np.bincount(targets, minlength=n_classes)
    counts = counts[counts > 0]
    needed = setting == "balanced" or (setting == "auto" and counts.max() > RARE_FACTOR * counts.min())
    return balanced_weights(targets, n_classes) if needed else None
