"""What a fine-tuned model has to beat: always saying the most frequent class, and TF-IDF with logistic regression.

Both are predictors, fitted on the same training rows and scored on the same test rows as the model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from superfine.records import Examples, IntArray, Predictions

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x4DBF),  # Han, extension A
    (0x4E00, 0x9FFF),  # Han
)
"""Ranges of scripts written without spaces between words."""


MOST_CHARACTERS = 20_000
"""Of a longer text the beginning is read, still several times what a model reads: the pieces of 10 MB would take gigabytes."""


def full_text(examples: Examples) -> list[str]:
    """The text, or both texts of a pair in one."""
    if examples.text_pair is None:
        return [text[:MOST_CHARACTERS] for text in examples.text]
    pairs = zip(examples.text, examples.text_pair, strict=True)
    return [f"{a[:MOST_CHARACTERS]} {b[:MOST_CHARACTERS]}" for a, b in pairs]


def is_unspaced(texts: Sequence[str], sample: int = 2000) -> bool:
    """Whether more than a fifth of the letters belong to scripts without spaces between words."""
    step = max(1, len(texts) // sample)
    letters = [ord(c) for text in texts[::step] for c in text[:500] if c.isalpha()]
    unspaced = sum(any(low <= c <= high for low, high in UNSPACED) for c in letters)
    return unspaced > 0.2 * len(letters)


@dataclass(frozen=True)
class Majority:
    """Always the most frequent class of the training part, with the class shares as probabilities."""

    labels: tuple[str, ...]
    shares: tuple[float, ...]
    title: ClassVar[str] = "majority class"

    @classmethod
    def fit(cls, examples: Examples, targets: IntArray, labels: tuple[str, ...]) -> Self:
        counts = Counter(targets.tolist())
        return cls(labels, tuple(counts[k] / len(targets) for k in range(len(labels))))

    def predict_examples(self, examples: Examples) -> Predictions:
        return Predictions(examples.row, self.labels, np.tile(np.array(self.shares), (len(examples), 1)))


@dataclass(frozen=True)
class Tfidf:
    """TF-IDF over words and pieces (characters for scripts without spaces), and logistic regression of a chosen strength.

    For so many classes that a regression would need gigabytes, nearest neighbours.
    """

    labels: tuple[str, ...]
    pipeline: Pipeline
    classes: IntArray

    @property
    def title(self) -> str:
        is_regression = "logisticregression" in self.pipeline.named_steps
        return "TF-IDF + logistic regression" if is_regression else "TF-IDF + nearest neighbours"

    @classmethod
    def fit(cls, examples: Examples, targets: IntArray, labels: tuple[str, ...]) -> Self:
        pipeline = _pipeline(full_text(examples), targets)
        return cls(labels, pipeline, pipeline.classes_.astype(np.int64))

    def predict_examples(self, examples: Examples) -> Predictions:
        probabilities = np.zeros((len(examples), len(self.labels)))
        if len(examples):
            # A class without a training row is unknown to the regression and keeps probability zero.
            probabilities[:, self.classes] = self.pipeline.predict_proba(full_text(examples))
        return Predictions(examples.row, self.labels, probabilities)


STRENGTHS = (1.0, 5.0, 25.0)
"""Candidates for the inverse regularisation strength C."""
SELECTION_ROWS = 5_000
"""The strength is chosen on at most so many training rows: more of them do not change the choice."""
MOST_WEIGHTS = 20_000_000
"""A regression with more weights (classes times features) takes gigabytes and hours: nearest neighbours instead."""
NEIGHBOURS = 5


def _pipeline(texts: list[str], targets: IntArray) -> Pipeline:
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline

    features = _features(is_unspaced(texts))
    n_classes = len(set(targets.tolist()))
    matrix = features.fit_transform(texts)
    if n_classes * matrix.shape[1] > MOST_WEIGHTS:
        classifier = KNeighborsClassifier(NEIGHBOURS, weights="distance", metric="cosine", algorithm="brute")
    else:
        classifier = _regression(_choose_strength(texts, targets, _features(is_unspaced(texts))), n_classes)
    return make_pipeline(features, classifier.fit(matrix, targets))


def _features(unspaced: bool) -> BaseEstimator:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_union

    if unspaced:
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2, dtype=np.float32)
    # Punctuation counts as a word: a question mark or an emoji often tells the class.
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\w+|[^\w\s]", dtype=np.float32)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2, dtype=np.float32)
    return make_union(words, pieces)


def _regression(strength: float, n_classes: int) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    solver = "liblinear" if n_classes == 2 else "lbfgs"
    return LogisticRegression(C=strength, solver=solver, max_iter=200)


def _choose_strength(texts: list[str], targets: IntArray, features: BaseEstimator) -> float:
    """The C with the best accuracy on a held-out fifth of the training rows; 10 where there are too few rows to hold any out."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(texts))[:SELECTION_ROWS]
    n_held_out = len(order) // 5
    held_out, fitted = order[:n_held_out], order[n_held_out:]
    if n_held_out < 20 or len(set(targets[fitted].tolist())) < 2:
        return 10.0
    train = features.fit_transform([texts[i] for i in fitted])
    test = features.transform([texts[i] for i in held_out])
    n_classes = len(set(targets[fitted].tolist()))
    scores = {c: float(_regression(c, n_classes).fit(train, targets[fitted]).score(test, targets[held_out])) for c in STRENGTHS}
    return max(scores, key=lambda c: scores[c])
