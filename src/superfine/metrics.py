"""Scores of predicted classes and probabilities, as pure functions.

Most scores need only three counts per class, a `Tally`: hits, support and predictions. They are written for stacks of tallies,
(..., K), so that the thousand resamples of a bootstrap interval cost as much as one and memory grows with K, not with K squared.
An undefined ratio is 0, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from superfine.records import FloatArray, IntArray

PROBABILITY_FLOOR = float(np.finfo(np.float32).eps)
"""Log loss of a probability of zero is infinite; probabilities are clipped here, as scikit-learn does."""


def confusion_matrix(true: IntArray, predicted: IntArray, n_classes: int) -> IntArray:
    """(K, K) counts: entry [t, p] says how many texts of class t were called p."""
    flat = np.bincount(true * n_classes + predicted, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes).astype(np.int64)


class Tally(NamedTuple):
    """Counts by class, each (..., K): texts of the class that were found, texts of the class, texts called so."""

    hits: FloatArray
    support: FloatArray
    predicted: FloatArray

    def occurring(self) -> NDArray[np.bool_]:
        """(K,) which classes occur, as truth or as prediction, in the first tally of a stack."""
        first = tuple(counts.reshape(-1, counts.shape[-1])[0] for counts in self)
        return np.asarray((first[1] + first[2]) > 0)

    def only(self, classes: NDArray[np.bool_]) -> Tally:
        """The counts of these classes. Macro means run over them; scikit-learn takes the classes that occur."""
        return Tally(*(counts[..., classes] for counts in self))


def tally(confusion: NDArray[np.generic]) -> Tally:
    """The tally of a confusion matrix (..., K, K)."""
    c = np.asarray(confusion, dtype=np.float64)
    return Tally(np.diagonal(c, axis1=-2, axis2=-1).copy(), c.sum(axis=-1), c.sum(axis=-2))


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def precision(t: Tally) -> FloatArray:
    """(..., K) of the texts called k, the share that is k."""
    return _ratio(t.hits, t.predicted)


def recall(t: Tally) -> FloatArray:
    """(..., K) of the texts that are k, the share called k."""
    return _ratio(t.hits, t.support)


def f1(t: Tally) -> FloatArray:
    """(..., K) the harmonic mean of precision and recall."""
    return _ratio(2 * t.hits, t.support + t.predicted)


def _macro(per_class: FloatArray) -> FloatArray:
    return np.asarray(per_class.mean(axis=-1))


def _weighted(per_class: FloatArray, t: Tally) -> FloatArray:
    return _ratio((per_class * t.support).sum(axis=-1), t.support.sum(axis=-1))


def accuracy(t: Tally) -> FloatArray:
    """(...) the share of texts whose class was found."""
    return _ratio(t.hits.sum(axis=-1), t.support.sum(axis=-1))


def matthews_correlation(t: Tally) -> FloatArray:
    """(...) Matthews correlation for K classes (Gorodkin 2004): 1 is perfect, 0 is chance."""
    n = t.support.sum(axis=-1)
    covariance = t.hits.sum(axis=-1) * n - (t.support * t.predicted).sum(axis=-1)
    true_variance = n**2 - (t.support**2).sum(axis=-1)
    predicted_variance = n**2 - (t.predicted**2).sum(axis=-1)
    return _ratio(covariance, np.sqrt(true_variance * predicted_variance))


FROM_TALLY: dict[str, Callable[[Tally], FloatArray]] = {
    "accuracy": accuracy,
    "macro_precision": lambda t: _macro(precision(t)),
    "macro_recall": lambda t: _macro(recall(t)),
    "macro_f1": lambda t: _macro(f1(t)),
    "weighted_precision": lambda t: _weighted(precision(t), t),
    "weighted_recall": lambda t: _weighted(recall(t), t),
    "weighted_f1": lambda t: _weighted(f1(t), t),
    "mcc": matthews_correlation,
}
"""Every score of a tally, by the name that `metrics.json` uses. Give them the classes that occur."""

PER_CLASS: dict[str, Callable[[Tally], FloatArray]] = {"precision": precision, "recall": recall, "f1": f1}


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
