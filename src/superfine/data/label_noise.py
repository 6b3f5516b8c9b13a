"""Which labels are probably wrong: out-of-fold probabilities, and how labels are confused with each other.

Confident learning (Northcutt, Jiang and Chuang 2021) counts, for each label that was given and each true one, the rows whose
probability of the other is at least as large as usual for rows with that label. From these counts P(given | true) follows, and by
Bayes' rule the probability of each true label of a row, given its text and its label. That ranks better than probabilities alone
where some labels are given wrongly more often than others (docs/experiments.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from superfine.records import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

FOLDS, NEIGHBOURS = 5, 50
SURE = 0.8
FEWEST_OF_CLASS = 5
"""Rows of a class without which nothing can be said of it."""
CHUNK = 1000
REGULARISATION, REGULARISATION_OF_WORDS = 1.0, 5.0
"""The usual strengths C for vectors of length 1, and for sparse counts of words."""
OnRows = Callable[[int], None]


class Noise(NamedTuple):
    """rows: (m,) rows whose label may be wrong, the surest first. suggested: (m,) the class that each may have instead. score:
    (m,) its probability out of fold. ratio: (m,) that of the given class over it. neighbours: (n, k) the nearest other rows of
    every row."""

    rows: IntArray
    suggested: IntArray
    score: FloatArray
    ratio: FloatArray
    neighbours: IntArray

    @property
    def n_likely(self) -> int:
        """Rows for which another class is more probable than the given one."""
        return int((self.ratio < 1).sum())

    @property
    def n_sure(self) -> int:
        """Rows for which it is much more probable."""
        return int((self.score >= SURE).sum())


def find_noise(vectors: FloatArray, words: csr_matrix, label: IntArray, seen: FloatArray | None = None) -> Noise:
    """Rows for which at least one of three voices says another class: a regression on vectors, one on words, and the neighbours.

    vectors: (n, width) of the texts, of length 1. words: (n, terms). label: (n,) the class of each, every class with at least
    `FEWEST_OF_CLASS` rows. seen: (n, K) probabilities of a stronger model that did not see a row's label, instead of the
    regression on vectors.
    """
    n, n_classes = len(label), int(label.max()) + 1
    neighbours, near = neighbours_of(vectors)
    of_vectors = out_of_fold(vectors, label, REGULARISATION) if seen is None else seen
    of_words = out_of_fold(words, label, REGULARISATION_OF_WORDS)
    of_neighbours = _votes(label[neighbours], near, n_classes)
    voices = (of_vectors, of_words, of_neighbours)
    probabilities = np.mean(voices, axis=0)
    joint = confident_joint(probabilities, label)
    given = joint / joint.sum(axis=0, keepdims=True)  # P(label | true class), a column for each true class
    true = probabilities * given[label]
    true /= true.sum(axis=1, keepdims=True)
    own = true[np.arange(n), label].copy()
    true[np.arange(n), label] = -1.0
    suggested = true.argmax(axis=1)
    doubted = np.flatnonzero(np.any([voice.argmax(axis=1) != label for voice in voices], axis=0))
    rows = doubted[np.argsort((own - true.max(axis=1))[doubted], kind="stable")]
    score = probabilities[rows, suggested[rows]]
    ratio = probabilities[rows, label[rows]] / np.maximum(score, 1e-12)
    return Noise(rows, suggested[rows], score, ratio, neighbours)


def out_of_fold(features: FloatArray | csr_matrix, label: IntArray, strength: float) -> FloatArray:
    """(n, K) the probabilities that a logistic regression gives to rows that it did not learn from."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    found = np.zeros((len(label), int(label.max()) + 1))
    folds = min(FOLDS, int(np.bincount(label).min()))
    for learned, scored in StratifiedKFold(folds, shuffle=True, random_state=0).split(np.zeros(len(label)), label):
        model = LogisticRegression(C=strength, max_iter=300).fit(features[learned], label[learned])
        found[scored] = model.predict_proba(features[scored])
    return found


def neighbours_of(vectors: FloatArray) -> tuple[IntArray, FloatArray]:
    """(n, k) the nearest other rows by cosine, the nearest first, and (n, k) how near they are."""
    n = len(vectors)
    k = min(NEIGHBOURS, n - 1)
    nearest, near = np.zeros((n, k), dtype=np.int64), np.zeros((n, k))
    for start in range(0, n, CHUNK):
        cosines = vectors[start : start + CHUNK] @ vectors.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -np.inf
        found = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        of_found = np.take_along_axis(cosines, found, axis=1)
        order = np.argsort(-of_found, axis=1, kind="stable")
        nearest[start : start + CHUNK] = np.take_along_axis(found, order, axis=1)
        near[start : start + CHUNK] = np.take_along_axis(of_found, order, axis=1)
    return nearest, near


def _votes(labels: IntArray, near: FloatArray, n_classes: int) -> FloatArray:
    """(n, K) the shares of the classes among neighbours, each counted by the cube of its nearness; no share is zero."""
    weights = near.clip(0, 1) ** 3
    votes = np.stack([(weights * (labels == k)).sum(axis=1) for k in range(n_classes)], axis=1)
    votes += 0.02 * votes.sum(axis=1, keepdims=True) / n_classes + 1e-9
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def confident_joint(probabilities: FloatArray, label: IntArray) -> FloatArray:
    """(K, K) the share of rows with each given label (rows) and each true class (columns). A row counts for the class whose
    probability is largest among those that reach the mean that rows with that label have."""
    n_classes = probabilities.shape[1]
    sizes = np.bincount(label, minlength=n_classes)
    usual = np.array([probabilities[label == k, k].mean() for k in range(n_classes)])
    reached = np.where(probabilities >= usual, probabilities, -1.0)
    counted = reached.max(axis=1) >= 0
    joint = np.ones((n_classes, n_classes))  # no confusion is impossible
    np.add.at(joint, (label[counted], reached.argmax(axis=1)[counted]), 1)
    joint = joint / joint.sum(axis=1, keepdims=True) * sizes[:, None]
    return np.asarray(joint / joint.sum())
