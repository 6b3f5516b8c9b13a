"""From which probability on each of several labels is said, learned of validation rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from superfine.records import FloatArray

EVEN = 0.5
GRID = np.round(np.arange(0.02, 0.98, 0.02), 2)
"""Candidates for thresholds."""
ENOUGH = 20
"""With fewer validation rows of either kind a label takes the threshold of all."""
N_FOLDS = 5


def choose_thresholds(probabilities: FloatArray, true: NDArray[np.bool_]) -> FloatArray:
    """(K,) thresholds for (n, K) probabilities: one half, or one for all, or one for each, whichever gives the highest F1 on rows
    that it was not chosen by (five folds).

    F1 is the mean of micro and macro F1: micro F1 alone gives rare labels up, macro F1 alone says them everywhere.
    """
    n, n_labels = true.shape
    even = np.full(n_labels, EVEN)
    if n < 2 * N_FOLDS:
        return even
    ways = (lambda *_: even, _one_threshold, _own_thresholds)
    fold = np.random.default_rng(0).permutation(n) % N_FOLDS
    said = np.zeros((len(ways), n, n_labels), dtype=bool)
    for k in range(N_FOLDS):
        others, here = fold != k, fold == k
        for w, way in enumerate(ways):
            said[w, here] = probabilities[here] >= way(probabilities[others], true[others])
    best = int(np.argmax([_both_f1(true, answers) for answers in said]))
    return np.asarray(ways[best](probabilities, true))


def _f1(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> FloatArray:
    """(K,) F1 of each label that occurs, 0 for others."""
    hits, total = (true & said).sum(axis=0), true.sum(axis=0) + said.sum(axis=0)
    return np.asarray(np.divide(2.0 * hits, total, out=np.zeros(true.shape[1]), where=total > 0))


def _both_f1(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """The mean of micro F1 and of macro F1 over labels that occur."""
    hits, total = float((true & said).sum()), float(true.sum() + said.sum())
    occurs = true.any(axis=0)
    macro = float(_f1(true, said)[occurs].mean()) if occurs.any() else 0.0
    return (2 * hits / max(total, 1.0) + macro) / 2


def _one_threshold(probabilities: FloatArray, true: NDArray[np.bool_]) -> FloatArray:
    scores = [_both_f1(true, probabilities >= threshold) for threshold in GRID]
    return np.full(true.shape[1], GRID[int(np.argmax(scores))])


def _own_thresholds(probabilities: FloatArray, true: NDArray[np.bool_]) -> FloatArray:
    """Labels with few rows of either kind take the one of all."""
    scores = np.stack([_f1(true, probabilities >= threshold) for threshold in GRID])
    support = true.sum(axis=0)
    enough = np.minimum(support, len(true) - support) >= ENOUGH
    return np.where(enough, GRID[scores.argmax(axis=0)], _one_threshold(probabilities, true))
