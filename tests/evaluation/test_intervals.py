"""Intervals are honest: they cover as often as they say, nest, and shrink with more rows."""

import numpy as np

from superfine.evaluation.compare import compare
from superfine.evaluation.evaluate import evaluate
from superfine.evaluation.intervals import interval, resampled_counts, row_weights
from superfine.records import Predictions


def predictions(classes, k=2, sharpness=0.8):
    n = len(classes)
    probabilities = np.full((n, k), (1 - sharpness) / (k - 1))
    probabilities[np.arange(n), classes] = sharpness
    return Predictions(np.arange(n), tuple("abcdefgh"[:k]), probabilities)


def test_the_95_percent_interval_lies_inside_the_99_percent_one():
    samples = np.random.default_rng(0).normal(size=2000)
    narrow, wide = interval(0.0, samples, 0.95), interval(0.0, samples, 0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_interval_of_accuracy_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        true = rng.integers(0, 2, 150)
        said = np.where(rng.random(150) < 0.8, true, 1 - true)
        accuracy = evaluate(true, predictions(said), seed=trial, n_resamples=300).scores["accuracy"]
        covered += accuracy.low <= 0.8 <= accuracy.high
    assert 178 <= covered <= 199


def test_more_rows_give_a_narrower_interval():
    rng = np.random.default_rng(2)
    widths = []
    for n in (100, 2500):
        true = rng.integers(0, 2, n)
        score = evaluate(true, predictions(np.where(rng.random(n) < 0.8, true, 1 - true))).scores["accuracy"]
        widths.append(score.high - score.low)
    assert widths[1] < widths[0] / 3


def test_resampling_counts_is_resampling_rows():
    draws = np.concatenate(list(resampled_counts(np.array([30, 50, 20]), 4000, np.random.default_rng(3))))
    assert (draws.sum(axis=1) == 100).all()
    np.testing.assert_allclose(draws.mean(axis=0), [30, 50, 20], atol=0.5)
    np.testing.assert_allclose(draws.var(axis=0), [21, 25, 16], rtol=0.1)


def test_an_interval_holds_its_score_even_with_two_texts_a_class():
    rng = np.random.default_rng(8)
    true = np.repeat(np.arange(150), 2)
    said = np.where(rng.random(300) < 0.6, true, rng.integers(0, 150, 300))
    probabilities = np.eye(150)[said]
    evaluation = evaluate(true, Predictions(np.arange(300), tuple(map(str, range(150))), probabilities))
    for name, score in evaluation.scores.items():
        assert score.low < score.value < score.high, name


def test_all_right_is_not_certainty():
    true = np.array([0, 1] * 10)
    evaluation = evaluate(true, predictions(true))
    accuracy = evaluation.scores["accuracy"]
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert abs(accuracy.low - 20 / (20 + 1.96**2)) < 1e-9, "Wilson's lower end for 20 of 20"
    assert evaluation.per_class["a"]["recall"].low < accuracy.low, "ten texts say less than twenty"
    wrong = evaluate(true, predictions(1 - true)).scores["accuracy"]
    assert (wrong.low, wrong.value) == (0.0, 0.0)
    assert wrong.high > 0.1


def test_thousands_of_classes_fit_into_memory():
    rng = np.random.default_rng(9)
    true, k = rng.integers(0, 3000, 4000), 3000
    probabilities = np.zeros((4000, k), dtype=np.float32)
    probabilities[np.arange(4000), np.where(rng.random(4000) < 0.5, true, rng.integers(0, k, 4000))] = 1
    evaluation = evaluate(true, Predictions(np.arange(4000), tuple(map(str, range(k))), probabilities), n_resamples=100)
    assert 0.45 < evaluation.scores["accuracy"].value < 0.55


def test_row_weights_draw_as_many_rows_as_there_are():
    chunks = list(row_weights(50, 30, np.random.default_rng(0)))
    assert sum(len(c) for c in chunks) == 30
    assert all((c.sum(axis=1) == 50).all() for c in chunks)


def test_a_paired_difference_sees_what_unpaired_intervals_hide():
    rng = np.random.default_rng(4)
    true = rng.integers(0, 2, 600)
    worse = np.where(rng.random(600) < 0.8, true, 1 - true)
    better = worse.copy()
    better[np.flatnonzero(worse != true)[:20]] = true[np.flatnonzero(worse != true)[:20]]
    result = compare(true, predictions(better), predictions(worse))
    a, b = (evaluate(true, predictions(x)).scores["accuracy"] for x in (better, worse))
    assert a.low < b.high, "the separate intervals overlap"
    assert result.distinguishable("accuracy")
    assert abs(result.differences["accuracy"].value - 20 / 600) < 1e-12


def test_a_predictor_is_not_distinguishable_from_itself():
    true = np.random.default_rng(5).integers(0, 2, 100)
    result = compare(true, predictions(true[::-1]), predictions(true[::-1]))
    assert not result.distinguishable("accuracy")


def test_the_paired_difference_equals_the_difference_of_the_scores():
    rng = np.random.default_rng(6)
    true, a, b = (rng.integers(0, 3, 120) for _ in range(3))
    result = compare(true, predictions(a, 3), predictions(b, 3))
    for name, difference in result.differences.items():
        expected = evaluate(true, predictions(a, 3)).scores[name].value - evaluate(true, predictions(b, 3)).scores[name].value
        assert abs(difference.value - expected) < 1e-12
