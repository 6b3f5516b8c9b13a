"""Distributions as labels: votes and probabilities are read, learned from as they are, and scored as a whole and by their mode."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import superfine
from superfine.data.columns import choose_columns, to_examples
from superfine.data.read import read_table
from superfine.errors import DataError
from superfine.evaluation.evaluate import evaluate
from superfine.records import Choices, Examples
from superfine.tasks.choose import choose_task
from superfine.tasks.label_distribution import LabelDistribution
from superfine.tasks.multilabel import MultiLabel
from tests.conftest import FAST, make_rows


def of(cells):
    return replace(Examples.of_texts([f"text {i}" for i in range(len(cells))]), label=list(cells), source="rows.csv")


CELLS = ['{"good": 0.7, "bad": 0.3}', '{"good": 1, "bad": 3}', "bad", ""]


def test_votes_probabilities_and_single_classes_become_distributions():
    task = LabelDistribution.learn(of(CELLS))
    assert task.labels == ("bad", "good")
    np.testing.assert_allclose(task.distributions(of(CELLS)), [[0.3, 0.7], [0.75, 0.25], [1, 0], [0, 0]])
    assert task.gold(of(CELLS)).tolist()[:3] == [1, 0, 0]
    assert task.is_labelled(of(CELLS)).tolist() == [True, True, True, False]
    assert task.in_words(task.spelled(of(CELLS)).label[1]) == "bad 0.75, good 0.25"


def test_columns_that_begin_alike_are_found_and_their_beginning_is_no_part_of_the_class(tmp_path):
    for prefix in ("p:", "label."):
        path = tmp_path / "votes.csv"
        path.write_text(f"text,{prefix}good,{prefix}bad\nfine,0.8,0.2\npoor,0.1,0.9\n", encoding="utf-8")
        table = read_table(path)
        choice = choose_columns(table)
        assert choice.label == (f"{prefix}good", f"{prefix}bad")
        examples, _ = to_examples(table, choice, lists=True)
        assert choose_task("auto", examples.label, 2).task is LabelDistribution
        assert LabelDistribution.learn(examples).labels == ("bad", "good")
    record = {"text": "fine", "label": {"good": 0.8, "bad": 0.2}}
    path = tmp_path / "votes.jsonl"
    path.write_text(json.dumps(record) + "\n" + json.dumps(record) + "\n", encoding="utf-8")
    assert choose_columns(read_table(path)).label == ("label.good", "label.bad")


def test_a_column_with_a_number_that_is_none_is_still_one_of_them(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("text,p:good,p:bad\nfine,nan,0.2\npoor,0.1,0.9\n", encoding="utf-8")
    assert choose_columns(read_table(path)).label == ("p:good", "p:bad")


def test_votes_are_counted_and_names_that_come_out_the_same_are_added():
    task = LabelDistribution.learn(of(['["good", "bad", "bad", "bad"]', '{"good": 1, "good ": 2, "bad": 1}']))
    assert task.labels == ("bad", "good")
    np.testing.assert_allclose(task.distributions(of(['["good", "bad", "bad", "bad"]'])), [[0.75, 0.25]])
    np.testing.assert_allclose(task.distributions(of(['{"good": 1, "good ": 2, "bad": 1}'])), [[0.25, 0.75]])


def test_a_cell_that_cannot_be_read_costs_no_class_and_does_not_change_the_task(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("text,p:good,p:bad,p:meh\n" + "fine,0.5,0.3,0.2\n" * 5 + "poor,x,0.9,0.1\n", encoding="utf-8")
    table = read_table(path)
    choice = choose_columns(table)
    assert choice.label == ("p:good", "p:bad", "p:meh")
    examples, _ = to_examples(table, choice, lists=True)
    assert choose_task("auto", examples.label, 3).task is LabelDistribution
    with pytest.raises(DataError, match=r"row 7 has .* no distribution"):
        LabelDistribution.learn(examples)
    assert LabelDistribution.suits(['{"a": 1, "b": 2}', "{}", "a", '{"a": 3, "b": null}'], 1)


def test_objects_beside_plain_classes_are_read_in_json(tmp_path):
    path = tmp_path / "votes.jsonl"
    rows = [{"text": "fine", "label": "good"}, {"text": "poor", "label": {"good": 1, "bad": 3}}] * 2
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    table = read_table(path)
    assert choose_columns(table).label == ("label",)
    assert choose_task("auto", table.columns["label"], 1).task is LabelDistribution


def test_rows_without_any_vote_are_left_out_and_counted(tiny_model, tmp_path):
    rows = make_rows(60)
    columns = {"text": [text for text, _ in rows]}
    for label in ("good", "bad"):
        columns[f"p:{label}"] = [0 if i % 3 == 0 else 0.8 if kind == label else 0.2 for i, (_, kind) in enumerate(rows)]
    run = superfine.train(columns, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    data = run.metrics["data"]
    assert data["train"] + data["validation"] + data["test"] == 40
    assert data["dropped"]["train"]["count"] == 20


def test_columns_of_yes_and_no_stay_several_labels():
    cells = ['{"a": "1", "b": "0"}', '{"a": "1", "b": "1"}']
    assert choose_task("auto", cells, 2).task is MultiLabel
    assert not LabelDistribution.suits(["good", "bad"], 1)
    assert not LabelDistribution.suits(['{"good": "yes", "bad": "maybe"}'], 1)


def test_the_loss_is_against_the_whole_distribution():
    task = LabelDistribution.learn(of(CELLS))
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))
    targets = task.targets(of(CELLS[:3]))
    by_hand = -(torch.tensor(targets) * logits.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(task.loss(logits, torch.tensor(targets)), by_hand)


def test_scores_are_of_the_mode_and_of_the_whole():
    task, examples = LabelDistribution.learn(of(CELLS)), of(CELLS[:2])
    answers = Choices(examples.row, task.labels, np.array([[0.3, 0.7], [0.25, 0.75]]))
    scores = evaluate(task.statistics(examples, answers), task.scores).scores
    assert scores["accuracy"].value == 0.5
    assert scores["total_variation"].value == pytest.approx((0 + 0.5) / 2)
    first = -(0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    second = -(0.75 * np.log(0.25) + 0.25 * np.log(0.75))
    assert scores["cross_entropy"].value == pytest.approx((first + second) / 2)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('{"good": -1, "bad": 2}', "row 1 has .* no distribution"),
        ('{"good": "maybe", "bad": 2}', "no distribution"),
        ('{"good": 1e999, "bad": 2}', "no distribution"),
        ('{"good": "nan", "bad": 2}', "row 1 has .* no distribution"),
        ('{"good": 1}', "less than two classes"),
        ("[0.25, 0.75]", "row 1 has .* no distribution"),
        ("good:3|bad:1", "no row has a distribution"),
        ("0.25", "no row has a distribution"),
    ],
)
def test_what_is_no_distribution_is_refused_with_its_row(cell, said):
    with pytest.raises(DataError, match=said):
        LabelDistribution.learn(of([cell]))


def test_unknown_classes_are_refused_unless_nobody_voted_for_them():
    task = LabelDistribution.learn(of(CELLS))
    with pytest.raises(DataError, match='row 1 has the class "other"'):
        task.gold(of(['{"good": 1, "other": 1}']))
    assert task.gold(of(['{"good": 1, "other": 0}'])).tolist() == [1]
    assert task.is_known(of(['{"other": 1}', '{"good": 1, "other": 0}'])).tolist() == [False, True]


@pytest.mark.slow
def test_a_model_learns_from_the_probabilities_that_another_one_wrote(tiny_model, tmp_path):
    rows = make_rows(200)
    columns = {"text": [text for text, _ in rows]}
    for label in ("good", "bad"):
        columns[f"p:{label}"] = [0.9 if kind == label else 0.1 for _, kind in rows]
    settings = FAST | {"training.epochs": 8, "training.learning_rate": 3e-3}
    run = superfine.train(columns, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    assert run.metrics["task"] == "label_distribution"
    assert run.metrics["test"]["accuracy"]["value"] > 0.9
    said = run.load().predict(columns["text"][:50]).probabilities
    assert 0.7 < said.max(axis=1).mean() < 0.95  # no surer than the other one
    assert "learned from distributions" in (run.folder / "model" / "README.md").read_text(encoding="utf-8")
