"""Bootstrap intervals (Efron 1979): resample the test rows with replacement and see how the score moves.

A score of the confusion matrix needs no rows: drawing n rows with replacement draws the matrix from a multinomial
distribution over its cells, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from superfine.records import FloatArray, IntArray, Interval

CHUNK_CELLS = 4_000_000


def interval(value: float, samples: FloatArray, coverage: float = 0.95) -> Interval:
    """The percentile interval of the resampled scores, around the score itself. Undefined resamples (nan) are left out."""
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return Interval(value, value, value)
    tail = 100 * (1 - coverage) / 2
    low, high = np.percentile(defined, [tail, 100 - tail])
    return Interval(value, float(low), float(high))


def resampled_confusions(confusion: IntArray, n_resamples: int, rng: np.random.Generator) -> IntArray:
    """(B, K, K): confusion matrices of B resamples of the rows behind `confusion`."""
    return resampled_counts(confusion.ravel(), n_resamples, rng).reshape(n_resamples, *confusion.shape)


def resampled_counts(counts: IntArray, n_resamples: int, rng: np.random.Generator) -> IntArray:
    """(B, C): how many rows fall into each of C cells in B resamples of `counts.sum()` rows."""
    out = np.zeros((n_resamples, len(counts)), dtype=np.int64)
    filled = np.flatnonzero(counts)
    n = int(counts.sum())
    if n:
        out[:, filled] = rng.multinomial(n, counts[filled] / n, size=n_resamples)
    return out


def row_weights(n: int, n_resamples: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Chunks of (b, n): how often each row is drawn in each resample."""
    step = max(1, min(n_resamples, CHUNK_CELLS // max(1, n)))
    for start in range(0, n_resamples, step):
        size = min(step, n_resamples - start)
        weights = np.zeros((size, n))
        for b in range(size):
            weights[b] = np.bincount(rng.integers(0, n, n), minlength=n)
        yield weights
