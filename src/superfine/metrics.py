"""Scores of predicted classes and probabilities, as pure functions.

They are written for stacks (..., K), so that the thousand resamples of a bootstrap interval cost as much as one and memory grows
with K, not with K squared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from superfine.records import Activation, FloatArray, IntArray

PROBABILITY_FLOOR = float(np.finfo(np.float32).eps)
"""Log loss of a probability of zero is infinite; probabilities are clipped here, as scikit-learn does."""


class Title(NamedTuple):
    """How a score is written: its name in a table of scores, that in a sentence or a column, and its unit.

    Shares differ by points; `percent` has their values in per cent too.
    """

    long: str
    short: str
    unit: Literal["percent", "share", "number"] = "share"


TITLES = {
    "accuracy": Title("Accuracy", "accuracy", "percent"),
    "cross_entropy": Title("Cross-entropy", "cross-entropy", "number"),
    "total_variation": Title("Total variation distance", "total variation", "number"),
    "exact_match": Title("Exact match", "exact match", "percent"),
    "f1": Title("F1", "F1", "percent"),
    "micro_f1": Title("Micro F1", "micro F1"),
    "micro_precision": Title("Micro precision", "micro precision"),
    "micro_recall": Title("Micro recall", "micro recall"),
    "quadratic_kappa": Title("Quadratic kappa", "quadratic kappa", "number"),
    "r2": Title("R²", "R²", "number"),
    "pearson": Title("Pearson correlation", "Pearson", "number"),
    "spearman": Title("Spearman correlation", "Spearman", "number"),
    "rmse": Title("Root mean squared error", "RMSE", "number"),
    "mae": Title("Mean absolute error", "MAE", "number"),
    "coverage": Title("Coverage of the 95 % intervals", "coverage", "percent"),
    "macro_f1": Title("Macro F1", "macro F1"),
    "weighted_f1": Title("Weighted F1", "weighted F1"),
    "weighted_precision": Title("Weighted precision", "weighted precision"),
    "weighted_recall": Title("Weighted recall", "weighted recall"),
    "macro_precision": Title("Macro precision", "macro precision"),
    "macro_recall": Title("Macro recall", "macro recall"),
    "mcc": Title("Matthews correlation", "Matthews corr.", "number"),
    "roc_auc": Title("ROC AUC", "ROC AUC"),
    "calibration_error": Title("Calibration error", "calibration error", "number"),
    "log_loss": Title("Log loss", "log loss", "number"),
    "brier_score": Title("Brier score", "Brier score", "number"),
}
"""By the names that `metrics.json` uses."""


def title_of(score: str) -> Title:
    """A score that has no title is called by its name; `accuracy_1` is the accuracy down to the first level of paths."""
    if re.fullmatch(r"accuracy_[0-9]+", score):
        level = score.removeprefix("accuracy_")
        return Title(f"Accuracy to level {level}", f"accuracy to level {level}", "percent")
    words = score.replace("_", " ")
    return TITLES.get(score, Title(words[:1].upper() + words[1:], words, "number"))


def softmax(logits: FloatArray) -> FloatArray:
    """(n, K) probabilities, in float64 however large the logits."""
    if not logits.size:
        return np.zeros(logits.shape)
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def sigmoid(logits: FloatArray) -> FloatArray:
    """The probability of each logit, in float64 without overflow."""
    return np.asarray(np.exp(-np.logaddexp(0.0, -logits.astype(np.float64))))


def activated(outputs: FloatArray, activation: Activation) -> FloatArray:
    """(n, n_outputs) probabilities, or the outputs themselves where they are none."""
    if activation == "exp":
        return np.asarray(np.exp(outputs))
    return {"softmax": softmax, "sigmoid": sigmoid}.get(activation, np.asarray)(outputs)


def confusion_cells(true: IntArray, predicted: IntArray, n_classes: int) -> IntArray:
    """(cells, 3): true class, predicted class, count, for every pair that occurs, in ascending order."""
    pairs, counts = np.unique(true * n_classes + predicted, return_counts=True)
    return np.stack([pairs // n_classes, pairs % n_classes, counts], axis=1).astype(np.int64)


def f1_of_overlap(overlap: FloatArray) -> FloatArray:
    """F1 from the share of hits among the texts that are of a class or are called so (Jaccard's index J): 2 J / (1 + J)."""
    return np.asarray(2 * overlap / (1 + overlap))


def matthews_correlation(hits: FloatArray, support: FloatArray, predicted: FloatArray) -> FloatArray:
    """(...) Matthews correlation for K classes (Gorodkin 2004): 1 is perfect, 0 is chance, or undefined.

    Each (..., K): texts of a class that were found, texts of the class, texts called so.
    """
    n = support.sum(axis=-1)
    covariance = hits.sum(axis=-1) * n - (support * predicted).sum(axis=-1)
    true_variance = n**2 - (support**2).sum(axis=-1)
    predicted_variance = n**2 - (predicted**2).sum(axis=-1)
    return _ratio(covariance, np.sqrt(true_variance * predicted_variance))


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator != 0)


