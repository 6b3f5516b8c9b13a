"""`--learning-curve`: the same training on fractions of the rows, and what more labelled rows would bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.data.clean import same_text_keys
from superfine.data.split import split
from superfine.errors import ConfigError
from superfine.evaluation.compare import compare
from superfine.evaluation.evaluate import with_standard_error
from superfine.evaluation.intervals import NORMAL
from superfine.evaluation.learning_curve import CurvePoint, Gain, expected_gains
from superfine.metrics import title_of
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request
from superfine.records import Answers, Count, IntArray, Score, Statistics, bounds_of
from superfine.tasks.task import Task

if TYPE_CHECKING:
    from superfine.recipes.fine_tune import Opened

FRACTIONS = ((0.125, 2), (0.25, 2), (0.5, 1))
"""Of the training rows, and how many trainings on each: small ones vary more and cost less."""
FEWEST_ROWS = 64
"""Of fewer rows an eighth tells nothing."""
MORE = (0.25, 0.5, 1.0)
"""Shares of the training rows that are thought of as added."""


def refuse_if_too_few(parts: Parts) -> None:
    """Raises ConfigError where fractions of the rows would be too small to learn from."""
    n, least = len(parts.train), max(FEWEST_ROWS, 8 * len(parts.task.labels))
    if n < least:
        raise ConfigError(
            f"--learning-curve learns from an eighth of the training rows too, and there are only {n}; it needs {least}.",
            "Leave it out.",
        )


def learning_curve(
    opened: Opened, parts: Parts, task: Task, answers: Answers, request: Request, reporter: Reporter
) -> dict[str, Any] | None:
    """What trainings on fractions of the rows score on the test part, and the gain that more rows promise; None where it was
    interrupted. task: as the model that learned from all rows has it; answers: its own, for every test row."""
    score = task.scores[task.main]
    whole = task.statistics(parts.scored_test, answers.take(parts.scored))
    last = CurvePoint(len(parts.train), main_score(whole, task, score))
    points = []
    for rows, seed in fractions(parts):
        reporter.stage("learning curve")
        reporter.note(f"With {len(rows)} of {len(parts.train)} training rows")
        some = replace(parts, train=parts.train.take(rows), config=parts.config.model_copy(update={"seed": seed}))
        statistics = _statistics(opened, some, request, reporter)
        if statistics is None:
            reporter.note("The learning curve is left out.")
            return None
        points.append(point_beside(whole, statistics, len(rows), task, score, parts.scored_test.group))
        reporter.note(f"The score is {points[-1].value:.3f}")
    points = [*sorted(points, key=lambda point: point.n), last]
    gains = expected_gains(points, [in_round_numbers(share * last.n) for share in MORE], *upper_bound(score))
    if not gains:
        reporter.note("The scores of parts of the rows follow no power law: what more rows would bring is not told.")
    for gain in gains[1:2]:
        reporter.note(said(gain, task.main))
    return {"points": [point.to_json() for point in points], "gains": [gain.to_json() for gain in gains]}


def said(gain: Gain, main: str) -> str:
    """What more rows would bring, in words."""
    title = title_of(main)
    ends = gain.gain.value, gain.gain.low, gain.gain.high
    if title.unit == "number":
        value, low, high = (f"{end:+.3f}" for end in ends)
        return f"Another {gain.more} labelled rows: {value} ({low} to {high})"
    value, low, high = (f"{100 * end:+.1f}" for end in ends)
    return f"Another {gain.more} labelled rows: {value} points ({low} to {high})"


def fractions(parts: Parts) -> Iterator[tuple[IntArray, int]]:
    """The rows of each training and its seed. Texts and groups stay together, classes in proportion."""
    keys = same_text_keys(parts.train.text, parts.train.text_pair)
    strata = parts.task.strata(parts.train)
    for share, n_draws in FRACTIONS:
        for draw in range(n_draws):
            seed = parts.config.seed + draw
            _, chosen = split(strata, keys, share, seed=seed + 1000, groups=parts.train.group)
            yield chosen, seed


def _statistics(opened: Opened, parts: Parts, request: Request, reporter: Reporter) -> Statistics | None:
    from superfine.recipes.trials import run_trial

    trial = run_trial(opened, parts, request, reporter)
    if trial.was_interrupted:
        return None
    test = parts.scored_test
    return trial.model.task.statistics(test, trial.model.predict_examples(test))


def point_beside(
    whole: Statistics, some: Statistics, n: int, task: Task, score: Score, groups: Sequence[str] | None = None
) -> CurvePoint:
    """What a training on n rows scores, beside that on all of them."""
    difference = compare(some, whole, {task.main: score}, groups, main=task.main).differences.get(task.main)
    deviation = 0.0 if difference is None else (difference.high - difference.low) / (2 * NORMAL)
    return CurvePoint(n, main_score(some, task, score), deviation)


def main_score(statistics: Statistics, task: Task, score: Score) -> float:
    assert not isinstance(score, Count)
    return with_standard_error(statistics, score)[0]


def upper_bound(score: Score) -> tuple[float, float]:
    """What a score cannot exceed, and its range."""
    low, high = bounds_of(score)
    high = high if np.isfinite(high) else 1.0
    return high, high - (low if np.isfinite(low) else 0.0)


def in_round_numbers(n: float) -> int:
    """About so many, with one or two digits that are not zero."""
    size = int(10 ** max(0, int(np.floor(np.log10(max(n, 1))))))
    return max(1, round(n / size * 2) * size // 2)
