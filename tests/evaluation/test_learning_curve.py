"""What more rows would bring is within the interval as often as it is said to be."""

import numpy as np
import pytest

from superfine.evaluation.learning_curve import CurvePoint, expected_gains

SHARES = (0.125, 0.125, 0.25, 0.25, 0.5, 1.0)


def curve(rng, floor, height, exponent, spread, error=0.008, n=1000):
    """Points of a curve, and what twice the rows score more in another training."""

    def loss(share):
        return floor + height * share**-exponent

    def noisy(share):
        return 1 - loss(share) + rng.normal(0, np.hypot(spread / np.sqrt(share), error / np.sqrt(2)))

    points = [CurvePoint(int(n * share), noisy(share), error if share < 1 else 0.0) for share in SHARES]
    return points, noisy(2.0) - points[-1].value


@pytest.mark.slow
def test_the_gain_lies_in_its_interval_about_as_often_as_promised():
    rng, inside = np.random.default_rng(0), []
    for _ in range(80):
        given = rng.uniform(0, 0.15), rng.uniform(0.02, 0.3), rng.uniform(0.1, 0.9), rng.choice([0.003, 0.007, 0.015])
        points, gain = curve(rng, *given)
        found = expected_gains(points, [1000])[0].gain
        inside.append(found.low <= gain <= found.high)
    assert 0.88 <= np.mean(inside) <= 1.0


def test_a_steep_curve_promises_a_gain_and_a_flat_one_none():
    rng = np.random.default_rng(1)
    steep = expected_gains(curve(rng, 0.0, 0.2, 0.5, 0.002, 0.002)[0], [1000])[0].gain
    flat = expected_gains(curve(rng, 0.1, 0.0, 0.5, 0.002, 0.002)[0], [1000])[0].gain
    assert steep.low > 0.02
    assert steep.value == pytest.approx(0.2 - 0.2 / np.sqrt(2), abs=0.02)
    assert flat.low < 0 < flat.high
    assert abs(flat.value) < 0.01


def test_more_rows_promise_more_and_less_surely():
    points, _ = curve(np.random.default_rng(2), 0.05, 0.1, 0.4, 0.003, 0.003)
    few, many = (found.gain for found in expected_gains(points, [100, 4000]))
    assert many.value > few.value
    assert many.high - many.low > few.high - few.low


def test_two_numbers_of_rows_tell_nothing():
    assert expected_gains([CurvePoint(100, 0.8, 0.01), CurvePoint(200, 0.9)], [100]) == []


def test_a_score_with_another_range_is_reckoned_in_its_own_units():
    points, _ = curve(np.random.default_rng(3), 0.1, 0.1, 0.4, 0.003, 0.003)
    wide = [CurvePoint(point.n, 2 * point.value - 1, 2 * point.deviation) for point in points]
    own = expected_gains(points, [500])[0].gain
    scaled = expected_gains(wide, [500], 1.0, 2.0)[0].gain
    assert scaled.value == pytest.approx(2 * own.value, abs=1e-9)


def test_scores_that_follow_no_power_law_promise_nothing():
    """The smallest parts teach nothing yet, then the score jumps."""
    scores = [(48, 0.31), (48, 0.23), (95, 0.41), (95, 0.37), (191, 0.48), (382, 0.84)]
    assert expected_gains([CurvePoint(n, value, 0.02) for n, value in scores], [200]) == []


def test_more_rows_never_cost_anything_on_average_and_a_full_score_cannot_rise_much():
    rng = np.random.default_rng(4)
    for _ in range(10):
        points, _ = curve(rng, 0.1, 0.05, 0.3, 0.01)
        assert expected_gains(points, [1000])[0].gain.value >= 0
    full = [CurvePoint(n, value, 0.004) for n, value in [(100, 0.99), (200, 0.995), (400, 1.0), (800, 1.0)]]
    assert expected_gains(full, [800])[0].gain.value < 0.005


def test_a_score_below_nothing_promises_no_leap():
    """R² may be negative: the loss is above one then."""
    scores = [(50, -0.5), (50, -0.6), (100, -0.4), (100, -0.3), (200, -0.3), (400, -0.25)]
    (found,) = expected_gains([CurvePoint(n, value, 0.05) for n, value in scores], [100])
    assert found.gain.value < 0.1