def log_losses(true: IntArray, probabilities: FloatArray) -> FloatArray:
    """(n,) minus the logarithm of the probability that each text's true class was given, in nats."""
    of_truth = probabilities[np.arange(len(true)), true]
    return np.asarray(-np.log(np.clip(of_truth, PROBABILITY_FLOOR, 1.0)), dtype=np.float64)


def brier_losses(true: IntArray, probabilities: FloatArray) -> FloatArray:
    """(n,) the squared distance between the probabilities of all classes and the truth, from 0 to 2 (Brier 1950)."""
    squares = np.square(probabilities).sum(axis=1)
    return np.asarray(squares - 2 * probabilities[np.arange(len(true)), true] + 1, dtype=np.float64)


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


def auc_interval(positive: FloatArray, negative: FloatArray) -> tuple[float, float, float]:
    """The area under the curve of scores of positive (m,) and of negative (n,) cases, and its 95 % interval (DeLong, DeLong and
    Clarke-Pearson 1988). m, n: at least 2."""
    from scipy.stats import rankdata

    m, n = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    # How often each positive case is above a negative one, and each negative case below a positive one.
    above = (ranks[:m] - rankdata(positive)) / n
    below = 1 - (ranks[m:] - rankdata(negative)) / m
    value = float(above.mean())
    error = 1.96 * float(np.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n))
    return value, max(0.0, value - error), min(1.0, value + error)


def wilson_low(hits: int, n: int) -> float:
    """The lower end of Wilson's 95 % interval of a share. n: at least 1."""
    z, share = 1.96, hits / n
    centre = share + z * z / (2 * n)
    return float((centre - z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))) / (1 + z * z / n))


def spearman(true: FloatArray, said: FloatArray, weights: FloatArray) -> FloatArray:
    """(B,) Spearman's rank correlation of n pairs, 0 where one side does not vary. weights: (B, n) how often each resample holds
    each pair; equal numbers share the mean of their ranks."""
    ranks = [_weighted_ranks(values, weights) for values in (true, said)]
    total = weights.sum(axis=1, keepdims=True)
    x, y = (rank - (weights * rank).sum(axis=1, keepdims=True) / total for rank in ranks)
    covariance, spread = (weights * x * y).sum(axis=1), np.sqrt((weights * x * x).sum(axis=1) * (weights * y * y).sum(axis=1))
    return np.asarray(np.divide(covariance, spread, out=np.zeros_like(covariance), where=spread > 1e-9))


def _weighted_ranks(values: FloatArray, weights: FloatArray) -> FloatArray:
    """(B, n) the mean rank of each value among all that it stands for."""
    different, group = np.unique(values, return_inverse=True)
    n = len(different)
    counts = np.zeros((len(weights), n))
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(n))
    counts[:] = np.add.reduceat(weights[:, order], starts, axis=1)
    upto = np.cumsum(counts, axis=1)
    return np.asarray((upto - (counts - 1) / 2)[:, group])


N_BINS = 15
MOST_BINNED = 20_000
"""About so many rows, evenly spread, are enough to tell a calibration error by."""


