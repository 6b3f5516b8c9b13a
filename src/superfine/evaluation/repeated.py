"""One score from several trainings: its mean, how much it varies from one to the next, and an interval that holds both that and
the choice of test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from superfine.evaluation.intervals import student
from superfine.records import UNBOUNDED, Bounds, Interval


@dataclass(frozen=True)
class Repeated:
    """mean: with its 95 % interval. deviation: of the score from training to training, the sample's standard deviation."""

    mean: Interval
    deviation: float

    def to_json(self) -> dict[str, Any]:
        return {**self.mean.to_json(), "deviation": self.deviation}


def over_trainings(scores: Sequence[Interval], bounds: Bounds = UNBOUNDED) -> Repeated:
    """Of trainings, two at least, that are scored on the same rows. bounds: of the score.

    The margin is the root of two squares: that of the rows, the mean of the margins of the trainings (their scores go up and down
    together with the rows), and that of the trainings, Student's quantile · deviation / √n. The first holds some of the second:
    the interval is rather too wide than too narrow.
    """
    values = np.array([score.value for score in scores])
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    of_trainings = float(student(len(values))) * deviation / np.sqrt(len(values))
    below = float(np.hypot(np.mean([score.value - score.low for score in scores]), of_trainings))
    above = float(np.hypot(np.mean([score.high - score.value for score in scores]), of_trainings))
    return Repeated(Interval(mean, max(mean - below, bounds[0]), min(mean + above, bounds[1])), deviation)
