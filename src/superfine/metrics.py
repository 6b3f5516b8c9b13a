"""Scores of predicted classes and probabilities, as pure functions.

Most scores follow from the confusion matrix alone. They are written for a stack of matrices, (..., K, K) with true classes in
rows, so that the thousand resampled matrices of a bootstrap interval cost as much as one.
Averages follow scikit-learn: macro means run over the classes that occur, as truth or as prediction; an undefined ratio is 0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from superfine.records import FloatArray, IntArray

PROBABILITY_FLOOR = float(np.finfo(np.float32).eps)
"""Log loss of a probability of zero is infinite; probabilities are clipped here, as scikit-learn does."""


def confusion_matrix(true: IntArray, predicted: IntArray, n_classes: int) -> IntArray:
    """(K, K) counts: entry [t, p] says how many texts of class t were called p."""
    flat = np.bincount(true * n_classes + predicted, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes).astype(np.int64)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def _counts(confusion: NDArray[np.generic]) -> tuple[FloatArray, FloatArray, FloatArray]:
    c = np.asarray(confusion, dtype=np.float64)
    return np.diagonal(c, axis1=-2, axis2=-1).copy(), c.sum(axis=-1), c.sum(axis=-2)


def precision(confusion: NDArray[np.generic]) -> FloatArray:
    """(..., K) of the texts called k, the share that is k."""
    hits, _, predicted = _counts(confusion)
    return _ratio(hits, predicted)


def recall(confusion: NDArray[np.generic]) -> FloatArray:
    """(..., K) of the texts that are k, the share called k."""
    hits, support, _ = _counts(confusion)
    return _ratio(hits, support)


def f1(confusion: NDArray[np.generic]) -> FloatArray:
    """(..., K) the harmonic mean of precision and recall."""
    hits, support, predicted = _counts(confusion)
    return _ratio(2 * hits, support + predicted)


def _macro(per_class: FloatArray, confusion: NDArray[np.generic]) -> FloatArray:
    _, support, predicted = _counts(confusion)
    occurs = (support + predicted) > 0
    return _ratio((per_class * occurs).sum(axis=-1), occurs.sum(axis=-1).astype(np.float64))


def _weighted(per_class: FloatArray, confusion: NDArray[np.generic]) -> FloatArray:
    _, support, _ = _counts(confusion)
    return _ratio((per_class * support).sum(axis=-1), support.sum(axis=-1))


def accuracy(confusion: NDArray[np.generic]) -> FloatArray:
    """(...) the share of texts whose class was found."""
    hits, support, _ = _counts(confusion)
    return _ratio(hits.sum(axis=-1), support.sum(axis=-1))


def matthews_correlation(confusion: NDArray[np.generic]) -> FloatArray:
    """(...) Matthews correlation for K classes (Gorodkin 2004): 1 is perfect, 0 is chance."""
    hits, support, predicted = _counts(confusion)
    n = support.sum(axis=-1)
    covariance = hits.sum(axis=-1) * n - (support * predicted).sum(axis=-1)
    true_variance = n**2 - (support**2).sum(axis=-1)
    predicted_variance = n**2 - (predicted**2).sum(axis=-1)
    return _ratio(covariance, np.sqrt(true_variance * predicted_variance))


FROM_CONFUSION: dict[str, Callable[[NDArray[np.generic]], FloatArray]] = {
    "accuracy": accuracy,
    "macro_precision": lambda c: _macro(precision(c), c),
    "macro_recall": lambda c: _macro(recall(c), c),
    "macro_f1": lambda c: _macro(f1(c), c),
    "weighted_precision": lambda c: _weighted(precision(c), c),
    "weighted_recall": lambda c: _weighted(recall(c), c),
    "weighted_f1": lambda c: _weighted(f1(c), c),
    "mcc": matthews_correlation,
}
"""Every score of a confusion matrix, by the name that `metrics.json` uses."""

PER_CLASS: dict[str, Callable[[NDArray[np.generic]], FloatArray]] = {"precision": precision, "recall": recall, "f1": f1}


def log_losses(true: IntArray, probabilities: FloatArray) -> FloatArray:
    """(n,) minus the logarithm of the probability that each text's true class was given, in nats."""
    of_truth = probabilities[np.arange(len(true)), true]
    return np.asarray(-np.log(np.clip(of_truth, PROBABILITY_FLOOR, 1.0)), dtype=np.float64)


def roc_auc(true: IntArray, probabilities: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """(B,) area under the ROC curve, one class against the rest, averaged over the classes that have both sides.

    For two classes that is the usual area. `weights` is (B, n): how often each resample holds each text; without it B is 1.
    The area is the chance that a text of the class ranks above one of the rest, ties counting half (Mann and Whitney).
    """
    n, n_classes = probabilities.shape
    w = np.ones((1, n)) if weights is None else weights
    total, defined = np.zeros(len(w)), np.zeros(len(w))
    for k in [1] if n_classes == 2 else range(n_classes):
        area, is_defined = _binary_roc_auc(true == k, probabilities[:, k], w)
        total += area
        defined += is_defined
    return np.asarray(np.divide(total, defined, out=np.full(len(w), np.nan), where=defined > 0))


def _binary_roc_auc(is_class: NDArray[np.bool_], scores: FloatArray, weights: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    order = np.argsort(scores, kind="stable")
    positive = weights[:, order] * is_class[order]
    negative = weights[:, order] * ~is_class[order]
    ties = np.flatnonzero(np.diff(scores[order])) + 1
    starts = np.concatenate([[0], ties])
    positive, negative = np.add.reduceat(positive, starts, axis=1), np.add.reduceat(negative, starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative
    wins = (positive * (below + negative / 2)).sum(axis=1)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return _ratio(wins, pairs), pairs > 0
