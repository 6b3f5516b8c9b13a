"""One class for each text, or for each pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from superfine import metrics
from superfine.data.labels import Spelling, label_order
from superfine.errors import DataError
from superfine.records import (
    SHARE,
    Choices,
    Count,
    Examples,
    FloatArray,
    Function,
    IntArray,
    Mean,
    Ranking,
    Ratio,
    Score,
    Statistics,
    Totals,
)  # fmt: skip

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from torch import Tensor

OCCURS = {"support": 1.0, "predicted": 1.0}
"""A class counts in a mean over classes where it is the truth or the prediction of some text."""
PRECISION = Ratio({"hits": 1.0}, {"predicted": 1.0})
RECALL = Ratio({"hits": 1.0}, {"support": 1.0})
F1 = Ratio({"hits": 1.0}, {"support": 1.0, "predicted": 1.0, "hits": -1.0}, shape=metrics.f1_of_overlap)
MOST_RANKED_CLASSES = 200
"""With more classes the ROC area, one class against the rest, says little and costs minutes: it is left out."""


def _matthews(totals: Totals) -> FloatArray:
    return metrics.matthews_correlation(totals["hits"], totals["support"], totals["predicted"])


SCORES: dict[str, Score] = {
    "accuracy": Ratio({"hits": 1.0}, {"support": 1.0}, pooled=True),
    "macro_precision": Mean(PRECISION, OCCURS),
    "macro_recall": Mean(RECALL, OCCURS),
    "macro_f1": Mean(F1, OCCURS),
    "weighted_precision": Mean(PRECISION, OCCURS, {"support": 1.0}),
    "weighted_recall": Mean(RECALL, OCCURS, {"support": 1.0}),
    "weighted_f1": Mean(F1, OCCURS, {"support": 1.0}),
    "mcc": Function(_matthews, ("hits", "support", "predicted"), (-1.0, 1.0)),
    "log_loss": Ratio({"log_loss": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True),
    "precision": PRECISION,
    "recall": RECALL,
    "f1": F1,
    "support": Count("support"),
}
"""By the names that `metrics.json` uses; the last four are by class. An undefined score of a class counts as 0 in a mean over
classes."""

RARE_FACTOR = 10.0
"""Class weights `auto` begins to weigh when the largest class has over so many times the rows of the smallest."""


class Classification:
    """Softmax classification over K named classes.

    labels: the class names as they stand in the file, sorted (as numbers where all are numbers).
    class_weights: (K,) factors on the loss of each class, or None. spelling: which labels of a file mean which class.
    """

    name = "classification"
    main = "accuracy"

    class Options(BaseModel):
        """Nothing to set yet."""

        model_config = ConfigDict(extra="forbid")

    def __init__(self, labels: Sequence[str], class_weights: FloatArray | None = None, spelling: Spelling | None = None) -> None:
        self.labels = tuple(labels)
        self.class_weights = class_weights
        self.spelling = Spelling.of_classes(self.labels) if spelling is None else spelling
        self._ids = {label: i for i, label in enumerate(self.labels)}

    @classmethod
    def from_labels(cls, labels: Sequence[str], *, merges: bool = False) -> Self:
        """The task whose classes are the different values in `labels`. Raises DataError when there is only one.

        merges: values that differ only in case, blanks and the like are one class.
        """
        spelling = Spelling.learn(labels, merges=merges)
        names = sorted(spelling.classes.values(), key=label_order)
        if len(names) < 2:
            only = f'only the class "{names[0]}"' if names else "no class at all"
            raise DataError(
                f"The training part holds {only}.", "A classifier needs at least two classes. Is the label column the right one?"
            )
        return cls(names, spelling=spelling)

    def class_of(self, label: str) -> str | None:
        """The class that a label of a file means, or None."""
        name = self.spelling.of(label)
        return name if name in self._ids else None

    def encode(self, examples: Examples) -> IntArray:
        """(n,) the class id of each example. Raises DataError that names values and rows which training never saw."""
        if examples.label is None:
            raise DataError(f"{examples.source} has no label column.", "Name it with --label.")
        ids = {label: self._ids.get(self.spelling.of(label)) for label in set(examples.label)}
        unknown: dict[str, list[int]] = {}
        for row, label in zip(examples.row.tolist(), examples.label, strict=True):
            if ids[label] is None:
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
        return np.array([ids[label] for label in examples.label], dtype=np.int64)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats of (n, K) logits against (n,) class ids, weighted by class where there are weights."""
        import torch
        from torch.nn import functional as F

        weights = (
            None if self.class_weights is None else torch.as_tensor(self.class_weights, dtype=logits.dtype, device=logits.device)
        )
        return F.cross_entropy(logits, targets, weight=weights)

    def decode(self, row: IntArray, logits: FloatArray) -> Choices:
        """Softmax in float64: (n, K) logits to class probabilities."""
        if not len(logits):
            return Choices(row, self.labels, np.zeros((0, len(self.labels))))
        shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
        exponentials = np.exp(shifted)
        return Choices(row, self.labels, exponentials / exponentials.sum(axis=1, keepdims=True))

    @property
    def scores(self) -> dict[str, Score]:
        """What is measured, by name."""
        n_classes = len(self.labels)
        return (
            SCORES if n_classes > MOST_RANKED_CLASSES else SCORES | {"roc_auc": Ranking(_roc_auc, SHARE, cost=float(n_classes))}
        )

    def statistics(self, examples: Examples, answers: Choices) -> Statistics:
        """What each answer adds: one hit, one text of its class, one text called so, its log loss in nats."""
        if answers.labels != self.labels:
            raise ValueError("the answers are over other classes, or over the same in another order")
        true, said = self.encode(examples), answers.class_ids
        if len(true) != len(said):
            raise ValueError(f"{len(true)} true labels for {len(said)} answers")
        n_classes = len(self.labels)
        sums = {
            "hits": _one_hot(true, n_classes, where=true == said),
            "support": _one_hot(true, n_classes),
            "predicted": _one_hot(said, n_classes),
            "log_loss": metrics.log_losses(true, answers.probabilities),
            "rows": np.ones(len(true)),
        }
        columns = {"true": true, "probabilities": answers.probabilities} if n_classes <= MOST_RANKED_CLASSES else {}
        return Statistics(sums, columns, self.labels)

    def confusion(self, examples: Examples, answers: Choices) -> list[list[int]]:
        """[true class, predicted class, count] for every pair that occurs."""
        return metrics.confusion_cells(self.encode(examples), answers.class_ids, len(self.labels)).tolist()  # type: ignore[no-any-return]


