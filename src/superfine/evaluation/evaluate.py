"""The scores of a set of predictions, each with its 95 % bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from superfine import metrics
from superfine.evaluation.intervals import interval, resampled_confusions, row_weights
from superfine.records import Evaluation, FloatArray, IntArray, Interval, Predictions

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
    confusion = metrics.confusion_matrix(true, predictions.class_ids, len(labels))
    resamples = resampled_confusions(confusion, n_resamples, np.random.default_rng(seed))
    scores = {name: interval(float(score(confusion)), score(resamples)) for name, score in metrics.FROM_CONFUSION.items()}
    scores |= _probability_scores(true, predictions.probabilities, seed, n_resamples)
    return Evaluation(labels, len(true), scores, _per_class(labels, confusion, resamples), confusion)


def _per_class(labels: tuple[str, ...], confusion: IntArray, resamples: IntArray) -> dict[str, dict[str, Interval | int]]:
    table: dict[str, dict[str, Interval | int]] = {name: {} for name in labels}
    for metric, score in metrics.PER_CLASS.items():
        values, samples = score(confusion), score(resamples)
        for k, name in enumerate(labels):
            table[name][metric] = interval(float(values[k]), samples[:, k])
    for k, name in enumerate(labels):
        table[name]["support"] = int(confusion[k].sum())
    return table


def _probability_scores(true: IntArray, probabilities: FloatArray, seed: int, n_resamples: int) -> dict[str, Interval]:
    n, n_classes = probabilities.shape
    losses = metrics.log_losses(true, probabilities)
    scores = {"log_loss": _weighted_interval(n, seed, n_resamples, lambda w: w @ losses / w.sum(axis=1))}
    if len(np.unique(true)) > 1:
        affordable = max(200, min(n_resamples, MAX_CELLS // max(1, n * n_classes)))
        scores["roc_auc"] = _weighted_interval(n, seed, affordable, lambda w: metrics.roc_auc(true, probabilities, w))
    return scores


def _weighted_interval(n: int, seed: int, n_resamples: int, score: Callable[[FloatArray], FloatArray]) -> Interval:
    value = float(score(np.ones((1, n)))[0])
    samples = [score(weights) for weights in row_weights(n, n_resamples, np.random.default_rng(seed))]
    return interval(value, np.concatenate(samples))
