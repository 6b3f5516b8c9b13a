"""Intervals of scores: closed forms for ratios, margins combined for means of ratios, percentiles of resamples for the rest.

All are of 95 %. Where rows belong to groups, the groups are the units: their number, not that of the rows, says how much is
known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from superfine.evaluation.units import Units
from superfine.records import SHARE, Bounds, FloatArray, Interval, Mean, Ratio, weighted_sum

COVERAGE = 0.95
NORMAL = 1.959963984540054
"""The normal quantile of 97.5 %."""
ROUNDING = 1e-12


class Parts(NamedTuple):
    """A ratio by column, each (k,): the ratio as it is and what `Ratio.shape` makes of it and of the ends of its interval.

    n: the number of rows that would tell as much, if each were on its own.
    """

    ratio: FloatArray
    value: FloatArray
    low: FloatArray
    high: FloatArray
    n: FloatArray
    defined: FloatArray


def wilson(share: FloatArray, n: FloatArray, quantile: FloatArray | float = NORMAL) -> tuple[FloatArray, FloatArray]:
    """The score interval of a share of n (Wilson 1927); with n of 0 it is all of (0, 1)."""
    share, n = np.broadcast_arrays(np.asarray(share, dtype=np.float64), np.asarray(n, dtype=np.float64))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        square = np.square(quantile)
        centre = (share + square / (2 * n)) / (1 + square / n)
        half = quantile / (1 + square / n) * np.sqrt(share * (1 - share) / n + square / (4 * n * n))
        known = (n > 0) & np.isfinite(square) & np.isfinite(half)
    low = np.where(known, np.where(share <= 0, 0.0, centre - half), 0.0)
    high = np.where(known, np.where(share >= 1, 1.0, centre + half), 1.0)
    return np.clip(low, 0.0, share), np.clip(high, share, 1.0)


def student(n_units: FloatArray | float) -> FloatArray:
    """Student's quantile of 97.5 % for a variance estimated from that many groups; infinite for one."""
    from scipy.stats import t

    degrees = np.asarray(n_units, dtype=np.float64) - 1
    return np.where(degrees > 0, t.ppf((1 + COVERAGE) / 2, np.maximum(degrees, 1)), np.inf)


def expansion(units: Units) -> float:
    """The factor by which percentiles of resampled groups are too near the value (Hesterberg 2015); 1 without groups."""
    if units.n_groups is None:
        return 1.0
    return float(student(len(units)) / NORMAL * np.sqrt(len(units) / max(1, len(units) - 1)))


def ratio_parts(score: Ratio, units: Units) -> Parts:
    """The ratio of each column with its interval.

    A share has Wilson's interval for as many rows as its variance over the units is worth (Korn and Graubard 1998): all of them
    where rows stand alone, fewer where those of a group are alike. A mean has value ± quantile · standard error.
    """
    over, under = _unit_terms(score, units)
    total, n = _sum(over), _sum(under)
    defined = n != 0
    ratio = np.divide(total, n, out=np.zeros_like(total), where=defined)
    residual = _product(over, over) - 2 * ratio * _product(over, under) + np.square(ratio) * _product(under, under)
    variance = np.divide(np.maximum(residual, 0), np.square(n), out=np.zeros_like(total), where=defined)
    # Where all units have the same ratio, what is left is rounding.
    variance = np.where(variance > ROUNDING * np.abs(ratio) / np.maximum(np.abs(n), 1), variance, 0.0)
    contributing = _count(under)
    quantile: FloatArray = np.full(len(n), NORMAL)
    if units.n_groups is not None:
        quantile = student(contributing)
        variance = variance * np.divide(contributing, contributing - 1, out=np.ones_like(n), where=contributing > 1)
    if score.bounds != SHARE:
        known = (contributing > 1) & np.isfinite(quantile)
        half = np.where(known, quantile, 0.0) * np.sqrt(variance)
        low = np.where(known, np.maximum(ratio - half, score.bounds[0]), score.bounds[0])
        high = np.where(known, np.minimum(ratio + half, score.bounds[1]), score.bounds[1])
        return Parts(ratio, ratio, low, high, contributing, defined)
    worth = np.divide(ratio * (1 - ratio), variance, out=np.minimum(n, contributing), where=variance > 0)
    worth = np.minimum(worth, n)
    low, high = wilson(ratio, worth, quantile)
    shape = score.shape or (lambda share: share)
    return Parts(ratio, shape(ratio), shape(low), shape(high), worth, defined)


def ratio_intervals(score: Ratio, units: Units) -> list[Interval | None]:
    """One for each column, None where nothing defines the ratio."""
    parts = ratio_parts(score, units)
    rows = zip(parts.value, parts.low, parts.high, parts.defined, strict=True)
    return [Interval(float(value), float(low), float(high)) if defined else None for value, low, high, defined in rows]


