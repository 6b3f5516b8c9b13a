"""What is done with the probabilities of classes, beyond naming the largest: decide by costs, leave to a person, name a set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from superfine.records.arrays import FloatArray, IntArray

ABSTAIN = ""
"""The decision that a person decides."""


@dataclass(frozen=True, eq=False)
class Costs:
    """choices: what can be decided: classes, and others such as "review". matrix: (K, D) what each choice costs for texts of each
    class."""

    choices: tuple[str, ...]
    matrix: FloatArray

    def best(self, probabilities: FloatArray) -> IntArray:
        """(n,) the choice with the least expected cost (Elkan 2001)."""
        return np.asarray((probabilities @ self.matrix).argmin(axis=1), dtype=np.int64)


@dataclass(frozen=True)
class Decisions:
    """answers_from: the confidence from which on an answer stands by itself; above 1 where none does, None where all do.
    set_from: the probability from which on a class is in the set of a text; None where no sets are wanted."""

    answers_from: float | None = None
    costs: Costs | None = None
    set_from: float | None = None

    def decided(self, labels: tuple[str, ...], probabilities: FloatArray, said: IntArray) -> list[str]:
        """The decision for each text, `ABSTAIN` where it is left to a person. said: (n,) the class that is said of each."""
        choices = labels if self.costs is None else self.costs.choices
        best = said if self.costs is None else self.costs.best(probabilities)
        answers = self.answered(probabilities[np.arange(len(said)), said])
        return [choices[i] if answered else ABSTAIN for i, answered in zip(best.tolist(), answers.tolist(), strict=True)]

    def answered(self, confidence: FloatArray) -> NDArray[np.bool_]:
        """(n,) whether each answer stands by itself."""
        return np.asarray(confidence >= (-1.0 if self.answers_from is None else self.answers_from))

    def in_set(self, probabilities: FloatArray) -> NDArray[np.bool_]:
        """(n, K) which classes a text may have; the most probable one always."""
        inside = probabilities >= (self.set_from or 0.0)
        inside[np.arange(len(inside)), probabilities.argmax(axis=1)] = True
        return inside

    def sets(self, labels: tuple[str, ...], probabilities: FloatArray) -> list[list[str]]:
        """The classes that a text may have, the most probable first."""
        order = np.argsort(-probabilities, axis=1, kind="stable")
        inside = np.take_along_axis(self.in_set(probabilities), order, axis=1)
        return [[labels[k] for k in row[mask]] for row, mask in zip(order, inside, strict=True)]
