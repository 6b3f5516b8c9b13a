"""Labels keep their names and order; unknown ones are refused with value and row; weights follow imbalance."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from superfine.errors import ConfigError, DataError
from superfine.evaluation.evaluate import evaluate
from superfine.metrics import calibration_error
from superfine.records import Examples
from superfine.tasks.classification import SCORES, Classification, choose_temperature, chosen_weights
from superfine.training.objective import Outcome


def learned(labels):
    return Classification.learn(Examples(row=np.arange(len(labels)), text=[""] * len(labels), label=labels))


def test_labels_are_sorted_and_numbers_as_numbers():
    assert learned(["b", "a", "b"]).labels == ("a", "b")
    assert learned(["10", "9", "-1"]).labels == ("-1", "9", "10")


def test_a_label_that_reads_as_no_number_does_not_disturb_the_order():
    assert learned(["nan", "2", "1"]).labels == learned(["2", "1", "nan"]).labels == ("1", "2", "nan")


def test_one_class_is_refused():
    with pytest.raises(DataError, match='only the class "a"'):
        learned(["a", "a"])


def test_a_label_that_training_never_had_is_named_with_its_rows():
    examples = Examples(row=np.array([5, 6]), text=["x", "y"], label=["a", "c"], source="test.csv")
    with pytest.raises(DataError, match=r'test\.csv.*"c" in row 6'):
        Classification(["a", "b"]).gold(examples)


def test_decoding_is_softmax_however_large_the_logits():
    predictions = Classification(["a", "b"]).decode(Examples.of_texts(["?"]), np.array([[1000.0, 1000.0 + np.log(3)]]))
    np.testing.assert_allclose(predictions.probabilities, [[0.25, 0.75]])


def test_auto_weights_only_strong_imbalance_and_keeps_the_mean():
    mild, strong = np.array([0] * 50 + [1] * 10), np.array([0] * 200 + [1] * 10)
    assert chosen_weights("auto", mild, 2) is None
    assert chosen_weights("none", strong, 2) is None
    weights = chosen_weights("auto", strong, 2)
    assert weights[1] / weights[0] == pytest.approx(np.sqrt(20))
    assert weights[strong].mean() == pytest.approx(1)


def test_balanced_means_what_it_means_in_scikit_learn():
    from sklearn.utils.class_weight import compute_class_weight

    targets = np.array([0] * 200 + [1] * 10 + [2] * 30)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    np.testing.assert_allclose(chosen_weights("balanced", targets, 3), expected)


def test_class_weights_enter_the_loss():
    logits, targets = torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1])
    task = Classification(["a", "b"])
    examples = Examples(row=np.arange(2), text=["", ""], label=["a", "b"])
    assert task.row_weights("none", examples) is None
    weights = torch.tensor(task.row_weights({"b": 9.0}, examples), dtype=torch.float32)
    expected = F.cross_entropy(logits, targets, weight=torch.tensor([1.0, 9.0]))
    torch.testing.assert_close(Outcome(task.loss(logits, targets), logits, weights).loss, expected)


def test_the_weight_of_a_row_and_that_of_its_class_multiply():
    examples = Examples(row=np.arange(3), text=[""] * 3, label=["a", "b", "a"], weight=[2.0, 1.0, 0.5])
    assert Classification(["a", "b"]).row_weights({"b": 3.0}, examples).tolist() == [2.0, 3.0, 0.5]


def test_a_weight_for_a_class_that_is_none_is_refused():
    examples = Examples(row=np.arange(2), text=["", ""], label=["good", "bad"])
    with pytest.raises(ConfigError, match=r'no class "godo".*Did you mean "good"'):
        Classification(["bad", "good"]).class_weights({"godo": 2.0}, examples)


def drawn(temperature, n=1500, seed=0):
    """Logits whose softmax at that temperature is what the labels were drawn from."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 4))
    p = np.exp(logits / temperature)
    cumulated = (p / p.sum(axis=1, keepdims=True)).cumsum(axis=1)
    return logits, (rng.random((n, 1)) > cumulated).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_the_temperature_is_found_folded_and_lowers_log_loss_and_calibration_error(temperature):
    logits, true = drawn(temperature)
    task = Classification(list("abcd"))
    examples = Examples(row=np.arange(len(true)), text=[""] * len(true), label=[task.labels[k] for k in true])
    adjusted = task.adjusted(examples, logits)
    assert adjusted.temperature == pytest.approx(temperature, rel=0.1)
    folded = adjusted.folded(shifted=True)
    answers = folded.decode(examples, logits * adjusted.fold.factor)
    np.testing.assert_allclose(answers.probabilities, adjusted.decode(examples, logits).probabilities)
    scores = [evaluate(task.statistics(examples, a), SCORES).scores for a in (task.decode(examples, logits), answers)]
    assert scores[1]["log_loss"].value < scores[0]["log_loss"].value
    assert scores[1]["calibration_error"].value < 0.04 < scores[0]["calibration_error"].value
    assert scores[1]["accuracy"].value == scores[0]["accuracy"].value
    assert Classification.from_facts(folded.facts()).calibrated == pytest.approx(adjusted.temperature)
    assert "were calibrated" in folded.shown.limits[1]


def test_no_temperature_is_chosen_from_few_rows_or_where_nothing_is_to_gain():
    logits, true = drawn(2.0, n=60)
    assert choose_temperature(logits[:40], true[:40]) == 1.0
    assert choose_temperature(np.zeros((60, 4)), true) == 1.0


def test_calibration_error_is_zero_within_chance_and_large_where_confidence_lies():
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.3, 1.0, 3000)
    honest = {"confidence": confidence, "right": (rng.random(3000) < confidence).astype(float)}
    lying = {"confidence": np.minimum(confidence + 0.2, 1.0), "right": honest["right"]}
    ones = np.ones((1, 3000))
    assert calibration_error(honest, ones)[0] < 0.02
    assert calibration_error(lying, ones)[0] == pytest.approx(np.sqrt(np.mean((lying["confidence"] - confidence) ** 2)), abs=0.03)
