"""Rows of another kind are told from those that a model was calibrated on, and rows of the same kind are not."""

import numpy as np
import pytest

from superfine.errors import ModelError
from superfine.predictors.drift import REFERENCE, Reference, chosen_rows, features_of
from superfine.records import Choices, Examples, Values


def features(rng, n, length=4.0, share=0.5):
    is_second = rng.random(n) < share
    second = 1 / (1 + np.exp(-(np.where(is_second, 2.0, -2.0) + rng.normal(size=n) * 1.5)))
    texts = Examples.of_texts(["x" * max(1, int(np.exp(rng.normal(length, 1)))) for _ in range(n)])
    return features_of(texts, Choices(texts.row, ("a", "b"), np.stack([1 - second, second], axis=1)))


def test_rows_of_the_same_kind_are_told_apart_once_in_a_hundred_times_at_most():
    rng = np.random.default_rng(0)
    false = [Reference(features(rng, 200)).drift_of(features(rng, 300)).is_there for _ in range(100)]
    assert np.mean(false) <= 0.04


@pytest.mark.parametrize("other", [{"length": 4.8}, {"share": 0.8}])
def test_longer_texts_and_other_shares_of_classes_are_noticed(other):
    rng = np.random.default_rng(1)
    found = Reference(features(rng, 500)).drift_of(features(rng, 800, **other))
    assert found.is_there
    assert 0.5 < found.low <= found.auc <= found.high


def test_few_rows_and_other_answers_tell_nothing():
    rng = np.random.default_rng(2)
    assert Reference(features(rng, 200)).drift_of(features(rng, 20)) is None
    texts = Examples.of_texts(["a"])
    assert features_of(texts, Values(texts.row, np.zeros(1), np.zeros(1), np.zeros(1))) is None


def test_what_is_kept_of_rows_is_numbers_and_reads_back(tmp_path):
    kept = Reference(features(np.random.default_rng(3), 80))
    kept.save(tmp_path)
    assert np.allclose(Reference.of_bundle(tmp_path).features, kept.features, atol=0.01)
    assert Reference.of_bundle(tmp_path / "elsewhere") is None
    (tmp_path / REFERENCE).write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="cannot be read"):
        Reference.of_bundle(tmp_path)


def test_at_most_a_thousand_rows_are_looked_at():
    assert len(chosen_rows(50_000)) == 1000
    assert chosen_rows(5).tolist() == [0, 1, 2, 3, 4]
