"""Where a score is lower than elsewhere, beyond chance, after all the looks that were taken.

Each candidate is a set of rows. Where a row is right or wrong, the test is Fisher's exact one (1935), one-sided; else, and where
rows belong to groups, the difference of means over its standard error, with groups as the units. The p-values are adjusted for
the number of candidates (Holm 1979).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superfine.evaluation.multiple_testing import holm
from superfine.evaluation.units import Units
from superfine.records import SHARE, FloatArray, IntArray, Ratio, Score, Statistics, weighted_sum

BoolArray = NDArray[np.bool_]
SIGNIFICANCE = 0.05
FEWEST_ROWS = 20
"""Smaller sets of rows are not looked at: nothing could be told of them."""
MOST_SHARE = 0.7
"""Larger ones are nearly everything."""


@dataclass(frozen=True)
class Slice:
    """Some of the rows: what they have in common (`by`, `name`), and which they are (n,)."""

    by: str
    name: str
    rows: BoolArray


@dataclass(frozen=True)
class WeakSlice:
    """A slice that scores lower than the other rows. p: adjusted for all that were looked at."""

    by: str
    name: str
    n: int
    inside: float
    elsewhere: float
    p: float

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


def row_scores(statistics: Statistics, scores: Mapping[str, Score], main: str) -> tuple[str, FloatArray] | None:
    """A score that is the share of rows which are right, and whether each is (n,): the main one, or the first of that kind; None
    where none is."""
    for name in (main, *scores):
        score = scores[name]
        if (
            not isinstance(score, Ratio)
            or not score.pooled
            or score.bounds != SHARE
            or score.shape is not None
            or not score.rises
        ):
            continue
        over, under = (_by_row(weighted_sum(statistics.sums, terms)) for terms in (score.numerator, score.denominator))
        if (under == 1).all() and np.isin(over, (0.0, 1.0)).all():
            return name, over
    return None


def _by_row(block: Any) -> FloatArray:
    """(n,) the sum over columns, dense or sparse."""
    return np.asarray(block.sum(axis=1) if block.ndim > 1 else block, dtype=np.float64).ravel()


def weak_slices(values: FloatArray, candidates: Sequence[Slice], groups: Sequence[str] | None = None) -> list[WeakSlice]:
    """The candidates whose rows score lower than the others, the surest first. values: (n,) that of each row, more is better."""
    n = len(values)
    looked_at = [
        one for one in candidates if FEWEST_ROWS <= (size := int(one.rows.sum())) <= MOST_SHARE * n and n - size >= FEWEST_ROWS
    ]
    if not looked_at:
        return []
    masks = np.stack([one.rows for one in looked_at])
    is_binary = bool(np.isin(values, (0.0, 1.0)).all())
    p = _fisher(values, masks) if is_binary and groups is None else _mean_test(values, masks, groups)
    adjusted = holm(p)
    found = [
        WeakSlice(
            one.by,
            one.name,
            int(one.rows.sum()),
            float(values[one.rows].mean()),
            float(values[~one.rows].mean()),
            float(adjusted[k]),
        )
        for k, one in enumerate(looked_at)
        if adjusted[k] <= SIGNIFICANCE
    ]
    return sorted(found, key=lambda one: one.p)


def _fisher(values: FloatArray, masks: BoolArray) -> FloatArray:
    """(m,) the chance of so many wrong ones in a slice, or more, if the wrong ones were spread over all rows."""
    from scipy.stats import hypergeom

    wrong = values == 0
    inside = np.array([int(wrong[mask].sum()) for mask in masks])
    return np.asarray(hypergeom.sf(inside - 1, len(values), int(wrong.sum()), masks.sum(axis=1)))


def _mean_test(values: FloatArray, masks: BoolArray, groups: Sequence[str] | None) -> FloatArray:
    """(m,) by the normal distribution, the standard error from the sums over units."""
    from scipy.stats import norm

    units = np.arange(len(values)) if groups is None else _units(groups)
    centred, found = values - values.mean(), np.ones(len(masks))
    for k, mask in enumerate(masks):
        by_unit = np.bincount(units, centred * (mask - mask.mean()))
        error = float(np.sqrt(np.square(by_unit).sum()))
        found[k] = norm.cdf(by_unit.sum() / error) if error > 0 else 1.0
    return found


def _units(groups: Sequence[str]) -> IntArray:
    rows = Statistics({"rows": np.ones(len(groups))})
    return Units.of(rows, groups).of_row
