"""Each label's probabilities mean what they say, where enough rows tell."""

import numpy as np
import pytest

from superfine.metrics import sigmoid
from superfine.records import Examples
from superfine.tasks.label_calibration import isotonic, platt, steps_of
from superfine.tasks.multilabel import MultiLabel


def sharpened(rng, n, factors=(3.0, 0.4, 1.0), shifts=(1.0, 0.0, 0.0)):
    """Logits that are too sharp, too flat and right, and whether each label is true."""
    logits = rng.normal(-0.5, 1.5, (n, len(factors)))
    true = rng.random(logits.shape) < sigmoid(logits)
    return logits * factors + shifts, true


def loss(probabilities, true):
    likely = np.where(true, probabilities, 1 - probabilities)
    return -np.log(np.maximum(likely, 1e-7)).mean(axis=0)


@pytest.mark.parametrize("way", ["platt", "isotonic"])
def test_labels_that_are_too_sure_or_not_sure_enough_are_mended_on_other_rows(way):
    rng = np.random.default_rng(0)
    outputs, true = sharpened(rng, 2000)
    others, others_true = sharpened(rng, 5000)
    before = loss(sigmoid(others), others_true)
    if way == "platt":
        factor, shift = platt(outputs, true)
        after = loss(sigmoid(factor * others + shift), others_true)
        assert factor[:2] == pytest.approx([1 / 3, 1 / 0.4], rel=0.2)
        assert (factor[2], shift[2]) == (1, 0), "the label that was right is left alone"
    else:
        steps = isotonic(outputs, true)
        assert steps[2] is None
        after = loss(
            np.column_stack([p if s is None else s(p) for s, p in zip(steps, sigmoid(others).T, strict=True)]), others_true
        )
    assert (after[:2] < before[:2] - 0.01).all()


def test_rare_labels_are_left_as_they_are():
    rng = np.random.default_rng(1)
    outputs, true = sharpened(rng, 400)
    true[:, 0] = False
    true[:5, 0] = True
    assert platt(outputs, true)[0][0] == 1
    assert isotonic(outputs, true)[0] is None


def examples_of(true):
    labels = ["|".join(name for name, is_true in zip("abc", row, strict=True) if is_true) for row in true]
    return Examples(np.arange(len(true)), [f"t{i}" for i in range(len(true))], label=labels)


@pytest.mark.parametrize("way", ["platt", "isotonic", "none"])
def test_the_manifest_keeps_what_the_output_layer_cannot_take_over(way):
    outputs, true = sharpened(np.random.default_rng(2), 1500)
    examples = examples_of(true)
    task = MultiLabel.learn(examples, MultiLabel.Options(calibration=way)).adjusted(examples, outputs)
    wanted = task.decode(examples, outputs).probabilities
    assert (way == "none") == np.allclose(wanted, sigmoid(outputs))
    fold = task.fold
    assert (fold is not None) == (way == "platt")
    for shifted in (True, False):
        scaled = outputs if fold is None else outputs * fold.factor + (fold.shift if shifted else 0)
        folded = task if fold is None else task.folded(shifted=shifted)
        again = MultiLabel.from_facts(folded.facts())
        found = again.decode(examples, scaled)
        assert np.allclose(found.probabilities, wanted, atol=1e-9)
        assert np.array_equal(found.members, task.decode(examples, outputs).members)


def test_a_baseline_that_folds_nothing_keeps_factors_too():
    outputs, true = sharpened(np.random.default_rng(3), 1500)
    examples = examples_of(true)
    task = MultiLabel.learn(examples, MultiLabel.Options()).adjusted(examples, outputs)
    again = MultiLabel.from_facts(task.facts())
    assert np.allclose(again.decode(examples, outputs).probabilities, task.decode(examples, outputs).probabilities)


@pytest.mark.parametrize("facts", ["x", [None], [[[0.1], [0.2, 0.3]]] * 3, [[[0.5, 0.1], [0.1, 0.2]]] * 3, [[[0.1], [1.5]]] * 3])
def test_functions_that_are_none_are_refused(facts):
    with pytest.raises(ValueError, match=r"isotonic|inhomogeneous"):
        steps_of(facts, 3)
