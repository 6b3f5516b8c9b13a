"""Is one predictor better than another? Asked on the same rows, so that what both find hard cancels out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from superfine import metrics
from superfine.evaluation.intervals import interval, resampled_counts, tallies
from superfine.records import FloatArray, IntArray, Interval, Predictions


@dataclass(frozen=True)
class Comparison:
    """Score of `a` minus score of `b`, per metric, with 95 % paired bootstrap intervals."""

    differences: dict[str, Interval]

    def distinguishable(self, metric: str = "accuracy") -> bool:
        """Whether the interval of the difference excludes zero."""
        return not self.differences[metric].holds_zero

    def to_json(self) -> dict[str, dict[str, float]]:
        return {name: difference.to_json() for name, difference in self.differences.items()}


def compare(true: IntArray, a: Predictions, b: Predictions, *, seed: int = 0, n_resamples: int = 1000) -> Comparison:
    """The paired difference of every confusion score. Both predictions must be of the rows behind `true`, in its order."""
    if a.labels != b.labels:
        raise ValueError("the predictions are over different classes, or over the same in another order")
    k = len(a.labels)
    # Cells of (truth, what a said, what b said): one draw over them resamples both with the same rows.
    cells, counts = np.unique((true * k + a.class_ids) * k + b.class_ids, return_counts=True)
    draws = [counts[None], *resampled_counts(counts, n_resamples, np.random.default_rng(seed))]
    truth = cells // (k * k)
    tally_a, tally_b = (tallies(draws, truth, said, k) for said in (cells // k % k, cells % k))
    of_a, of_b = tally_a.only(tally_a.occurring()), tally_b.only(tally_b.occurring())
    differences = {}
    for name, score in metrics.FROM_TALLY.items():
        difference: FloatArray = score(of_a) - score(of_b)
        differences[name] = interval(float(difference[0]), difference[1:])
    return Comparison(differences)
