"""The scores are scikit-learn's, and do not depend on the order of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from superfine import metrics


def random_problem(seed: int, n: int = 200, k: int = 4):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(k), n)
    true = np.where(rng.random(n) < 0.5, probabilities.argmax(1), rng.integers(0, k, n))
    return true, probabilities


@pytest.mark.parametrize("seed", range(5))
def test_every_confusion_score_equals_scikit_learns(seed):
    true, probabilities = random_problem(seed)
    predicted = probabilities.argmax(1)
    tally = metrics.tally(metrics.confusion_matrix(true, predicted, 4))
    expected = {"accuracy": reference.accuracy_score(true, predicted), "mcc": reference.matthews_corrcoef(true, predicted)}
    for average in ("macro", "weighted"):
        p, r, f, _ = reference.precision_recall_fscore_support(true, predicted, average=average, zero_division=0)
        expected |= {f"{average}_precision": p, f"{average}_recall": r, f"{average}_f1": f}
    assert {name: float(score(tally)) for name, score in metrics.FROM_TALLY.items()} == pytest.approx(expected)


def test_macro_means_run_over_the_classes_that_occur():
    true, predicted = np.array([0, 0, 1]), np.array([0, 1, 1])
    tally = metrics.tally(metrics.confusion_matrix(true, predicted, 5))
    expected = reference.f1_score(true, predicted, average="macro")
    assert metrics.FROM_TALLY["macro_f1"](tally.only(tally.occurring())) == pytest.approx(expected)


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


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60), st.randoms())
def test_a_score_does_not_depend_on_the_order_of_rows(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    tallies = [metrics.tally(metrics.confusion_matrix(*map(np.array, zip(*rows, strict=True)), 4)) for rows in (pairs, shuffled)]
    for score in metrics.FROM_TALLY.values():
        assert float(score(tallies[0])) == float(score(tallies[1]))
