"""The scores of a set of predictions, each with its 95 % bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from superfine import metrics
from superfine.evaluation.intervals import SHARE, UNBOUNDED, Bounds, interval, resampled_counts, row_weights, tallies
from superfine.records import Evaluation, FloatArray, IntArray, Interval, Predictions

MAX_ROC_CLASSES = 200
"""With more classes the ROC area, one class against the rest, says little and costs minutes: it is left out."""
MAX_CELLS = 300_000_000
"""Resamples times texts times classes that the ROC area may cost: with more, it gets fewer resamples (but never under 200)."""


def evaluate(true: IntArray, predictions: Predictions, *, seed: int = 0, n_resamples: int = 1000) -> Evaluation:
    """Score predictions against the true class ids (n,).

    The intervals say how much the score would move with another test part of the same size; they do not hold the variation
    between training runs.
    """
    if len(true) != len(predictions):
        raise ValueError(f"{len(true)} true labels for {len(predictions)} predictions")
    labels = predictions.labels
    n, k = len(true), len(labels)
    confusion = metrics.confusion_matrix(true, predictions.class_ids, k)
    cells, counts = np.unique(true * k + predictions.class_ids, return_counts=True)
    draws = list(resampled_counts(counts, n_resamples, np.random.default_rng(seed))) if n else []
    tally = tallies([counts[None], *draws], cells // k, cells % k, k)
    occurring = tally.only(tally.occurring())
    scores = {}
    for name, score in metrics.FROM_TALLY.items():
        values = score(occurring)
        scores[name] = interval(float(values[0]), values[1:], bounds=(-1.0, 1.0) if name == "mcc" else SHARE, n=n)
    scores |= _probability_scores(true, predictions.probabilities, seed, n_resamples)
    return Evaluation(labels, n, scores, _per_class(labels, tally), confusion)


def _per_class(labels: tuple[str, ...], tally: metrics.Tally) -> dict[str, dict[str, Interval | int]]:
    """Precision, recall and F1 of each class with their intervals, and its number of texts."""
    table: dict[str, dict[str, Interval | int]] = {name: {} for name in labels}
    behind = {"precision": tally.predicted[0], "recall": tally.support[0], "f1": tally.support[0] + tally.predicted[0]}
    for metric, score in metrics.PER_CLASS.items():
        values = score(tally)
        for i, name in enumerate(labels):
            table[name][metric] = interval(float(values[0, i]), values[1:, i], bounds=SHARE, n=int(behind[metric][i]))
    for i, name in enumerate(labels):
        table[name]["support"] = int(tally.support[0, i])
    return table


def _probability_scores(true: IntArray, probabilities: FloatArray, seed: int, n_resamples: int) -> dict[str, Interval]:
    n, n_classes = probabilities.shape
    losses = metrics.log_losses(true, probabilities)
    scores = {"log_loss": _weighted_interval(n, seed, n_resamples, lambda w: w @ losses / w.sum(axis=1), (0.0, np.inf))}
    if len(np.unique(true)) > 1 and n_classes <= MAX_ROC_CLASSES:
        affordable = max(200, min(n_resamples, MAX_CELLS // max(1, n * n_classes)))
        scores["roc_auc"] = _weighted_interval(n, seed, affordable, lambda w: metrics.roc_auc(true, probabilities, w), SHARE)
    return scores


def _weighted_interval(
    n: int, seed: int, n_resamples: int, score: Callable[[FloatArray], FloatArray], bounds: Bounds = UNBOUNDED
) -> Interval:
    value = float(score(np.ones((1, n)))[0])
    samples = [score(weights) for weights in row_weights(n, n_resamples, np.random.default_rng(seed))]
    return interval(value, np.concatenate(samples), bounds=bounds)
