"""Grades have an order: what is near counts, the answer is the median, and names need an order that the user gives."""

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score, mean_absolute_error

from superfine.errors import DataError
from superfine.evaluation.evaluate import evaluate
from superfine.records import Choices, Examples
from superfine.tasks.ordinal import Ordinal


def of(labels):
    return Examples(row=np.arange(2, 2 + len(labels)), text=[""] * len(labels), label=[str(x) for x in labels], source="t.csv")


def test_numbers_have_their_order_and_names_the_one_that_is_given():
    assert Ordinal.learn(of([10, 9, 2, 10])).labels == ("2", "9", "10")
    order = ["bad", "ok", "good"]
    task = Ordinal.learn(of(["good", "bad", "ok"]), Ordinal.Options(order=order))
    assert task.labels == tuple(order)
    assert task.grades.tolist() == [0, 1, 2]
    assert Ordinal.from_facts(task.facts()).labels == tuple(order)


def test_names_without_an_order_are_refused_with_the_line_to_copy():
    with pytest.raises(DataError, match="no numbers: bad, good") as refused:
        Ordinal.learn(of(["good", "bad"]))
    assert '--set \'task.options.order=["bad", "good"]\'' in refused.value.advice


def test_an_order_may_be_numbers_and_names_no_grade_twice():
    assert Ordinal.Options(order=[3, 2, 1]).order == ["3", "2", "1"]
    with pytest.raises(ValueError, match="same name"):
        Ordinal.Options(order=["low", "Low", "high"])


def test_an_order_that_lacks_a_grade_names_it():
    with pytest.raises(DataError, match="lacks: ok"):
        Ordinal.learn(of(["good", "bad", "ok"]), Ordinal.Options(order=["bad", "good"]))


def test_the_targets_leave_mass_to_the_grades_beside_them():
    task = Ordinal(["1", "2", "3"], softness=0.5)
    soft = np.exp(-np.array([1, 0, 1]) / 0.5)
    logits = torch.tensor([[0.2, -0.3, 1.0]])
    expected = -(torch.tensor(soft / soft.sum()) * torch.log_softmax(logits.double(), -1)).sum()
    torch.testing.assert_close(task.loss(logits.double(), torch.tensor([1]))[0], expected)
    hard = Ordinal(["1", "2", "3"], softness=0.0)
    torch.testing.assert_close(
        hard.loss(logits, torch.tensor([1]))[0], torch.nn.functional.cross_entropy(logits, torch.tensor([1]))
    )


def test_the_answer_is_the_median_and_the_expected_grade_stands_beside_it():
    answers = Choices(np.array([1]), ("1", "2", "5"), np.array([[0.4, 0.25, 0.35]]), grades=np.array([1.0, 2.0, 5.0]))
    assert answers.label == ["2"], "the first is the most probable, the second has as much on either side"
    assert answers.confidence[0] == 0.25
    columns = answers.to_columns()
    assert list(columns) == ["prediction", "confidence", "expected_grade", "p:1", "p:2", "p:5"]
    assert columns["expected_grade"] == [pytest.approx(0.4 + 0.5 + 1.75)]
    assert answers.to_objects()[0]["expected_grade"] == pytest.approx(2.65)


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    true, said = rng.integers(1, 6, 300), rng.integers(1, 6, 300)
    said[:200] = np.clip(true[:200] + rng.integers(-1, 2, 200), 1, 5)
    task = Ordinal(list("12345"))
    examples = of(true.tolist())
    answers = Choices(examples.row, task.labels, np.eye(5)[said - 1], grades=task.grades)
    scores = evaluate(task.statistics(examples, answers), task.scores).scores
    assert scores["quadratic_kappa"].value == pytest.approx(cohen_kappa_score(true, said, weights="quadratic"))
    assert scores["mae"].value == pytest.approx(mean_absolute_error(true, said))
    assert scores["accuracy"].value == pytest.approx((true == said).mean())