def _roc_auc(columns: Any, weights: FloatArray) -> FloatArray:
    return metrics.roc_auc(columns["true"], columns["probabilities"], weights)


def _one_hot(classes: IntArray, n_classes: int, where: NDArray[np.bool_] | None = None) -> csr_array:
    """(n, K) sparse: 1 at the class of each row, or nothing."""
    from scipy.sparse import csr_array

    filled = np.ones(len(classes), dtype=bool) if where is None else where
    starts = np.concatenate([[0], np.cumsum(filled)])
    return csr_array((np.ones(int(filled.sum())), classes[filled], starts), shape=(len(classes), n_classes))


def balanced_weights(targets: IntArray, n_classes: int) -> FloatArray:
    """(K,) weights by the inverse of the class sizes, n / (K · size), as scikit-learn's "balanced": each class counts as much in
    all."""
    counts = np.bincount(targets, minlength=n_classes)
    n_present = int((counts > 0).sum())
    return np.asarray(len(targets) / (n_present * np.maximum(counts, 1)), dtype=np.float64)


def square_root_weights(targets: IntArray, n_classes: int) -> FloatArray:
    """(K,) weights by the inverse square root of the class sizes, with mean one over the rows.

    The square root is between no weights and full balance: full balance makes a rare class's few rows steer the model.
    """
    counts = np.maximum(np.bincount(targets, minlength=n_classes), 1).astype(np.float64)
    weights = 1.0 / np.sqrt(counts)
    return np.asarray(weights * counts.sum() / (weights * counts).sum(), dtype=np.float64)


def chosen_weights(setting: str, targets: IntArray, n_classes: int) -> FloatArray | None:
    """The class weights for `training.class_weights`: "none", "balanced", or "auto": by the square root where classes differ
    much."""
    if setting == "balanced":
        return balanced_weights(targets, n_classes)
    counts = np.bincount(targets, minlength=n_classes)
    counts = counts[counts > 0]
    needed = setting == "auto" and counts.max() > RARE_FACTOR * counts.min()
    return square_root_weights(targets, n_classes) if needed else None
