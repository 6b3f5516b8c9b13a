"""Is one predictor better than another? Asked on the same rows, so that what both find hard cancels out.

The verdict is a test: were the two alike, then which of them gave which answer to a row would be a toss of a coin. So rows, or
groups of them, are swapped between the two at random, and the difference counts if few such swaps give one as large (Edgington
1969). For accuracy without groups that is McNemar's exact test (1947). The size of the difference is a paired bootstrap
interval.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from superfine.evaluation import N_RESAMPLES
from superfine.evaluation.evaluate import sums_of
from superfine.evaluation.intervals import NORMAL, expansion, percentile_interval, student
from superfine.evaluation.units import Cells, Units, named_sums, row_weights
from superfine.records import (
    SHARE,
    Count,
    FloatArray,
    Function,
    Interval,
    Mean,
    Ranking,
    Ratio,
    Score,
    Statistics,
    bounds_of,
    weighted_sum,
)

BoolArray = NDArray[np.bool_]
SIGNIFICANCE = 0.05
SHOWN = 0.0005
"""A share below this is shown as 0.0 points, and a verdict beside that would contradict what is shown."""
MOST_ENUMERATED = 12
"""Of up to so many units that differ, every swap is tried, instead of some at random."""
MOST_RANKED = 20_000_000
"""Rows times cost times resamples that the comparison of a ranking score may cost; dearer ones are left out."""

Summed = Ratio | Mean | Function
"""Scores that are functions of sums."""
Outcome = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class Comparison:
    """Score of `a` minus score of `b`, by name, with 95 % paired intervals.

    p_values: two-sided, of the swap test. mid_p: McNemar's, of accuracy without groups (ties count half), or None.
    main: the score that decides. adjusted_p: that of the main score for all the comparisons that were made, or None: there
    is this one alone.
    """

    differences: Mapping[str, Interval]
    p_values: Mapping[str, float]
    main: str
    mid_p: float | None = None
    shares: frozenset[str] = field(default_factory=frozenset)
    adjusted_p: float | None = None

    @property
    def outcome(self) -> Outcome:
        """Whether `a` is better or worse by the main score: only where the test says so and the interval shown beside it too."""
        difference = self.differences.get(self.main)
        if difference is None:
            return "undecided"
        nearest = difference.low if difference.value > 0 else -difference.high
        least = SHOWN if self.main in self.shares else 0.0
        p = self.p_values[self.main] if self.adjusted_p is None else self.adjusted_p
        if p > SIGNIFICANCE or difference.holds_zero or nearest < least:
            return "undecided"
        return "better" if difference.value > 0 else "worse"

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            name: {**difference.to_json(), "p": self.p_values[name]} for name, difference in self.differences.items()
        }
        if self.mid_p is not None:
            document["mid_p"] = self.mid_p
        if self.adjusted_p is not None:
            document["adjusted_p"] = self.adjusted_p
        return {**document, "main": self.main, "outcome": self.outcome}


def compare(
    a: Statistics,
    b: Statistics,
    scores: Mapping[str, Score],
    groups: Sequence[str] | None = None,
    *,
    main: str,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
) -> Comparison:
    """The paired difference of every score that has one value. Both tables must be of the same rows in the same order.

    groups: (n,) rows with the same name are drawn, and swapped, together.
    """
    if len(a) != len(b) or a.labels != b.labels:
        raise ValueError("the two tables are not of the same rows and labels")
    of_a, of_b = Units.of(a, groups), Units.of(b, groups)
    found: dict[str, tuple[Interval, float]] = {}
    shares: set[str] = set()
    for name, score in scores.items():
        if isinstance(score, Count) or (isinstance(score, Ratio) and not score.pooled and a.labels):
            continue
        if isinstance(score, Ranking):
            compared = _compare_rankings(score, a, b, of_a, seed, n_resamples)
        elif isinstance(score, Ratio) and score.bounds != SHARE:
            compared = _compare_means(score, of_a, of_b, seed, n_resamples)
        else:
            compared = _compare_sums(score, of_a, of_b, seed, n_resamples)
        if compared is not None:
            found[name] = compared
            shares |= {name} if bounds_of(score) == SHARE else set()
    return Comparison(
        {name: interval for name, (interval, _) in found.items()},
        {name: p for name, (_, p) in found.items()},
        main,
        mcnemar_mid_p(scores[main], of_a, of_b),
        frozenset(shares),
    )


def _compare_sums(score: Summed, a: Units, b: Units, seed: int, n_resamples: int) -> tuple[Interval, float] | None:
    """For a function of sums: percentiles of paired resamples, and the swap test."""
    names = sums_of(score)
    cells = _paired_cells(names, a, b)
    value = float(_difference(score, names, cells.totals(cells.counts[None]))[0])
    if not np.isfinite(value):
        return None
    draws = _draws(score, names, cells, seed, n_resamples)
    interval = percentile_interval(value, draws, n=len(a), bounds=(-np.inf, np.inf), factor=expansion(a))
    exact = mcnemar(score, a, b)
    return interval, exact if exact is not None else _swap_test(score, names, cells, value, seed, n_resamples)


def _paired_cells(names: list[str], a: Units, b: Units) -> Cells:
    return Cells.of(named_sums(a, names, "a ") | named_sums(b, names, "b "))


def _draws(score: Summed, names: list[str], cells: Cells, seed: int, n_resamples: int) -> FloatArray:
    return np.concatenate([_difference(score, names, totals) for totals in cells.resampled_totals(n_resamples, seed)])


def paired_draws(score: Score, a: Units, b: Units, seed: int, n_resamples: int) -> FloatArray | None:
    """(n_resamples,) the score of `a` minus that of `b` when the same units are drawn for both; None where it is no function of
    sums."""
    if isinstance(score, Ranking | Count):
        return None
    names = sums_of(score)
    return _draws(score, names, _paired_cells(names, a, b), seed, n_resamples)


def _difference(score: Summed, names: list[str], totals: Mapping[str, FloatArray]) -> FloatArray:
    of_a, of_b = ({name: totals[f"{side} {name}"] for name in names} for side in "ab")
    return np.asarray(score.value(of_a) - score.value(of_b))


def _swap_test(score: Summed, names: list[str], cells: Cells, value: float, seed: int, n_swaps: int) -> float:
    """The share of swaps after which the difference is at least as large; the observed one counts as one of them."""
    differing = np.flatnonzero(_differ(cells, names))
    parts = Cells({name: block[differing] for name, block in cells.sums.items()}, cells.counts[differing])
    whole = cells.totals(cells.counts[None])

    def swapped(moved: Mapping[str, FloatArray]) -> FloatArray:
        totals = {}
        for name in names:
            a, b = f"a {name}", f"b {name}"
            change = moved[b] - moved[a]
            totals[a], totals[b] = whole[a] + change, whole[b] - change
        return _difference(score, names, totals)

    if not len(differing):
        return 1.0
    n_units = int(parts.counts.sum())
    if n_units <= MOST_ENUMERATED:
        patterns = (np.arange(2**n_units)[:, None] >> np.arange(n_units)) & 1
        single = Cells(
            {name: block[np.repeat(np.arange(len(parts.counts)), parts.counts)] for name, block in parts.sums.items()},
            np.ones(n_units, dtype=np.int64),
        )
        return float(np.mean(_as_large(swapped(single.totals(patterns)), value)))
    large = sum(int(_as_large(swapped(moved), value).sum()) for moved in parts.swapped_totals(n_swaps, seed + 1))
    return (1 + large) / (1 + n_swaps)


def _as_large(differences: FloatArray, value: float) -> BoolArray:
    return np.abs(differences) >= abs(value) - 1e-12


def _differ(cells: Cells, names: list[str]) -> BoolArray:
    """(cells,) whether the two sides add anything else."""
    differ = np.zeros(len(cells.counts), dtype=bool)
    for name in names:
        change = abs(cells.sums[f"a {name}"] - cells.sums[f"b {name}"])
        differ |= np.asarray(change.sum(axis=1)).ravel() > 0
    return differ


def discordant_rows(score: Score, a: Units, b: Units) -> tuple[int, int] | None:
    """How many rows count for `a` alone and for `b` alone, where the score is a share of rows that stand alone; else None."""
    if not isinstance(score, Ratio) or not score.pooled or score.bounds != SHARE or a.n_groups is not None:
        return None
    over = [np.asarray(weighted_sum(units.sums, score.numerator).sum(axis=1)).ravel() for units in (a, b)]
    under = [np.asarray(weighted_sum(units.sums, score.denominator).sum(axis=1)).ravel() for units in (a, b)]
    change = over[0] - over[1]
    if not (np.array_equal(under[0], under[1]) and np.ptp(under[0]) == 0 and np.isin(change, (-1, 0, 1)).all()):
        return None
    return int((change > 0).sum()), int((change < 0).sum())


def mcnemar(score: Score, a: Units, b: Units) -> float | None:
    """The exact two-sided p of McNemar's test, or None where the score is not a share of rows that stand alone."""
    discordant = discordant_rows(score, a, b)
    return None if discordant is None else _binomial(*discordant)


