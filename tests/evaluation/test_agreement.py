"""How far two computations lie apart is said in probabilities and in answers."""

import numpy as np
import pytest

from superfine.evaluation.agreement import agreement
from superfine.records import Choices, Values


def choices(probabilities):
    return Choices(np.arange(len(probabilities)), ("no", "yes"), np.asarray(probabilities))


def test_differences_and_changed_answers_are_counted():
    ours, theirs = np.array([[0.9, 0.1], [0.51, 0.49], [0.2, 0.8]]), np.array([[0.9, 0.1], [0.49, 0.51], [0.1, 0.9]])
    found = agreement(ours, theirs, [choices(ours), choices(theirs)])
    assert (found.n, found.changed) == (3, (1,))
    assert found.largest == pytest.approx(0.1)
    assert found.mean == pytest.approx((0.02 * 2 + 0.1 * 2) / 6)
    assert found.share_changed == pytest.approx(1 / 3)
    assert found.to_json() == {"texts": 3, "largest": found.largest, "mean": found.mean, "changed": 1}


def test_numbers_differ_by_what_they_vary_by_and_change_where_they_move_by_a_tenth_of_it():
    ours, theirs = np.array([[0.0], [1000.0], [500.0]]), np.array([[1.0], [1000.0], [550.0]])
    nothing = np.zeros(3)
    answers = [Values(np.arange(3), values[:, 0], nothing, nothing) for values in (ours, theirs)]
    found = agreement(ours, theirs, answers)
    assert found.changed == (2,)
    assert found.largest == pytest.approx(50 / ours.std())


def test_what_is_no_number_is_no_agreement():
    ours, theirs = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.9, 0.1], [np.nan, np.nan]])
    found = agreement(ours, theirs, [choices(ours), choices(ours)])
    assert not np.isfinite(found.largest)
    assert found.to_json()["largest"] is None


def test_no_text_is_no_difference():
    nothing = np.zeros((0, 2))
    found = agreement(nothing, nothing, [choices(nothing), choices(nothing)])
    assert (found.n, found.largest, found.mean, found.share_changed) == (0, 0.0, 0.0, 0.0)
