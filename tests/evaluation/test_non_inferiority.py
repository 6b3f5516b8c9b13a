"""A loss at the margin passes in a twentieth of the cases; none passes for want of rows."""

import numpy as np
import pytest

from superfine.evaluation.non_inferiority import non_inferiority, upper_loss
from tests.evaluation.tables import table


@pytest.mark.parametrize(("n", "margin", "changed"), [(300, 0.01, 0.04), (1000, 0.01, 0.03), (1000, 0.02, 0.08)])
def test_a_loss_at_the_margin_passes_in_about_a_twentieth_of_the_cases(n, margin, changed):
    rng = np.random.default_rng(0)
    lost, won = (changed + margin) / 2, (changed - margin) / 2
    draws = rng.multinomial(n, [lost, won, 1 - lost - won], size=2000)
    passed = [upper_loss(int(a), int(b), n) < margin for a, b, _ in draws]
    assert np.mean(passed) <= 0.065


def test_a_loss_without_any_change_is_bounded_by_the_number_of_rows():
    assert upper_loss(0, 0, 100) == pytest.approx(1.645**2 / (100 + 1.645**2), abs=1e-3)
    assert upper_loss(0, 0, 10_000) < 0.0004
    assert upper_loss(100, 0, 100) == 1.0


def pair(n, seed, flips):
    """Two tables of statistics; the first is wrong in some rows more."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 2, n)
    b = np.where(rng.random(n) < 0.9, true, 1 - true)
    a = b.copy()
    a[:flips] = 1 - true[:flips]
    return table(true, np.eye(2)[a])[0], *table(true, np.eye(2)[b])


def test_accuracy_is_tested_by_the_rows_that_differ():
    a, b, scores = pair(2000, 0, 8)
    found = non_inferiority(a, b, scores, main="accuracy", margin=0.01)
    assert found.holds
    assert 0 < found.loss < found.upper < 0.01
    assert not non_inferiority(a, b, scores, main="accuracy", margin=0.004).holds


def test_other_scores_and_groups_are_resampled_in_pairs():
    a, b, scores = pair(600, 1, 12)
    for main, groups in (("macro_f1", None), ("accuracy", [str(i // 3) for i in range(600)])):
        found = non_inferiority(a, b, scores, groups, main=main, margin=0.1)
        assert found.holds
        assert found.loss < found.upper


def test_a_score_that_ranks_rows_has_no_such_test():
    a, b, scores = pair(100, 2, 3)
    assert non_inferiority(a, b, scores, main="roc_auc", margin=0.1) is None
