"""Fitting the baselines on what the model may learn from, and letting them predict the test part."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from superfine.data.clean import clean_all
from superfine.evaluation import BASELINES
from superfine.recipes.outputs import Timing
from superfine.recipes.prepare import Parts
from superfine.recipes.request import Request
from superfine.records import Examples, IntArray, Predictions

SHARE_OF_LIMIT = 0.1
SECONDS_PER_ROW = 0.003
"""Under a time limit the baselines get a tenth of it: a regression over n-grams takes a few milliseconds a row."""
MOST_ROWS = 50_000
"""Of more rows, so many are enough to tell what TF-IDF can do; all of a million would take an hour and most of the memory."""


@dataclass(frozen=True)
class BaselinePredictions:
    """What a baseline is called, and what it predicts for the test part."""

    title: str
    predictions: Predictions


def predict_baselines(parts: Parts, timing: Timing, request: Request) -> dict[str, BaselinePredictions]:
    """Every baseline, fitted on the training rows and on the validation rows (by which the model only chooses)."""
    started = time.perf_counter()
    rows = _together(parts.train, parts.validation)
    targets = np.concatenate([parts.targets(parts.train), parts.targets(parts.validation)])
    limit = request.config.training.time_limit
    affordable = MOST_ROWS if limit is None else min(MOST_ROWS, max(1000, int(limit * SHARE_OF_LIMIT / SECONDS_PER_ROW)))
    if affordable < len(rows):
        chosen = _some_of_each_class(targets, affordable)
        rows, targets = rows.take(chosen), targets[chosen]
        timing.baseline_rows = len(chosen)
    if request.config.data.cleaning:
        rows, test = _cleaned(rows), _cleaned(parts.test)
    else:
        test = parts.test
    labels = parts.task.labels
    baselines = {}
    for name in BASELINES:
        fitted = BASELINES.load(name).fit(rows, targets, labels)
        baselines[name] = BaselinePredictions(fitted.title, fitted.predict_examples(test))
    timing.baseline_seconds = time.perf_counter() - started
    return baselines


def _together(a: Examples, b: Examples) -> Examples:
    pair = None if a.text_pair is None or b.text_pair is None else a.text_pair + b.text_pair
    return Examples(row=np.concatenate([a.row, b.row]), text=a.text + b.text, text_pair=pair)


def _cleaned(examples: Examples) -> Examples:
    """As the model's tokenizer reads them."""
    pair = None if examples.text_pair is None else clean_all(examples.text_pair)
    return replace(examples, text=clean_all(examples.text), text_pair=pair)


def _some_of_each_class(targets: IntArray, n: int) -> IntArray:
    """About n random indices, with at least one of each class."""
    order = np.random.default_rng(0).permutation(len(targets))
    _, first = np.unique(targets[order], return_index=True)
    return np.union1d(order[:n], order[first])
