"""Probabilities of several labels that mean what they say, each label on its own.

Platt's scaling (1999) is a factor and a shift of a label's output, which the output layer can take over. Isotonic regression
(Zadrozny and Elkan 2002) is any rising function of its probability, kept beside the model. Both are taken for a label only where
they lower the log loss of rows that they were not fitted to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from superfine.metrics import PROBABILITY_FLOOR, sigmoid
from superfine.records import FloatArray

BoolArray = NDArray[np.bool_]
ENOUGH, ENOUGH_FOR_STEPS = 20, 100
"""A label needs so many validation rows of either kind, and so many rows in all for isotonic regression."""
MOST_LABELS = 200
"""Of more labels the most frequent are calibrated: it is done after each epoch."""
N_FOLDS = 5
STEPS = (0.01, 0.99)
"""Isotonic probabilities are kept within these: of a step without a single hit none is certain."""


class Steps(NamedTuple):
    """A rising function through points: probabilities and what they are calibrated to, each (m,)."""

    at: list[float]
    to: list[float]

    def __call__(self, probabilities: FloatArray) -> FloatArray:
        return np.interp(probabilities, self.at, self.to)


def platt(outputs: FloatArray, true: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Factors and shifts, (K,) each, for (n, K) logits; 1 and 0 where nothing is gained."""
    factor, shift = np.ones(outputs.shape[1]), np.zeros(outputs.shape[1])
    for k in _labels_with_enough(true):
        logits, is_true = outputs[:, k].astype(np.float64), true[:, k]
        if _lowers_loss(logits, is_true, lambda a, b: _applied(*_platt(a, b))):
            factor[k], shift[k] = _platt(logits, is_true)
    return factor, shift


def isotonic(outputs: FloatArray, true: BoolArray) -> list[Steps | None]:
    """A function for the probabilities of each label, or None where nothing is gained."""
    found: list[Steps | None] = [None] * outputs.shape[1]
    for k in _labels_with_enough(true) if len(true) >= ENOUGH_FOR_STEPS else []:
        logits, is_true = outputs[:, k].astype(np.float64), true[:, k]
        if _lowers_loss(logits, is_true, lambda a, b: _of_logits(_isotonic(a, b))):
            found[k] = _isotonic(logits, is_true)
    return found


def _labels_with_enough(true: BoolArray) -> list[int]:
    """Those with enough rows of either kind, at most `MOST_LABELS` of them, the most frequent ones."""
    n_true = true.sum(axis=0)
    fewer = np.minimum(n_true, len(true) - n_true)
    most = np.argsort(-fewer, kind="stable")[:MOST_LABELS]
    return [int(k) for k in most if fewer[k] >= ENOUGH]


def steps_of(facts: Any, n_labels: int) -> list[Steps | None]:
    """From the facts of a task. Raises ValueError for what are no rising functions of probabilities."""
    if not isinstance(facts, list) or len(facts) != n_labels:
        raise ValueError("isotonic: a list with one entry for each label is needed")
    found: list[Steps | None] = []
    for one in facts:
        if one is None:
            found.append(None)
            continue
        table = np.asarray(one, dtype=np.float64)
        if table.ndim != 2 or len(table) != 2 or not table.shape[1] or not np.isfinite(table).all():
            raise ValueError("isotonic: two lists of numbers are needed")
        if (np.diff(table, axis=1) < 0).any() or table.min() < 0 or table.max() > 1:
            raise ValueError("isotonic: the numbers do not rise from 0 to 1")
        found.append(Steps(table[0].tolist(), table[1].tolist()))
    return found


Fit = Callable[[FloatArray, BoolArray], Callable[[FloatArray], FloatArray]]
"""From logits and whether each is true to a function from logits to probabilities."""


def _lowers_loss(logits: FloatArray, true: BoolArray, fit: Fit) -> bool:
    """Whether what is fitted to four fifths of the rows is better on the others by more than one standard error."""
    fold = np.random.default_rng(0).permutation(len(logits)) % N_FOLDS
    after = np.zeros(len(logits))
    for k in range(N_FOLDS):
        others = fold != k
        if len(set(true[others].tolist())) < 2:
            return False
        after[fold == k] = fit(logits[others], true[others])(logits[fold == k])
    gain = _losses(sigmoid(logits), true) - _losses(after, true)
    return bool(gain.mean() > gain.std() / np.sqrt(len(gain)))


def _losses(probabilities: FloatArray, true: BoolArray) -> FloatArray:
    likely = np.where(true, probabilities, 1 - probabilities)
    return np.asarray(-np.log(np.maximum(likely, PROBABILITY_FLOOR)))


def _platt(logits: FloatArray, true: BoolArray) -> tuple[float, float]:
    """Factor and shift with the least log loss; the targets are Platt's, a little off 0 and 1."""
    from scipy.optimize import minimize

    n_true, n_false = int(true.sum()), int((~true).sum())
    target = np.where(true, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))

    def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
        scaled = np.exp(parameters[0]) * logits + parameters[1]
        wrong = sigmoid(scaled) - target
        value = float((np.logaddexp(0, scaled) - target * scaled).mean())
        return value, np.array([(wrong * np.exp(parameters[0]) * logits).mean(), wrong.mean()])

    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-2.3, 2.3), (-10, 10)])
    return float(np.exp(found.x[0])), float(found.x[1])


def _applied(factor: float, shift: float) -> Callable[[FloatArray], FloatArray]:
    return lambda logits: sigmoid(factor * logits + shift)


def _isotonic(logits: FloatArray, true: BoolArray) -> Steps:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=STEPS[0], y_max=STEPS[1], out_of_bounds="clip").fit(sigmoid(logits), true.astype(float))
    return Steps(fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist())


def _of_logits(steps: Steps) -> Callable[[FloatArray], FloatArray]:
    return lambda logits: steps(sigmoid(logits))
