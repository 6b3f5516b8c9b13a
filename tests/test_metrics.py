"""The scores are scikit-learn's, and do not depend on the order of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from superfine import metrics
from superfine.evaluation.evaluate import evaluate
from tests.evaluation.tables import table


def random_problem(seed: int, n: int = 200, k: int = 4):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(k), n)
    true = np.where(rng.random(n) < 0.5, probabilities.argmax(1), rng.integers(0, k, n))
    return true, probabilities


def values(true, probabilities) -> dict[str, float]:
    statistics, scores = table(true, probabilities)
    found = evaluate(statistics, scores, n_resamples=20).scores
    return {name: score.value for name, score in found.items() if name != "calibration_error"}  # scikit-learn has none


@pytest.mark.parametrize("seed", range(5))
def test_every_score_equals_scikit_learns(seed):
    true, probabilities = random_problem(seed)
    predicted = probabilities.argmax(1)
    expected = {"accuracy": reference.accuracy_score(true, predicted), "mcc": reference.matthews_corrcoef(true, predicted)}
    for average in ("macro", "weighted"):
        p, r, f, _ = reference.precision_recall_fscore_support(true, predicted, average=average, zero_division=0)
        expected |= {f"{average}_precision": p, f"{average}_recall": r, f"{average}_f1": f}
    expected |= {
        "log_loss": reference.log_loss(true, probabilities),
        "brier_score": np.square(probabilities - np.eye(probabilities.shape[1])[true]).sum(axis=1).mean(),
        "roc_auc": reference.roc_auc_score(true, probabilities, multi_class="ovr"),
    }
    assert values(true, probabilities) == pytest.approx(expected)


def test_macro_means_run_over_the_classes_that_occur():
    true, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    assert values(true, np.eye(5)[predicted])["macro_f1"] == pytest.approx(reference.f1_score(true, predicted, average="macro"))


def test_a_class_that_is_never_said_counts_as_nothing_in_macro_precision():
    true, predicted = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1])
    expected = reference.precision_score(true, predicted, average="macro", zero_division=0)
    assert values(true, np.eye(3)[predicted])["macro_precision"] == pytest.approx(expected)


@pytest.mark.parametrize("k", [2, 4])
def test_roc_auc_and_log_loss_equal_scikit_learns(k):
    true, probabilities = random_problem(7, k=k)
    scores = probabilities[:, 1] if k == 2 else probabilities
    expected = reference.roc_auc_score(true, scores, multi_class="ovr")
    assert metrics.roc_auc(true, probabilities)[0] == pytest.approx(expected)
    assert metrics.log_losses(true, probabilities).mean() == pytest.approx(reference.log_loss(true, probabilities))


def test_roc_auc_counts_ties_half():
    probabilities = np.array([[0.5, 0.5]] * 6)
    assert metrics.roc_auc(np.array([0, 1, 0, 1, 0, 1]), probabilities)[0] == pytest.approx(0.5)


def test_roc_auc_with_weights_is_that_of_repeated_rows():
    true, probabilities = random_problem(3, n=40)
    weights = np.random.default_rng(0).integers(0, 4, 40).astype(float)
    repeated = np.repeat(np.arange(40), weights.astype(int))
    expected = metrics.roc_auc(true[repeated], probabilities[repeated])[0]
    assert metrics.roc_auc(true, probabilities, weights[None])[0] == pytest.approx(expected)


def test_the_confusion_is_a_list_of_the_cells_that_are_filled():
    cells = metrics.confusion_cells(np.array([0, 0, 2, 2]), np.array([0, 1, 2, 2]), 1000)
    assert cells.tolist() == [[0, 0, 1], [0, 1, 1], [2, 2, 2]]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60), st.randoms())
@pytest.mark.slow
def test_a_score_does_not_depend_on_the_order_of_rows(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    found = []
    for rows in (pairs, shuffled):
        true, said = map(np.array, zip(*rows, strict=True))
        found.append(values(true, np.eye(4)[said]))
    assert found[0] == pytest.approx(found[1])


def test_the_histogram_of_confidences_counts_right_and_wrong_answers_from_the_lowest_that_occurs():
    histogram = metrics.confidence_histogram(np.array([0.5, 0.62, 0.64, 1.0]), np.array([True, False, True, True]))
    assert [round(low, 2) for low, _, _ in histogram] == [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    assert {round(low, 2): (right, wrong) for low, right, wrong in histogram if right + wrong} == {
        0.5: (1, 0),
        0.6: (1, 1),
        0.95: (1, 0),
    }


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9]), st.booleans()), min_size=2, max_size=60))
def test_operating_points_are_those_of_scikit_learn(rows):
    probabilities, positive = np.array([p for p, _ in rows]), np.array([y for _, y in rows])
    if positive.all() or not positive.any():
        return
    points = np.array(metrics.operating_points(probabilities, positive))
    false, recall, thresholds = reference.roc_curve(positive, probabilities, drop_intermediate=False)
    np.testing.assert_allclose(points[:, 0], thresholds[1:])
    np.testing.assert_allclose(points[:, 1], recall[1:])
    np.testing.assert_allclose(points[:, 2], false[1:])
    for threshold, _, _, precision in points:
        assert precision == pytest.approx(positive[probabilities >= threshold].mean())


def test_of_many_rows_some_operating_points_are_kept_the_last_among_them():
    rng = np.random.default_rng(0)
    points = metrics.operating_points(rng.random(5000), rng.random(5000) < 0.3)
    assert len(points) == 80
    assert points[-1][1:3] == [1.0, 1.0]
