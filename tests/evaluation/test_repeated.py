"""A score of several trainings holds the choice of rows and that of seeds."""

import numpy as np
import pytest

from superfine.evaluation.repeated import over_trainings
from superfine.records import Interval


def test_trainings_that_agree_have_the_interval_of_their_rows():
    found = over_trainings([Interval(0.9, 0.87, 0.92)] * 3)
    assert (found.mean.value, found.mean.low, found.mean.high) == pytest.approx((0.9, 0.87, 0.92))
    assert found.deviation == 0


def test_trainings_that_differ_widen_the_interval_beyond_that_of_rows():
    found = over_trainings([Interval(value, value - 0.03, value + 0.02) for value in (0.88, 0.90, 0.92)])
    assert found.mean.value == pytest.approx(0.90)
    assert found.deviation == pytest.approx(0.02)
    assert found.mean.low < 0.90 - 0.03 - 0.01
    assert found.mean.high > 0.90 + 0.02 + 0.01


def test_the_interval_holds_the_truth_at_least_as_often_as_it_says():
    """Trainings vary by 0.01, rows by 0.01: 95 of 100 intervals hold the mean of all trainings on all rows."""
    rng, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        of_rows = rng.normal(0, 0.01)
        values = 0.9 + of_rows + rng.normal(0, 0.01, 3)
        found = over_trainings([Interval(value, value - 0.0196, value + 0.0196) for value in values]).mean
        inside += found.low <= 0.9 <= found.high
    assert inside / 2000 >= 0.95
