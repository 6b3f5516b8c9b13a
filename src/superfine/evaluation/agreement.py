"""How far two computations of one model lie apart, on the same texts: what a receipt says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from superfine.records import Answers, FloatArray, Values


@dataclass(frozen=True)
class Agreement:
    """n: texts. changed: (n,) whose answer is another one, or None where answers are numbers. largest, mean: the absolute
    difference of probabilities, or of numbers in units of what the first computation's vary by."""

    n: int
    changed: tuple[int, ...] | None
    largest: float
    mean: float

    @property
    def share_changed(self) -> float:
        return len(self.changed or ()) / max(1, self.n)

    def to_json(self) -> dict[str, Any]:
        n_changed = None if self.changed is None else len(self.changed)
        return {"texts": self.n, "largest": self.largest, "mean": self.mean, "changed": n_changed}


def agreement(ours: FloatArray, theirs: FloatArray, answers: Sequence[Answers]) -> Agreement:
    """ours, theirs: (n, K) probabilities or numbers of both, or of all tokens, (tokens, K). answers: of both, for n texts."""
    first, second = answers
    gap = np.abs(np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64))
    if isinstance(first, Values):
        gap = gap / max(1.0, float(np.std(ours)))
    changed = None
    if not isinstance(first, Values):
        changed = tuple(i for i, (a, b) in enumerate(zip(first.label, second.label, strict=True)) if a != b)
    return Agreement(len(first), changed, float(gap.max(initial=0.0)), float(gap.mean()) if gap.size else 0.0)
