"""The scores of a set of answers, each with its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from superfine.evaluation import N_RESAMPLES
from superfine.evaluation.intervals import NORMAL, expansion, mean_interval, percentile_interval, ratio_intervals
from superfine.evaluation.units import Cells, Units, named_sums, row_weights
from superfine.records import SHARE, Count, Evaluation, FloatArray, Function, Interval, Mean, Ranking, Ratio, Score, Statistics

MOST_OPERATIONS = 300_000_000
"""What the resamples of a ranking score may cost: with more rows it gets fewer of them (but never under 200)."""


def evaluate(
    statistics: Statistics,
    scores: Mapping[str, Score],
    groups: Sequence[str] | None = None,
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Evaluation:
    """Score a table of statistics. Ratios by column give a score for each of its labels.

    groups: (n,) rows with the same name are drawn together. The intervals say how much a score would move with another test part
    of the same size; they do not hold the variation between training runs. Scores that nothing defines are left out.
    """
    units = Units.of(statistics, groups)
    resampled = resampled_scores(units, scores, seed, n_resamples) if len(statistics) else {}
    totals = units.totals()
    found: dict[str, Interval] = {}
    by_label: dict[str, dict[str, Interval | int | None]] = {label: {} for label in statistics.labels}
    for name, score in scores.items():
        if isinstance(score, Count):
            for label, count in zip(statistics.labels, totals[score.of], strict=True):
                by_label[label][name] = int(count)
        elif isinstance(score, Ratio) and not score.pooled and statistics.labels:
            for label, interval in zip(statistics.labels, ratio_intervals(score, units), strict=True):
                by_label[label][name] = interval
        elif (one := _interval(score, statistics, units, totals, resampled.get(name), seed, n_resamples)) is not None:
            found[name] = one
    return Evaluation(len(statistics), found, by_label, units.n_groups)


def with_standard_error(statistics: Statistics, score: Score) -> tuple[float, float]:
    """The value of a score and its standard error; nan and 0 where nothing defines it.

    Of a share of rows the error is that of the share with two rows added of either outcome (Agresti and Coull 1998): all right is
    not certain. Of other scores it is what the width of the interval says.
    """
    if isinstance(score, Ratio) and score.pooled and score.bounds == SHARE and score.shape is None:
        totals, n = Units.of(statistics).totals(), len(statistics)
        value = float(score.value(totals))
        share = (value * n + 2) / (n + 4)
        return value, float(np.sqrt(share * (1 - share) / max(1, n)))
    found = evaluate(statistics, {"score": score}, n_resamples=200).scores.get("score")
    return (float("nan"), 0.0) if found is None else (found.value, (found.high - found.low) / (2 * NORMAL))


def _interval(
    score: Ratio | Mean | Function | Ranking,
    statistics: Statistics,
    units: Units,
    totals: Mapping[str, FloatArray],
    samples: FloatArray | None,
    seed: int,
    n_resamples: int,
) -> Interval | None:
    """The score with its interval, or None where it is undefined. samples: resampled values, where the score is one of sums."""
    if isinstance(score, Ratio):
        return ratio_intervals(score, units)[0]
    if isinstance(score, Ranking):
        value = float(score.value(statistics.columns, np.ones((1, len(statistics))))[0]) if len(statistics) else np.nan
        if not np.isfinite(value):
            return None
        affordable = max(200, min(n_resamples, int(MOST_OPERATIONS / max(1.0, len(statistics) * score.cost))))
        samples = np.concatenate([score.value(statistics.columns, w) for w in row_weights(units, affordable, seed)])
        return percentile_interval(value, samples, n=len(units), bounds=score.bounds, factor=expansion(units))
    value = float(score.value(totals))
    if samples is None or not np.isfinite(value):
        return None
    if isinstance(score, Mean):
        return mean_interval(score, value, units, bias=float(np.nanmean(samples)) - value)
    return percentile_interval(value, samples, n=len(units), bounds=score.bounds, factor=expansion(units))


def resampled_scores(units: Units, scores: Mapping[str, Score], seed: int, n_resamples: int) -> dict[str, FloatArray]:
    """(n_resamples,) values of every score that is a function of sums and has no closed interval."""
    wanted = {name: score for name, score in scores.items() if isinstance(score, Mean | Function)}
    if not wanted:
        return {}
    cells = Cells.of(named_sums(units, (name for score in wanted.values() for name in sums_of(score))))
    found: dict[str, list[Any]] = {name: [] for name in wanted}
    whole = units.totals()
    # A column that a resample has lost counts as 0 there: what a test part without some rare class would show.
    occurring = {name: score.occurring(whole) for name, score in wanted.items() if isinstance(score, Mean)}
    for totals in cells.resampled_totals(n_resamples, seed):
        for name, score in wanted.items():
            found[name].append(score.value(totals, occurring[name]) if isinstance(score, Mean) else score.value(totals))
    return {name: np.concatenate(values) for name, values in found.items()}


def sums_of(score: Score) -> list[str]:
    """The names of the sums that a score reads."""
    if isinstance(score, Ratio):
        return [*score.numerator, *score.denominator]
    if isinstance(score, Mean):
        return [*sums_of(score.of), *score.occurs, *(score.weights or {})]
    return list(score.sums) if isinstance(score, Function) else []