def mcnemar_mid_p(score: Score, a: Units, b: Units) -> float | None:
    """The same with the observed table counted half (Lancaster 1961)."""
    discordant = discordant_rows(score, a, b)
    return None if discordant is None else _binomial(*discordant, observed=0.5)


def _binomial(for_a: int, for_b: int, observed: float = 1.0) -> float:
    """Twice the chance of at most the smaller of two counts when each is one side of fair tosses, the smaller itself times
    `observed`."""
    from scipy.stats import binom

    n, fewer = for_a + for_b, min(for_a, for_b)
    if n == 0:
        return 1.0
    tail = binom.cdf(fewer - 1, n, 0.5) + observed * binom.pmf(fewer, n, 0.5)
    if for_a == for_b:  # both tails hold the observed table, which counts once
        return float(1.0 - (1.0 - observed) * binom.pmf(fewer, n, 0.5))
    return float(min(1.0, 2 * tail))


def _compare_means(score: Ratio, a: Units, b: Units, seed: int, n_swaps: int) -> tuple[Interval, float] | None:
    """For an unbounded mean: value ± quantile · standard error of the paired difference, and the swap test."""
    value, effect, share = 0.0, np.zeros(len(a)), np.zeros(len(a))
    for units, sign in ((a, 1.0), (b, -1.0)):
        terms = (score.numerator, score.denominator)
        over, under = (np.asarray(weighted_sum(units.sums, part).sum(axis=1)).ravel() for part in terms)
        if not under.sum():
            return None
        ratio = over.sum() / under.sum()
        value += sign * ratio
        effect += sign * (over - ratio * under) / under.sum()
        share += sign * over / under.sum()
    quantile = NORMAL if a.n_groups is None else float(student(len(a)))
    half = quantile * float(np.sqrt(np.square(effect).sum())) if len(effect) > 1 else np.inf
    half = 0.0 if np.isnan(half) else half
    # Swapping a unit turns the sign of its share in the difference.
    rng, large = np.random.default_rng(seed + 1), 0
    for _ in range(n_swaps):
        signs = rng.integers(0, 2, len(share)) * 2 - 1
        large += abs(float(signs @ share)) >= abs(value) - 1e-12
    return Interval(value, value - half, value + half), (1 + large) / (1 + n_swaps)


