"""Baselines learn what can be learned without a network, in both kinds of script."""

import numpy as np
import pytest

from superfine.evaluation.baselines import Majority, Tfidf, is_unspaced
from superfine.records import Examples
from tests.conftest import make_rows


def test_the_majority_baseline_says_the_most_frequent_class_with_the_class_shares():
    predicted = Majority.fit(Examples.of_texts(["x"] * 4), np.array([1, 1, 1, 0]), ("a", "b")).predict_examples(
        Examples.of_texts(["?"])
    )
    assert predicted.label == ["b"]
    np.testing.assert_allclose(predicted.probabilities, [[0.25, 0.75]])


def test_tfidf_learns_english_words():
    rows = make_rows(300)
    texts, targets = [t for t, _ in rows], np.array([label == "good" for _, label in rows]).astype(np.int64)
    model = Tfidf.fit(Examples.of_texts(texts[:200]), targets[:200], ("bad", "good"))
    assert (model.predict_examples(Examples.of_texts(texts[200:])).class_ids == targets[200:]).mean() > 0.95


def test_tfidf_reads_chinese_by_characters():
    good, bad = ["质量很好", "非常满意", "味道不错", "速度很快"], ["质量很差", "非常失望", "味道难吃", "速度太慢"]
    rng = np.random.default_rng(0)
    texts, targets = [], []
    for _ in range(120):
        k = int(rng.integers(0, 2))
        texts.append("".join(rng.permutation(good if k else bad)[:2]) + str(rng.integers(0, 99)))
        targets.append(k)
    assert is_unspaced(texts)
    model = Tfidf.fit(Examples.of_texts(texts[:80]), np.array(targets[:80]), ("bad", "good"))
    assert (model.predict_examples(Examples.of_texts(texts[80:])).class_ids == targets[80:]).mean() > 0.95


def test_a_class_without_training_rows_keeps_probability_zero():
    model = Tfidf.fit(Examples.of_texts(["red one", "blue two"] * 30), np.array([0, 2] * 30), ("a", "b", "c"))
    probabilities = model.predict_examples(Examples.of_texts(["red one"])).probabilities
    assert probabilities[0, 1] == 0
    assert probabilities.sum() == pytest.approx(1)


def test_english_is_not_taken_for_an_unspaced_script():
    assert not is_unspaced(["A fine film, 好", "with one character of Han"])
