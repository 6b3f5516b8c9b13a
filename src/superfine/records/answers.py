"""What a predictor answers, by the shape of the answer. Tables of columns with one row for each text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from superfine.records.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Choices:
    """One class of K for each of n texts.

    labels: the K class names, in the order of the columns of `probabilities`.
    probabilities: (n, K), each row sums to one.
    """

    row: IntArray
    labels: tuple[str, ...]
    probabilities: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        return replace(self, row=self.row[indices], probabilities=self.probabilities[indices])

    @property
    def class_ids(self) -> IntArray:
        """(n,) the index of the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def label(self) -> list[str]:
        """The name of the most probable class of each text."""
        return [self.labels[i] for i in self.class_ids]

    @property
    def confidence(self) -> FloatArray:
        """(n,) the probability of the most probable class."""
        return self.probabilities.max(axis=1) if len(self) else np.zeros(0)

    @staticmethod
    def column_names(labels: tuple[str, ...]) -> list[str]:
        """The names of `to_columns`, known before there is an answer."""
        return ["prediction", "confidence", *(f"p:{label}" for label in labels)]

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table: `prediction`, `confidence`, and `p:LABEL` for each class."""
        columns: dict[str, list[Any]] = {"prediction": self.label, "confidence": self.confidence.tolist()}
        return columns | {f"p:{label}": self.probabilities[:, k].tolist() for k, label in enumerate(self.labels)}

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each text, for JSON: `prediction`, `confidence`, and `probabilities` by class."""
        return [
            {"prediction": label, "confidence": float(confidence), "probabilities": dict(zip(self.labels, row, strict=True))}
            for label, confidence, row in zip(self.label, self.confidence, self.probabilities.tolist(), strict=True)
        ]
