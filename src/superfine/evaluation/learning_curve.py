"""What more labelled rows would bring: scores of models that learned from fewer, and a power law through them.

The loss (what a score lacks to its upper bound) falls with the number of rows n as a + b n^-c, c > 0 (Hestness et al. 2017;
Rosenfeld et al. 2020). How surely the three are known is computed on a grid, with flat priors, together with how much the score
of a training varies by itself. The interval of a gain is that of what the next training would show on the same test rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from superfine.evaluation.intervals import COVERAGE
from superfine.records import FloatArray, Interval

FLOORS = np.linspace(0.0, 1.0, 21)
"""The share of the present loss that no number of rows takes away; 1: more rows bring nothing."""
EXPONENTS = np.linspace(0.05, 1.6, 26)
SPREADS = np.array([0.002, 0.004, 0.007, 0.012, 0.02, 0.035])
"""Standard deviations of the score of all rows' training, by itself, as shares of the score's range."""
N_LEVELS, N_GAINS = 25, 400
MISFIT = 2.5
"""Standard deviations, with the largest of the spreads, beyond which a score is off the best curve: no power law is there."""
FEWEST_POINTS = 3


@dataclass(frozen=True)
class CurvePoint:
    """What a training on some of the rows came to.

    n: rows. value: the score on the test rows. deviation: the standard error of its difference to the score of all rows, on these
    test rows; 0 for that one itself.
    """

    n: int
    value: float
    deviation: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "value": self.value, "deviation": self.deviation}


@dataclass(frozen=True)
class Gain:
    """more: rows beside those that there are. gain: how much the score rises, with the 95 % interval of the next training."""

    more: int
    gain: Interval

    def to_json(self) -> dict[str, Any]:
        return {"more": self.more, **self.gain.to_json()}


def expected_gains(points: Sequence[CurvePoint], more: Sequence[int], bound: float = 1.0, span: float = 1.0) -> list[Gain]:
    """What that many more rows each would bring, by trainings on different numbers of rows, those on all of them the last.

    bound: of the score, from below which it rises; span: its range. Nothing for fewer than three different numbers of rows, or
    where no power law goes through the scores, as where the smallest parts teach nothing yet.
    """
    if len({point.n for point in points}) < FEWEST_POINTS:
        return []
    n = np.array([point.n for point in points], dtype=np.float64)
    loss = (bound - np.array([point.value for point in points])) / span
    noise = np.array([point.deviation for point in points]) / span
    shares, last = n / n[-1], float(loss[-1])
    reach = 4 * float(np.hypot(SPREADS[-1], noise.max()))
    levels = np.linspace(max(1e-6, last - reach), last + reach, N_LEVELS)
    floor, exponent, level, spread = (axis.ravel() for axis in np.meshgrid(FLOORS, EXPONENTS, levels, SPREADS, indexing="ij"))
    log_weight = np.zeros(len(level))
    for share, measured, error in zip(shares, loss, noise, strict=True):
        # A training on fewer rows varies more: by which rows they are, too.
        variance = spread**2 / share + error**2 / 2
        residual = measured - _loss(share, floor, exponent, level)
        log_weight -= 0.5 * residual**2 / variance + 0.5 * np.log(variance)
    best = int(log_weight.argmax())
    fitted = _loss(shares, floor[best], exponent[best], level[best])
    if (np.abs(loss - fitted) > MISFIT * np.hypot(SPREADS[-1] / np.sqrt(shares), noise)).any():
        return []
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    likely = weight > 1e-7
    floor, exponent, level, spread, weight = (axis[likely] for axis in (floor, exponent, level, spread, weight))
    between = float(noise[n < n[-1]].min(initial=noise.max()))
    # Both the score that there is and the next one vary by themselves.
    deviation = np.sqrt(2 * spread**2 + between**2)
    return [Gain(m, _predicted(level - _loss(1 + m / n[-1], floor, exponent, level), deviation, weight, span)) for m in more]


def _loss(share: float | FloatArray, floor: Any, exponent: Any, level: Any) -> FloatArray:
    return np.asarray(level * (floor + (1 - floor) * share**-exponent))


def _predicted(mean: FloatArray, deviation: FloatArray, weight: FloatArray, span: float) -> Interval:
    """The mean and the ends of the middle 95 % of a mixture of normal distributions."""
    from scipy.stats import norm

    expected = float(weight @ mean)
    spread = float(np.sqrt(weight @ (deviation**2 + (mean - expected) ** 2)))
    gains = np.linspace(expected - 6 * spread, expected + 6 * spread, N_GAINS)
    below = np.array([float(weight @ norm.cdf((gain - mean) / deviation)) for gain in gains])
    low, high = np.interp([(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], below, gains)
    return Interval(span * expected, span * float(low), span * float(high))
