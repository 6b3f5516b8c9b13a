"""What each row adds to the scores, how a score is made of it, and what was measured.

A scored part is a table of statistics: one row for each text, and what it adds. A score is a function of the sums over the rows,
or of the rows themselves where it ranks them. So nothing that scores, resamples or compares needs to know what was learned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from superfine.records.arrays import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Bounds = tuple[float, float]
SHARE: Bounds = (0.0, 1.0)
UNBOUNDED: Bounds = (-np.inf, np.inf)
Totals = Mapping[str, FloatArray]
"""The sums over rows by name, each (..., k)."""
Terms = Mapping[str, float]
"""A weighted sum of named sums: `{"support": 1, "predicted": 1, "hits": -1}`."""


@dataclass(frozen=True)
class Statistics:
    """What n rows add to the scores.

    sums: by name, (n, k) dense, or a sparse array in rows where k is large. columns: by name, (n, ...), what ranking scores need
    of each row. labels: the names of the k columns that sums by label have.
    """

    sums: Mapping[str, FloatArray | csr_array]
    columns: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(next(iter(self.sums.values())).shape[0])

    def take(self, rows: IntArray) -> Self:
        """The statistics of these rows, in that order."""
        return replace(
            self,
            sums={name: block[rows] for name, block in self.sums.items()},
            columns={name: column[rows] for name, column in self.columns.items()},
        )


@dataclass(frozen=True)
class Ratio:
    """One sum over another: accuracy, recall of a class, mean loss. By column, or of all columns together (`pooled`).

    Without bounds it is a mean. With bounds (0, 1) it is a share: `numerator` counts some of what `denominator` counts. `shape`
    turns the share into the score, rising: F1 is `2 J / (1 + J)` of the share J of hits among the texts that are of a class or
    are called so. An undefined ratio is nan. rises: whether more is better.
    """

    numerator: Terms
    denominator: Terms
    bounds: Bounds = SHARE
    pooled: bool = False
    shape: Callable[[FloatArray], FloatArray] | None = None
    rises: bool = True

    def value(self, totals: Totals) -> FloatArray:
        """(..., k), or (...) where columns are pooled."""
        over, under = (self._sum(totals, terms) for terms in (self.numerator, self.denominator))
        ratio = np.divide(over, under, out=np.full(np.shape(over), np.nan), where=under != 0)
        return np.asarray(ratio if self.shape is None else self.shape(ratio))

    def _sum(self, totals: Totals, terms: Terms) -> FloatArray:
        total = weighted_sum(totals, terms)
        return np.asarray(total.sum(axis=-1) if self.pooled else total)


@dataclass(frozen=True)
class Mean:
    """The mean of a ratio over the columns that occur: macro F1, weighted recall.

    occurs: a sum that is positive for the columns that count; among these, an undefined ratio counts as 0, as in scikit-learn.
    weights: the sum by which columns are weighted, or None: all alike.
    """

    of: Ratio
    occurs: Terms
    weights: Terms | None = None

    @property
    def rises(self) -> bool:
        """Whether more is better."""
        return self.of.rises

    def value(self, totals: Totals, occurring: NDArray[np.bool_] | None = None) -> FloatArray:
        """(...) the mean over the last axis. occurring: (k,) the columns that count; absent: those that occur in each of the
        totals."""
        ratios = np.nan_to_num(self.of.value(totals), nan=0.0)
        weights = self.column_weights(totals, occurring)
        total = weights.sum(axis=-1)
        return np.asarray(
            np.divide((ratios * weights).sum(axis=-1), total, out=np.full(np.shape(total), np.nan), where=total > 0)
        )

    def occurring(self, totals: Totals) -> NDArray[np.bool_]:
        """(..., k) which columns count."""
        return np.asarray(weighted_sum(totals, self.occurs) > 0)

    def column_weights(self, totals: Totals, occurring: NDArray[np.bool_] | None = None) -> FloatArray:
        """(..., k) how much each column counts, before division by their sum."""
        occurring = self.occurring(totals) if occurring is None else np.broadcast_to(occurring, np.shape(self.occurring(totals)))
        return np.asarray(occurring * (1.0 if self.weights is None else weighted_sum(totals, self.weights)))


@dataclass(frozen=True)
class Function:
    """Any other function of the sums: (..., k) totals to (...) values. sums: the names of those it reads. rises: see `Ratio`."""

    value: Callable[[Totals], FloatArray]
    sums: tuple[str, ...]
    bounds: Bounds = UNBOUNDED
    rises: bool = True


@dataclass(frozen=True)
class Ranking:
    """A score that ranks rows: columns of n rows and (B, n) weights of the rows to (B,) values, undefined ones nan.

    cost: operations for each row and resample, beside which many resamples take too long.
    """

    value: Callable[[Mapping[str, Any], FloatArray], FloatArray]
    bounds: Bounds = UNBOUNDED
    cost: float = 1.0
    rises: bool = True


@dataclass(frozen=True)
class Count:
    """A sum by column as it is, a whole number: how many texts a class has."""

    of: str


Score = Ratio | Mean | Function | Ranking | Count


def bounds_of(score: Score) -> Bounds:
    """Between which numbers a score lies."""
    if isinstance(score, Count):
        return (0.0, np.inf)
    return score.of.bounds if isinstance(score, Mean) else score.bounds


def weighted_sum(totals: Mapping[str, Any], terms: Terms) -> Any:
    """The weighted sum of named arrays (or of rows of statistics) that `terms` describes."""
    parts = [totals[name] if factor == 1 else totals[name] * factor for name, factor in terms.items()]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


@dataclass(frozen=True)
class Interval:
    """A measured value between the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        """Whether zero lies inside; an end that touches zero holds it."""
        return self.low <= 0.0 <= self.high

    def to_json(self) -> dict[str, float | None]:
        """An end that is infinite, because one group or one row says nothing, is null: JSON has no word for it."""
        return {name: value if math.isfinite(value) else None for name, value in vars(self).items()}


@dataclass(frozen=True, repr=False)
class Evaluation:
    """What a predictor scores on n labelled texts.

    scores: by name. by_label: label to the scores of that label, None where nothing defines them, and counts. n_groups: how many
    groups of rows the intervals were made of, or None where rows stand alone.
    """

    n: int
    scores: Mapping[str, Interval]
    by_label: Mapping[str, Mapping[str, Interval | int | None]] = field(default_factory=dict)
    n_groups: int | None = None

    def __repr__(self) -> str:
        some = [f"{name} {score.value:.3f} ({score.low:.3f}–{score.high:.3f})" for name, score in list(self.scores.items())[:3]]
        return f"Evaluation({self.n} texts: {', '.join(some)}{', …' if len(self.scores) > len(some) else ''})"

    def _repr_html_(self) -> str:
        """The scores as a table, for notebooks."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{score.value:.4f}</td><td>{score.low:.4f} – {score.high:.4f}</td></tr>"
            for name, score in self.scores.items()
        )
        head = f"<tr><th>{self.n} texts</th><th>value</th><th>95 % interval</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"

    def to_json(self, *, by_label: bool = True) -> dict[str, Any]:
        """by_label: with the scores of each label, under `per_class`."""
        document: dict[str, Any] = {"n": self.n, **{name: score.to_json() for name, score in self.scores.items()}}
        if self.n_groups is not None:
            document["groups"] = self.n_groups
        if by_label and self.by_label:
            document["per_class"] = {
                label: {key: v.to_json() if isinstance(v, Interval) else v for key, v in scores.items()}
                for label, scores in self.by_label.items()
            }
        return document
