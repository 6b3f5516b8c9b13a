"""`--baselines all`: what a logistic regression reaches on the vectors of the model as it is, before anything is trained.

It is measured and not saved: a model that does worse has learned too little, and is to be trained better.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from superfine.errors import ConfigError
from superfine.metrics import log_losses, softmax
from superfine.recipes.embeddings import vectors_of
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Counter, Reporter
from superfine.records import Answers, Examples, FloatArray, IntArray
from superfine.tasks.task import Task

if TYPE_CHECKING:
    from superfine.model import Model

STRENGTHS = (1.0, 4.0, 16.0, 64.0)
"""Candidates for the inverse regularisation strength C; validation rows choose."""
Embed = Callable[[Examples], FloatArray]


class FrozenEmbeddings:
    """See the module. classes: (K',) the ids of the classes that training rows had."""

    title: ClassVar[str] = "logistic regression on the model as it is"

    def __init__(self, task: Task, embed: Embed, regression: Any, classes: IntArray) -> None:
        self.task, self._embed, self._regression, self._classes = task, embed, regression, classes

    @classmethod
    def fit(cls, parts: Parts, embed: Embed) -> FrozenEmbeddings:
        """On training rows with the strength that is best on validation rows, and then on both."""
        task, rows = parts.task, parts.train.joined(parts.validation)
        train, validation, every = (embed(part) for part in (parts.train, parts.validation, rows))
        targets, held_out = task.gold(parts.train), task.gold(parts.validation)
        losses = {strength: _loss(_fitted(train, targets, strength), validation, held_out) for strength in STRENGTHS}
        best = min(losses, key=lambda strength: losses[strength])
        regression = _fitted(every, task.gold(rows), best)
        return cls(task, embed, regression, np.asarray(regression.classes_, dtype=np.int64))

    def predict_examples(self, examples: Examples) -> Answers:
        """The answer for each example, in the order given."""
        outputs = np.full((len(examples), len(self.task.head)), -np.inf)
        outputs[:, self._classes] = _log_probabilities(self._regression, self._embed(examples))
        return self.task.decode(examples, outputs)


def refuse_if_no_classes(task: Task) -> None:
    """Raises ConfigError for a task whose answer is not one class of a text."""
    if task.head.activation != "softmax" or task.head.by_token or not task.reads_classes:
        raise ConfigError(
            f"--baselines all adds a logistic regression for one class of a text, not for the task {task.name}.", "Leave it out."
        )


def embed_once(model: Model, parts: Parts, reporter: Reporter) -> Embed:
    """A function from examples of these parts to their vectors, which are computed now, once for each different text."""
    reporter.stage("embedding")
    counter = Counter(reporter, len(parts.train) + len(parts.validation) + len(parts.test))
    place: dict[tuple[str, str], int] = {}
    vectors = []
    for part in (parts.train, parts.validation, parts.test):
        new = []
        for i, key in enumerate(_keys(part)):
            if key not in place:
                place[key] = len(place)
                new.append(i)
        if new:
            vectors.append(vectors_of(model, part.take(new), counter))
        counter(len(part) - len(new))
    table = np.concatenate(vectors)
    return lambda examples: table[[place[key] for key in _keys(examples)]]


def _keys(examples: Examples) -> list[tuple[str, str]]:
    return list(zip(examples.text, examples.text_pair or [""] * len(examples), strict=True))


def _fitted(vectors: FloatArray, targets: IntArray, strength: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=300).fit(vectors, targets)


def _log_probabilities(regression: Any, vectors: FloatArray) -> FloatArray:
    """(n, K') of the classes that it was fitted on."""
    if not len(vectors):
        return np.zeros((0, len(regression.classes_)))
    return np.asarray(regression.predict_log_proba(vectors))


def _loss(regression: Any, vectors: FloatArray, targets: IntArray) -> float:
    """The mean log loss over rows of classes that it was fitted on."""
    known = np.isin(targets, regression.classes_)
    if not known.any():
        return 0.0
    places = np.searchsorted(regression.classes_, targets[known])
    return float(log_losses(places, softmax(_log_probabilities(regression, vectors[known]))).mean())
