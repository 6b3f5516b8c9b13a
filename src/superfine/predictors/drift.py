"""Whether texts are like those that a model was calibrated on: what its confidence and its decisions promise holds for such.

A bundle keeps numbers of validation rows, no texts: how long each is, and how probable the model takes each class for it. A
logistic regression is to tell these from those of other rows (Lopez-Paz and Oquab 2017). It learns from one half of both and is
scored on the other, so under exchangeable rows its ranking is a toss of coins, and the test is Mann and Whitney's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np

from superfine.errors import ModelError
from superfine.metrics import auc_interval
from superfine.records import Answers, Choices, Examples, FloatArray, IntArray, Predictor

REFERENCE = "reference.npz"
"""In a bundle: `features` (n, f) float16 of validation rows. No `.safetensors`: some servers read every such file as weights."""
MOST_ROWS, FEWEST_ROWS, MOST_CLASSES = 1000, 50, 30
SIGNIFICANCE, TOLD = 0.01, 0.55
"""A difference is told that chance gives once in a hundred times, and that tells rows apart at least so well."""
LEAST = 1e-4


@dataclass(frozen=True)
class Drift:
    """How well texts are told from those of validation. auc: the area under the curve, 0.5 where nothing tells them apart; low,
    high: its 95 % interval; p: of the test that they are alike; n: rows that were looked at."""

    auc: float
    low: float
    high: float
    p: float
    n: int

    @property
    def is_there(self) -> bool:
        return self.p < SIGNIFICANCE and self.auc >= TOLD

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "differs": self.is_there}


def features_of(examples: Examples, answers: Answers) -> FloatArray | None:
    """(n, f): the logarithms of the length in characters and of the probabilities of the first classes, and the log odds of the
    answer; None for answers without probabilities of classes."""
    if not isinstance(answers, Choices):
        return None
    pairs = examples.text_pair or [""] * len(examples)
    lengths = np.array([len(text) + len(pair) for text, pair in zip(examples.text, pairs, strict=True)], dtype=np.float64)
    probabilities = np.clip(answers.probabilities, LEAST, 1 - LEAST)
    sure = np.clip(answers.confidence, LEAST, 1 - LEAST)
    columns = [np.log1p(lengths), np.log(sure / (1 - sure)), np.log(probabilities[:, :MOST_CLASSES])]
    return np.column_stack(columns)


@dataclass(frozen=True)
class Reference:
    """features: (n, f) of rows that the model was calibrated on."""

    features: FloatArray

    @classmethod
    def of(cls, predictor: Predictor, examples: Examples) -> Self | None:
        """Of at most `MOST_ROWS` rows, drawn; None where there are too few, or answers are of another kind."""
        if len(examples) < FEWEST_ROWS:
            return None
        examples = examples.take(chosen_rows(len(examples)))
        found = features_of(examples, predictor.predict_examples(examples))
        return None if found is None else cls(found)

    def save(self, folder: Path) -> None:
        np.savez_compressed(folder / REFERENCE, features=self.features.astype(np.float16))

    @classmethod
    def of_bundle(cls, folder: Path) -> Self | None:
        """None where the bundle keeps none. Raises ModelError for what cannot be read."""
        path = folder / REFERENCE
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as content:
                features = np.asarray(content["features"], dtype=np.float64)
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise ModelError(f"{path} cannot be read: {error}.", "Copy the bundle again, or train again.") from None
        return cls(features) if features.ndim == 2 and np.isfinite(features).all() else None

    def drift_of(self, features: FloatArray) -> Drift | None:
        """How the rows of these features (n, f) differ; None for too few."""
        if min(len(features), len(self.features)) < FEWEST_ROWS or features.shape[1] != self.features.shape[1]:
            return None
        from scipy.stats import mannwhitneyu  # these two take seconds to load, and few texts need neither
        from sklearn.linear_model import LogisticRegression

        rows = np.concatenate([self.features, features])
        rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-9)
        rows = np.column_stack([rows, np.square(rows).clip(0, 25)])
        is_new = np.arange(len(rows)) >= len(self.features)
        rng = np.random.default_rng(0)
        learned = np.zeros(len(rows), dtype=bool)
        for side in (is_new, ~is_new):
            members = rng.permutation(np.flatnonzero(side))
            learned[members[: len(members) // 2]] = True
        model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=300).fit(rows[learned], is_new[learned])
        scores = model.decision_function(rows[~learned])
        of_new, of_old = scores[is_new[~learned]], scores[~is_new[~learned]]
        p = float(mannwhitneyu(of_new, of_old, alternative="greater").pvalue)
        auc, low, high = auc_interval(of_new, of_old)
        return Drift(auc, low, high, p, len(features))


def chosen_rows(n: int) -> IntArray:
    """At most `MOST_ROWS` of n places, drawn, ascending."""
    return np.sort(np.random.default_rng(0).permutation(n)[:MOST_ROWS])
