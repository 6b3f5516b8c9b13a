"""Bootstrap intervals (Efron 1979): resample the test rows with replacement and see how the score moves.

A score of counts needs no rows: drawing n rows with replacement draws the counts of the cells they fall into from a multinomial
distribution, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from superfine.metrics import Tally
from superfine.records import FloatArray, IntArray, Interval

CHUNK_CELLS = 4_000_000
Z_SQUARED = 1.96**2
Bounds = tuple[float, float]
SHARE: Bounds = (0.0, 1.0)
UNBOUNDED: Bounds = (-np.inf, np.inf)


def interval(value: float, samples: FloatArray, coverage: float = 0.95, bounds: Bounds = UNBOUNDED, n: int = 0) -> Interval:
    """The percentile interval of the resampled scores, moved so that their mean lies on the score itself.

    The move matters for means over classes with few texts: resamples lose some of these, and score lower for it. Undefined
    resamples (nan) are left out. A score at a bound in every resample (all right, all wrong) has no spread to resample; with
    `n` texts behind it, its other end is Wilson's (1927).
    """
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return Interval(value, value, value)
    if n and np.ptp(defined) == 0 and value in bounds:
        margin = (bounds[1] - bounds[0]) * Z_SQUARED / (n + Z_SQUARED)
        return Interval(value, value - margin, value) if value == bounds[1] else Interval(value, value, value + margin)
    tail = 100 * (1 - coverage) / 2
    low, high = np.percentile(defined, [tail, 100 - tail]) + (value - defined.mean())
    return Interval(value, float(min(value, max(low, bounds[0]))), float(max(value, min(high, bounds[1]))))


def resampled_counts(counts: IntArray, n_resamples: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """Chunks of (b, C): how many rows fall into each of C filled cells when `counts.sum()` rows are drawn again."""
    n = int(counts.sum())
    step = max(1, min(n_resamples, CHUNK_CELLS // max(1, len(counts))))
    for start in range(0, n_resamples, step):
        yield rng.multinomial(n, counts / n, size=min(step, n_resamples - start))


def tallies(draws: Sequence[IntArray], true: IntArray, predicted: IntArray, n_classes: int) -> Tally:
    """The tallies of draws (b, C) over cells that mean `true` (C,) and `predicted` (C,), stacked to (B, K)."""
    from scipy.sparse import csr_matrix

    cells = np.arange(len(true))

    def by_class(classes: IntArray, kept: IntArray) -> FloatArray:
        matrix = csr_matrix((np.ones(len(kept)), (kept, classes[kept])), shape=(len(true), n_classes))
        return np.concatenate([np.asarray((matrix.T @ chunk.T).T, dtype=np.float64) for chunk in draws])

    return Tally(by_class(true, cells[true == predicted]), by_class(true, cells), by_class(predicted, cells))


def row_weights(n: int, n_resamples: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Chunks of (b, n): how often each row is drawn in each resample."""
    step = max(1, min(n_resamples, CHUNK_CELLS // max(1, n)))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        weights = np.zeros((size, n))
        for b in range(size):
            weights[b] = np.bincount(rng.integers(0, n, n), minlength=n)
        yield weights