def calibration_error(columns: Mapping[str, FloatArray], weights: FloatArray) -> FloatArray:
    """(B,) how far confidence and accuracy are apart: the root of the mean square over 15 bins of equal size, without what chance
    adds (Kumar, Liang and Ma 2019, the debiased estimator); 0 where chance explains it all.

    columns: `confidence` and `right`, (n,) each. weights: (B, n) how often each resample holds each row.
    """
    every = max(1, len(columns["right"]) // MOST_BINNED)
    confidence, right, weights = columns["confidence"][::every], columns["right"][::every], weights[:, ::every]
    place = np.argsort(np.argsort(confidence, kind="stable"), kind="stable")
    bins = np.minimum(place * N_BINS // max(1, len(confidence)), N_BINS - 1)
    member = np.eye(N_BINS)[bins]
    n, hits, sure = (weights @ (member * values[:, None]) for values in (np.ones(len(right)), right, confidence))
    size = np.maximum(n, 1.0)
    accuracy, gap = hits / size, hits / size - sure / size
    squares = np.where(n > 1, gap**2 - accuracy * (1 - accuracy) / np.maximum(n - 1, 1), 0.0)
    return np.asarray(np.sqrt(np.maximum((n * squares).sum(axis=1) / np.maximum(n.sum(axis=1), 1), 0.0)))


def calibration_groups(confidence: FloatArray, right: NDArray[np.bool_], n_groups: int = 10) -> list[list[float]]:
    """[mean confidence, share that is right, count] of (n,) answers in groups of as many each, the least sure first."""
    order = np.argsort(confidence, kind="stable")
    return [
        [float(confidence[some].mean()), float(right[some].mean()), len(some)]
        for some in np.array_split(order, min(n_groups, len(order)))
        if len(some)
    ]


CONFIDENCE_STEP = 0.05


def confidence_histogram(confidence: FloatArray, right: NDArray[np.bool_]) -> list[list[float]]:
    """[lower end, right answers, wrong answers] of each twentieth of the confidences, from the lowest that occurs to 1."""
    n_bins = round(1 / CONFIDENCE_STEP)
    bins = np.minimum((confidence / CONFIDENCE_STEP + 1e-9).astype(np.int64), n_bins - 1)
    counts = [np.bincount(bins[some], minlength=n_bins) for some in (right, ~right)]
    first = int(bins.min(initial=n_bins - 1))
    return [[i * CONFIDENCE_STEP, int(counts[0][i]), int(counts[1][i])] for i in range(first, n_bins)]


def operating_points(probabilities: FloatArray, positive: NDArray[np.bool_], most: int = 80) -> list[list[float]]:
    """[threshold, recall, false positive rate, precision] where rows of at least that probability are called positive, from the
    highest threshold to the lowest: about `most`, evenly spread over the rows. probabilities, positive: (n,), both kinds among
    them."""
    order = np.argsort(-probabilities, kind="stable")
    sorted_probabilities, hits = probabilities[order], np.cumsum(positive[order])
    ends = np.flatnonzero(np.append(np.diff(sorted_probabilities) != 0, True))  # equal probabilities are called alike
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, min(most, len(ends))).round().astype(np.int64))]
    n_positive = int(positive.sum())
    n_negative, found = len(positive) - n_positive, hits[ends]
    columns = (sorted_probabilities[ends], found / n_positive, (ends + 1 - found) / n_negative, found / (ends + 1))
    points: list[list[float]] = np.stack(columns, axis=1).tolist()
    return points


def log_softmax_of_sequences(outputs: FloatArray, starts: IntArray) -> FloatArray:
    """(tokens, n_outputs) the logarithms of each column's softmax over the tokens of each sequence. starts: (s + 1,)."""
    if not len(outputs):
        return outputs
    lengths = np.diff(starts)
    shifted = outputs - np.repeat(np.maximum.reduceat(outputs, starts[:-1], axis=0), lengths, axis=0)
    totals = np.log(np.add.reduceat(np.exp(shifted), starts[:-1], axis=0))
    return np.asarray(shifted - np.repeat(totals, lengths, axis=0))
