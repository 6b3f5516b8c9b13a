"""Fitting the baselines on what the model may learn from, and letting them answer for the test part."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from superfine.baselines import BASELINES
from superfine.data.clean import STEPS
from superfine.errors import DataError
from superfine.recipes.frozen_embeddings import Embed, FrozenEmbeddings
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Reporter
from superfine.records import Answers, IntArray

SHARE_OF_LIMIT = 0.1
SECONDS_PER_ROW = 0.003
"""Under a time limit the baselines get a tenth of it: a regression over n-grams takes a few milliseconds a row."""
MOST_ROWS = 50_000
"""Of more rows, so many are enough to tell what TF-IDF can do; all of a million would take an hour and most of the memory."""


@dataclass(frozen=True)
class FittedBaseline:
    """A predictor with a `title`, its answers for the test part, and on how many rows it was fitted, or None: on all."""

    predictor: Any
    answers: Answers
    n_rows: int | None

    @property
    def is_saved(self) -> bool:
        """Whether it can be used instead of the model."""
        return hasattr(self.predictor, "save")


@dataclass(frozen=True)
class Baselines:
    """All that were fitted, by name, and the seconds it took."""

    fitted: dict[str, FittedBaseline]
    seconds: float


def fit_baselines(parts: Parts, reporter: Reporter, embed: Embed | None = None) -> Baselines:
    """Every baseline that can be fitted, on the training rows and on the validation rows (by which the model only chooses).

    embed: vectors of the model as it is, for the one that reads them; None leaves it out.
    """
    started = time.perf_counter()
    task, rows = parts.task, parts.train.joined(parts.validation)
    limit = parts.config.training.time_limit
    affordable = MOST_ROWS if limit is None else min(MOST_ROWS, max(1000, int(limit * SHARE_OF_LIMIT / SECONDS_PER_ROW)))
    n_rows = None
    if affordable < len(rows):
        chosen = _some_of_each_class(task.strata(rows), affordable)
        rows, n_rows = rows.take(chosen), len(chosen)
    cleaning = STEPS if parts.config.data.cleaning else ()
    fitted = {}
    for name in task.baselines:
        try:
            predictor = BASELINES.load(name).fit(rows, task, cleaning=cleaning)
        except DataError as error:  # the model may learn from what a baseline cannot read
            reporter.note(f"Without the baseline {name}: {error.message}")
            continue
        fitted[name] = FittedBaseline(predictor, predictor.predict_examples(parts.test), n_rows)
    if embed is not None:
        frozen = FrozenEmbeddings.fit(parts, embed)
        fitted["frozen_embeddings"] = FittedBaseline(frozen, frozen.predict_examples(parts.test), None)
    return Baselines(fitted, time.perf_counter() - started)


def _some_of_each_class(targets: IntArray, n: int) -> IntArray:
    """About n random indices, with at least one of each class."""
    order = np.random.default_rng(0).permutation(len(targets))
    _, first = np.unique(targets[order], return_index=True)
    return np.union1d(order[:n], order[first])
