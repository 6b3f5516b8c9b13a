"""What the rooms expect of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from superfine.records.answers import Answers
from superfine.records.arrays import FloatArray
from superfine.records.examples import Examples
from superfine.records.statistics import Evaluation


class Predictor(Protocol):
    """All that comes after training speaks to this, whether a network, a file or a baseline stands behind it."""

    redacts: bool
    opened_from: Any
    """Where its bundle lies, or None where there is none."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of what is told apart, in the order of the probabilities."""
        ...

    def predict_examples(self, examples: Examples, on_batch: Callable[[int], None] | None = None) -> Answers:
        """The answer for each example, in the order given. `on_batch` is called with how many more are done."""
        ...

    def predict(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> Answers:
        """The answers for texts, or for pairs of texts."""
        ...

    def predict_proba(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> FloatArray:
        """(n, K) the probabilities, columns in the order of `labels`. Raises TypeError where the answer has none."""
        ...

    def evaluate(self, texts: Sequence[str], labels: Sequence[Any], text_pairs: Sequence[str] | None = None) -> Evaluation:
        """The scores of n texts with their true labels, with 95 % intervals."""
        ...
