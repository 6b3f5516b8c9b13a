"""Weak slices are found, and of twenty looks at nothing none is taken for one."""

import numpy as np
import pytest

from superfine.evaluation.multiple_testing import holm
from superfine.evaluation.slices import Slice, row_scores, weak_slices
from superfine.tasks.classification import Classification
from tests.evaluation.tables import table


def random_slices(rng, n, many):
    return [Slice("word", str(i), rng.random(n) < rng.uniform(0.03, 0.5)) for i in range(many)]


def test_holm_equals_the_definition():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []


def test_chance_is_taken_for_a_weak_slice_in_at_most_a_twentieth_of_the_cases():
    rng = np.random.default_rng(0)
    false = [bool(weak_slices((rng.random(600) < 0.85).astype(float), random_slices(rng, 600, 60))) for _ in range(150)]
    assert np.mean(false) <= 0.07


def test_groups_are_the_units_where_rows_of_one_are_alike():
    rng, n_groups = np.random.default_rng(1), 150
    groups = [str(i // 4) for i in range(4 * n_groups)]
    with_groups, without = [], []
    for _ in range(80):
        values = np.repeat(rng.random(n_groups) < 0.85, 4).astype(float)
        candidates = [Slice("word", str(i), np.repeat(rng.random(n_groups) < 0.3, 4)) for i in range(40)]
        with_groups.append(bool(weak_slices(values, candidates, groups)))
        without.append(bool(weak_slices(values, candidates)))
    assert np.mean(with_groups) <= 0.1
    assert np.mean(without) > 0.2, "rows that repeat each other would look like evidence"


def test_a_planted_weak_slice_is_found_with_its_scores():
    rng = np.random.default_rng(2)
    weak = rng.random(1000) < 0.1
    values = np.where(weak, rng.random(1000) < 0.6, rng.random(1000) < 0.9).astype(float)
    found = weak_slices(values, [*random_slices(rng, 1000, 50), Slice("word", "refund", weak)])
    assert [one.name for one in found] == ["refund"]
    assert found[0].n == weak.sum()
    assert found[0].inside == pytest.approx(values[weak].mean())
    assert found[0].elsewhere == pytest.approx(values[~weak].mean())
    assert found[0].p < 0.05


def test_a_weak_slice_of_graded_scores_is_found():
    rng = np.random.default_rng(3)
    weak = rng.random(800) < 0.15
    values = np.clip(rng.normal(np.where(weak, 0.5, 0.8), 0.15), 0, 1)
    assert [one.name for one in weak_slices(values, [Slice("word", "refund", weak), *random_slices(rng, 800, 30)])] == ["refund"]


def test_small_slices_and_nearly_all_rows_are_not_looked_at():
    values = np.array([0.0] * 10 + [1.0] * 190)
    few = Slice("word", "few", np.arange(200) < 10)
    most = Slice("word", "most", np.arange(200) < 190)
    assert weak_slices(values, [few, most]) == []


def test_accuracy_is_a_mean_over_rows_and_macro_f1_is_none():
    true, probabilities = np.array([0, 1, 1, 0]), np.eye(2)[[0, 1, 0, 0]]
    statistics, scores = table(true, probabilities)
    name, values = row_scores(statistics, scores, "macro_f1")
    assert name == "accuracy"
    assert values.tolist() == [1, 1, 0, 1]
    assert row_scores(statistics, {"macro_f1": scores["macro_f1"]}, "macro_f1") is None
    assert Classification.main == "accuracy"
