"""Paths of a tree: read with any separator, learned at every level, and never one that does not exist."""

import numpy as np
import pytest
import torch

from superfine.errors import DataError
from superfine.evaluation.evaluate import evaluate
from superfine.records import Choices, Examples
from superfine.tasks.choose import choose_task
from superfine.tasks.hierarchical import Hierarchical, found_separator

PATHS = ["a > x", "a > y > deep", "b > x", "b"]


def of(labels):
    return Examples(row=np.arange(2, 2 + len(labels)), text=[""] * len(labels), label=labels, source="t.csv")


def test_paths_are_read_whatever_stands_between_and_around_their_parts():
    task = Hierarchical.learn(of(["a>x", "a >  y", "b > x"]))
    assert task.separator == ">"
    assert task.labels == ("a>x", "a>y", "b>x")
    assert task.gold(of(["b>x", " a > x "])).tolist() == [2, 0]
    named = Hierarchical.learn(of(["a.x", "b.x"]), Hierarchical.Options(separator="."))
    assert named.levels[0] == ("a", "b")


def test_paths_may_end_at_different_levels():
    task = Hierarchical.learn(of(PATHS))
    assert task.labels == ("a > x", "a > y > deep", "b", "b > x")
    assert task.levels == (("a", "a", "b", "b"), ("a > x", "a > y", "b", "b > x"), task.labels)


def test_single_levels_are_refused_and_are_not_taken_for_paths():
    with pytest.raises(DataError, match="No label of the training part has a second level"):
        Hierarchical.learn(of(["a", "b"]))
    assert found_separator(["good", "bad > worse"]) is None
    assert found_separator(["x > 1", "x > 2"]) is None, "one first part for all is a prefix"
    assert choose_task("auto", ["a > x", "a > y", "b > x"] * 3, 1).task is Hierarchical


def test_paths_that_are_one_level_after_all_are_refused_and_names_keep_their_own_signs():
    with pytest.raises(DataError, match="No label of the training part has a second level"):
        Hierarchical.learn(of(["/sports", "/news"]), Hierarchical.Options(separator="/"))
    assert Hierarchical.learn(of(["TCP/IP / net", "TCP/IP / web", "x / y"])).labels[0] == "TCP/IP / net"
    task = Hierarchical.learn(of(["a > b", "b > c"]))
    assert task.is_known(of(["a>b", "a > z"])).tolist() == [True, False]


def test_the_loss_is_the_mean_over_the_levels_of_a_path():
    task = Hierarchical.learn(of(PATHS))
    logits = torch.tensor([[0.3, -1.0, 0.5, 2.0]], dtype=torch.float64)
    p = logits.softmax(-1)[0]
    of_deep = -(torch.log(p[0] + p[1]) + torch.log(p[1]) + torch.log(p[1])) / 3
    torch.testing.assert_close(task.loss(logits, torch.tensor([1]))[0], of_deep)
    of_b = -torch.log(p[2])  # its second level is itself; its first holds `b > x` too and is where it ends
    torch.testing.assert_close(task.loss(logits, torch.tensor([2]))[0], of_b)


def test_answers_have_a_probability_at_every_level():
    task = Hierarchical.learn(of(PATHS))
    answers = task.decode(of(["b"]), np.log([[0.1, 0.2, 0.3, 0.4]]))
    columns = answers.to_columns()
    assert columns["prediction"] == ["b > x"]
    assert columns["confidence_1"] == [pytest.approx(0.7)]
    assert columns["confidence_2"] == [pytest.approx(0.4)]
    assert answers.to_objects()[0]["confidence_1"] == pytest.approx(0.7)


def test_accuracy_is_told_down_to_each_level():
    task = Hierarchical.learn(of(PATHS))
    examples = of(["a > x", "a > y > deep", "b > x", "b"])
    said = [1, 1, 0, 3]
    answers = Choices(examples.row, task.labels, np.eye(4)[said], levels=task.levels)
    scores = evaluate(task.statistics(examples, answers), task.scores).scores
    assert scores["accuracy"].value == 0.25
    assert scores["accuracy_1"].value == 0.75
    assert scores["accuracy_2"].value == 0.25