def _compare_rankings(
    score: Ranking, a: Statistics, b: Statistics, units: Units, seed: int, n_resamples: int
) -> tuple[Interval, float] | None:
    """For a score that ranks rows: the same by weights and swaps of rows, where that takes seconds."""
    one = np.ones((1, len(a)))
    if len(a) * score.cost * n_resamples > MOST_RANKED:
        return None
    value = float((score.value(a.columns, one) - score.value(b.columns, one))[0])
    if not np.isfinite(value):
        return None
    draws = [score.value(a.columns, w) - score.value(b.columns, w) for w in row_weights(units, n_resamples, seed)]
    interval = percentile_interval(value, np.concatenate(draws), n=len(units), bounds=(-np.inf, np.inf), factor=expansion(units))
    rng, large = np.random.default_rng(seed + 1), 0
    for _ in range(n_resamples):
        turned = (rng.random(len(units)) < 0.5)[units.of_row]
        mixed_a, mixed_b = _mixed(a, b, turned), _mixed(b, a, turned)
        large += abs(float((score.value(mixed_a, one) - score.value(mixed_b, one))[0])) >= abs(value) - 1e-12
    return interval, (1 + large) / (1 + n_resamples)


def _mixed(a: Statistics, b: Statistics, turned: BoolArray) -> dict[str, Any]:
    """The columns of `a`, with the rows of `b` where turned."""
    return {
        name: np.where(turned.reshape(-1, *[1] * (column.ndim - 1)), b.columns[name], column)
        for name, column in a.columns.items()
    }
