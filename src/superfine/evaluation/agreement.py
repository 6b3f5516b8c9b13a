"""How far two computations of one model lie apart, on the same texts: what a receipt says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from superfine.records import Answers, FloatArray, Values

MOVED = 0.1
"""Of the standard deviation of the model's numbers: a number that moves by more is another answer."""


@dataclass(frozen=True)
class Agreement:
    """n: texts. changed: those whose answer is another one; of numbers those that move by more than `MOVED`. largest, mean: the
    absolute difference of probabilities, or of numbers over their standard deviation where that is above 1; not finite where the
    second computation gives no number."""

    n: int
    changed: tuple[int, ...]
    largest: float
    mean: float

    @property
    def share_changed(self) -> float:
        return len(self.changed) / max(1, self.n)

    def to_json(self) -> dict[str, Any]:
        largest, mean = (value if np.isfinite(value) else None for value in (self.largest, self.mean))
        return {"texts": self.n, "largest": largest, "mean": mean, "changed": len(self.changed)}


def agreement(ours: FloatArray, theirs: FloatArray, answers: Sequence[Answers]) -> Agreement:
    """ours, theirs: (n, K) probabilities or numbers of both, or of all tokens, (tokens, K). answers: of both, for n texts."""
    first, second = answers
    gap = np.abs(np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64))
    if isinstance(first, Values) and isinstance(second, Values):
        gap = gap / max(1.0, float(np.std(ours)) if len(ours) else 1.0)
        moved = ~(np.abs(first.values - second.values) <= MOVED * first.values.std()) if len(first) else np.zeros(0, dtype=bool)
        changed = tuple(np.flatnonzero(moved).tolist())
    else:
        changed = tuple(i for i, (a, b) in enumerate(zip(first.label, second.label, strict=True)) if a != b)
    return Agreement(len(first), changed, float(gap.max(initial=0.0)), float(gap.mean()) if gap.size else 0.0)