def mean_interval(score: Mean, value: float, units: Units, bias: float) -> Interval:
    """The interval of a mean of shares over columns, from the margins of its parts and their correlation (Zou and Donner 2008).

    Percentiles of resamples are too narrow where columns have few rows: one that was right four times in four varies in none of
    them. A part's margin is Wilson's, and at least that of the share with two rows added of either outcome (Agresti and Coull
    1998). bias: of the mean over resamples; a mean over columns with few rows is biased, and the interval reaches that much
    further to its side.
    """
    parts = ratio_parts(score.of, units)
    totals = units.totals()
    weights = np.asarray(score.column_weights(totals), dtype=np.float64)
    weights = weights / max(weights.sum(), 1e-300)
    shape = score.of.shape or (lambda share: share)
    smooth = (parts.ratio * parts.n + 2) / (parts.n + 4)
    deviation = np.sqrt(smooth * (1 - smooth) / (parts.n + 4))
    quantile = NORMAL if units.n_groups is None else float(student(len(units)))
    if not np.isfinite(quantile):
        return Interval(value, *score.of.bounds)
    least = quantile * (shape(np.minimum(smooth + deviation, 1.0)) - shape(np.maximum(smooth - deviation, 0.0))) / 2
    over, under = _unit_terms(score.of, units)
    below, above = (
        _combined(np.nan_to_num(np.maximum(margin, least) * weights, posinf=1.0), over, under, parts)
        for margin in (parts.value - parts.low, parts.high - parts.value)
    )
    low, high = value - below - max(bias, 0.0), value + above + max(-bias, 0.0)
    return Interval(value, float(max(low, score.of.bounds[0])), float(min(high, score.of.bounds[1])))


def _combined(margins: FloatArray, over: Any, under: Any, parts: Parts) -> float:
    """The margin of a sum from those of its parts (k,), which vary together as their residuals over the units do."""
    n = np.maximum(_sum(under), 1e-300)
    residual = _product(over, over) - 2 * parts.ratio * _product(over, under) + np.square(parts.ratio) * _product(under, under)
    deviation = np.sqrt(np.maximum(residual, 0.0)) / n
    varies = deviation > 1e-12
    scale = np.divide(margins, deviation * n, out=np.zeros_like(margins), where=varies)
    along = np.asarray(over @ scale) - np.asarray(under @ (parts.ratio * scale))
    return float(np.sqrt(np.square(along).sum() + np.square(margins[~varies]).sum()))


def percentile_interval(
    value: float, samples: FloatArray, *, n: int, bounds: Bounds, factor: float = 1.0, coverage: float = COVERAGE
) -> Interval:
    """The percentiles of the resampled scores, `factor` times as far from the value. Undefined resamples (nan) are left out.

    A score at a bound in every resample (all right, all wrong) has no spread to resample: its other end is Wilson's for n units.
    """
    defined = samples[~np.isnan(samples)]
    if not np.isfinite(factor):
        return Interval(value, *bounds)
    if not len(defined) or not np.isfinite(value):
        return Interval(value, value, value)
    if n < 2:
        return Interval(value, *bounds)
    if np.ptp(defined) == 0 and value in bounds:
        low, high = wilson(np.asarray(float(value == bounds[1])), np.asarray(float(n)))
        span = bounds[1] - bounds[0]
        return Interval(value, bounds[0] + span * float(low), bounds[0] + span * float(high))
    tail = 100 * (1 - coverage) / 2
    low, high = value + factor * (np.percentile(defined, [tail, 100 - tail]) - value)
    return Interval(value, float(min(value, max(low, bounds[0]))), float(max(value, min(high, bounds[1]))))


def _unit_terms(score: Ratio, units: Units) -> tuple[Any, Any]:
    """Numerator and denominator of each unit, (units, k), one column where they are pooled."""
    over, under = (weighted_sum(units.sums, terms) for terms in (score.numerator, score.denominator))
    if score.pooled:
        return tuple(np.asarray(block.sum(axis=1)).reshape(-1, 1) for block in (over, under))  # type: ignore[return-value]
    return over, under


def _sum(block: Any) -> FloatArray:
    return np.asarray(block.sum(axis=0), dtype=np.float64).ravel()


def _product(a: Any, b: Any) -> FloatArray:
    """(k,) the sum over units of a · b, dense or sparse."""
    return _sum(a.multiply(b) if hasattr(a, "multiply") else a * b)


def _count(block: Any) -> FloatArray:
    """(k,) in how many units the block is not zero."""
    return _sum(block != 0)
