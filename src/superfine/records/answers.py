"""What a predictor answers, by the shape of the answer. Tables of columns with one row for each text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from superfine.records.arrays import FloatArray, IntArray


class Answers(Protocol):
    """What all shapes have in common."""

    @property
    def row(self) -> IntArray:
        """(n,) the rows of the user's file."""
        ...

    @property
    def label(self) -> list[Any]:
        """What is said of each text."""
        ...

    @property
    def confidence(self) -> FloatArray | None:
        """(n,) how sure each answer is, from 0 to 1, or None where nothing tells."""
        ...

    def __len__(self) -> int: ...

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        ...

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table, `prediction` first."""
        ...

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each text, for JSON, with its `prediction`."""
        ...


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
