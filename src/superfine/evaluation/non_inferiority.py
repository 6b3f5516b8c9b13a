"""Is one predictor at most so much worse than another? By the upper end of a one-sided 95 % interval of what it loses.

Of shares of rows that stand alone the end is that of the score test for paired shares (Tango 1998); of other scores a percentile
of paired resamples, and at least what so many rows, or groups, can show that do not differ at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from superfine.evaluation import N_RESAMPLES
from superfine.evaluation.compare import discordant_rows, paired_draws
from superfine.evaluation.evaluate import evaluate
from superfine.evaluation.intervals import expansion
from superfine.evaluation.units import Units
from superfine.records import Ranking, Score, Statistics

ONE_SIDED = 1.6448536269514722
"""The normal quantile of 95 %."""


@dataclass(frozen=True)
class NonInferiority:
    """margin: the largest loss that is accepted. loss: the score of the second minus that of the first. upper: what the loss is
    below, 95 % sure."""

    margin: float
    loss: float
    upper: float

    @property
    def holds(self) -> bool:
        """Whether the first is shown to lose less than the margin."""
        return bool(self.upper < self.margin)

    def to_json(self) -> dict[str, Any]:
        return {**vars(self), "holds": self.holds}


def non_inferiority(
    a: Statistics, b: Statistics, scores: Mapping[str, Score], groups: Sequence[str] | None = None, *, main: str, margin: float
) -> NonInferiority | None:
    """Whether `a` loses less than `margin` of the main score against `b`, on the same rows; None where nothing defines it, or
    the score ranks rows."""
    score = scores[main]
    if isinstance(score, Ranking):
        return None
    values = [evaluate(of, {main: score}, groups).scores.get(main) for of in (a, b)]
    if values[0] is None or values[1] is None:
        return None
    loss = values[1].value - values[0].value
    of_a, of_b = Units.of(a, groups), Units.of(b, groups)
    discordant = discordant_rows(score, of_a, of_b)
    if discordant is not None:
        return NonInferiority(margin, loss, upper_loss(discordant[1], discordant[0], len(a)))
    draws = paired_draws(score, of_a, of_b, 0, N_RESAMPLES)
    if draws is None:
        return None
    upper = loss + expansion(of_a) * (float(np.nanpercentile(-draws, 95)) - loss)
    # Resamples of units that all agree agree too, however few they are: no less is shown than by a share of so many.
    return NonInferiority(margin, loss, max(upper, loss + upper_loss(0, 0, len(of_a))))


def fewest_rows(margin: float) -> int:
    """Of how many rows, none of them answered differently, a share is shown to lose less than the margin."""
    few, many = 1, 1
    while upper_loss(0, 0, many) >= margin:
        few, many = many, 2 * many
    while few + 1 < many:
        middle = (few + many) // 2
        few, many = (few, middle) if upper_loss(0, 0, middle) < margin else (middle, many)
    return many


def most_changes(n: int, margin: float) -> int:
    """How many of n rows may be answered differently, half of them for the worse, so that less than the margin is shown to be
    lost."""
    few, many = 0, n + 1
    while few + 1 < many:
        middle = (few + many) // 2
        few, many = (middle, many) if upper_loss((middle + 1) // 2, middle // 2, n) < margin else (few, middle)
    return few


def upper_loss(lost: int, won: int, n: int, quantile: float = ONE_SIDED) -> float:
    """The upper end of the loss as a share of n rows. lost: rows that the second has right and the first has wrong; won: those
    the other way round."""
    from scipy.optimize import brentq

    def statistic(loss: float) -> float:
        a, b, c = 2 * n, -lost - won + (2 * n - lost + won) * loss, -won * loss * (1 - loss)
        share = (np.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        variance = n * (2 * share + loss * (1 - loss))
        return float((lost - won - n * loss) / np.sqrt(variance)) if variance > 0 else -np.inf

    start = (lost - won) / n
    if start >= 1:
        return 1.0
    return float(brentq(lambda loss: statistic(loss) + quantile, start + 1e-12, 1 - 1e-12))
