"""A verdict is a test's, its size an interval's, and neither contradicts the other."""

import numpy as np
import pytest
from scipy.stats import binomtest

from superfine.evaluation.compare import compare
from superfine.evaluation.evaluate import evaluate
from tests.evaluation.tables import table


def compared(true, a, b, k=None, groups=None, only=None, **options):
    (of_a, scores), (of_b, _) = table(true, a, k), table(true, b, k)
    scores = scores if only is None else {only: scores[only]}
    return compare(of_a, of_b, scores, groups, main="accuracy", **options)


def discordant(n, for_a, for_b, wrong_in_both=0):
    """True classes and two sets of answers: `a` alone is right in some rows, `b` alone in others."""
    true = np.arange(n) % 2
    a, b = true.copy(), true.copy()
    b[:for_a] = 1 - b[:for_a]
    a[for_a : for_a + for_b] = 1 - a[for_a : for_a + for_b]
    both = slice(for_a + for_b, for_a + for_b + wrong_in_both)
    a[both], b[both] = 1 - true[both], 1 - true[both]
    return true, a, b


@pytest.mark.parametrize("n", [257, 872])
@pytest.mark.parametrize("for_a", [1, 2, 3, 4, 5])
def test_a_few_rows_all_one_way_decide_nothing_whatever_the_seed(n, for_a):
    for seed in range(5):
        result = compared(*discordant(n, for_a, 0, 30), only="accuracy", seed=seed)
        assert result.outcome == "undecided"
        assert result.p_values["accuracy"] == pytest.approx(2 * 0.5**for_a)


def test_the_test_of_accuracy_is_mcnemars_exact_one_and_its_mid_p_is_given():
    for for_a, for_b in ((6, 0), (8, 1), (20, 8), (5, 5), (3, 9)):
        result = compared(*discordant(300, for_a, for_b))
        assert result.p_values["accuracy"] == pytest.approx(binomtest(for_a, for_a + for_b).pvalue)
        k, n = min(for_a, for_b), for_a + for_b
        exact = binomtest(k, n).pvalue
        observed = binomtest(k, n, alternative="less").pvalue - (binomtest(k - 1, n, alternative="less").pvalue if k else 0)
        assert result.mid_p == pytest.approx(exact - observed if for_a != for_b else 1 - observed / 2)


@pytest.mark.slow
def test_swapping_at_random_gives_mcnemars_p_where_both_apply():
    true, a, b = discordant(200, 15, 4)
    exact = compared(true, a, b).p_values["accuracy"]
    rows_as_groups = [str(i) for i in range(200)]
    assert compared(true, a, b, groups=rows_as_groups).p_values["accuracy"] == pytest.approx(exact, abs=0.02)
    few = discordant(200, 9, 1)
    exact = compared(*few).p_values["accuracy"]
    assert compared(*few, groups=rows_as_groups).p_values["accuracy"] == pytest.approx(exact), "every swap is tried"


def test_what_is_clear_is_said():
    assert compared(*discordant(300, 20, 3)).outcome == "better"
    assert compared(*discordant(300, 3, 20)).outcome == "worse"


def test_a_verdict_never_stands_beside_no_difference():
    result = compared(*discordant(40_000, 9, 0), only="accuracy")
    assert result.p_values["accuracy"] < 0.01
    assert f"{100 * result.differences['accuracy'].value:+.1f}" == "+0.0"
    assert result.outcome == "undecided"


@pytest.mark.parametrize("n_discordant", [1, 2, 3, 5, 8, 12, 17, 30, 50])
def test_two_that_are_alike_are_called_different_at_most_five_times_in_a_hundred(n_discordant):
    rng = np.random.default_rng(n_discordant)
    trials = 400
    false = 0
    for _ in range(trials):
        for_a = int(rng.binomial(n_discordant, 0.5))
        result = compared(*discordant(100, for_a, n_discordant - for_a), only="accuracy")
        false += result.outcome != "undecided"
    assert false <= trials * 0.05 + 2.3 * np.sqrt(trials * 0.05 * 0.95)


def test_with_groups_the_groups_are_what_is_swapped():
    true, a, b = discordant(300, 24, 0)
    assert compared(true, a, b).outcome == "better"
    one_group = ["lucky"] * 24 + [str(i) for i in range(276)]
    result = compared(true, a, b, groups=one_group)
    assert result.p_values["accuracy"] == 1.0
    assert result.outcome == "undecided"


def test_a_paired_difference_sees_what_unpaired_intervals_hide():
    rng = np.random.default_rng(4)
    true = rng.integers(0, 2, 600)
    worse = np.where(rng.random(600) < 0.8, true, 1 - true)
    better = worse.copy()
    better[np.flatnonzero(worse != true)[:20]] = true[np.flatnonzero(worse != true)[:20]]
    result = compared(true, better, worse)
    a, b = (evaluate(*table(true, x)).scores["accuracy"] for x in (better, worse))
    assert a.low < b.high, "the separate intervals overlap"
    assert result.outcome == "better"
    assert abs(result.differences["accuracy"].value - 20 / 600) < 1e-12


def test_a_predictor_is_not_distinguishable_from_itself():
    true = np.random.default_rng(5).integers(0, 2, 100)
    result = compared(true, true[::-1], true[::-1])
    assert result.outcome == "undecided"
    assert set(result.p_values.values()) == {1.0}


def test_every_paired_difference_equals_the_difference_of_the_scores():
    rng = np.random.default_rng(6)
    true, a, b = (rng.integers(0, 3, 120) for _ in range(3))
    result = compared(true, a, b, 3, n_resamples=50)
    of_a, of_b = (evaluate(*table(true, said, 3), n_resamples=20).scores for said in (a, b))
    assert set(result.differences) == set(of_a)
    for name, difference in result.differences.items():
        assert abs(difference.value - (of_a[name].value - of_b[name].value)) < 1e-12
        assert difference.low <= difference.value <= difference.high


def test_any_score_has_a_test_of_its_own():
    rng = np.random.default_rng(7)
    true = rng.integers(0, 3, 400)
    noise = rng.normal(size=(400, 3))
    good, bad = (np.eye(3)[true] * strength + noise for strength in (2.5, 0.5))
    good, bad = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (good, bad))
    result = compared(true, good, bad, n_resamples=200)
    for name in ("macro_f1", "mcc", "log_loss", "roc_auc"):
        assert result.p_values[name] < 0.01, name
        assert not result.differences[name].holds_zero, name
    shuffled = rng.permutation(400)
    alike = compared(true[shuffled], good[shuffled], good[shuffled], n_resamples=200)
    assert alike.p_values["macro_f1"] == 1.0


def test_answers_to_other_rows_cannot_be_compared():
    (a, scores), (b, _) = table(np.zeros(5, int), np.zeros(5, int), 2), table(np.zeros(6, int), np.zeros(6, int), 2)
    with pytest.raises(ValueError, match="not of the same rows"):
        compare(a, b, scores, main="accuracy")
