"""Several labels for each text: however they are written, with thresholds that validation rows chose, and clear refusals."""

import json

import numpy as np
import pytest
import torch

import superfine
from superfine.data.columns import choose_columns, to_examples
from superfine.data.read import read_table
from superfine.errors import DataError
from superfine.evaluation.evaluate import evaluate
from superfine.records import Examples, Sets
from superfine.tasks.label_thresholds import choose_thresholds
from superfine.tasks.multilabel import MultiLabel, found_separator
from tests.conftest import FAST, make_rows, write_csv


def of(labels):
    return Examples(row=np.arange(2, 2 + len(labels)), text=[""] * len(labels), label=labels, source="t.csv")


@pytest.mark.parametrize(
    "cells",
    [
        ["a|b", "b", "", "a"],
        ['["a", "b"]', '["b"]', "[]", '["a"]'],
        ["['a', 'b']", "['b']", "[]", "['a']"],
        ["b|a", "b", "none", "a"],
        ['{"a": "1", "b": "1"}', '{"a": "0", "b": "true"}', '{"a": "", "b": "0"}', '{"a": "yes", "b": "no"}'],
    ],
)
def test_labels_are_read_however_they_are_written(cells):
    task = MultiLabel.learn(of(cells))
    assert task.labels == ("a", "b")
    assert task.gold(of(cells)).tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]]
    assert task.spelled(of(cells)).label == ["a|b", "b", "", "a"]


def test_a_separator_is_found_where_parts_recur_and_can_be_named():
    assert found_separator(["a;b", "b;c", "a", "c", "c;a"]) == ";"
    assert found_separator(["Rome, Italy", "Paris, France", "Rome, Italy"]) is None, "a comma is part of most names"
    assert found_separator(["red, blue", "blue", "red", "red, green", "green"]) == ","
    task = MultiLabel.learn(of(["a/b", "b", "a"]), MultiLabel.Options(separator="/"))
    assert task.labels == ("a", "b")


def test_several_columns_of_yes_and_no_are_found_and_become_labels(tmp_path):
    rows = [(text, str(int(kind == "good")), str(i % 2)) for i, (text, kind) in enumerate(make_rows(40))]
    table = read_table(write_csv(tmp_path / "t.csv", rows, ("comment", "praise", "odd")))
    choice = choose_columns(table)
    assert choice.label == ("praise", "odd")
    examples, _ = to_examples(table, choice, keep_unlabelled=True)
    assert MultiLabel.learn(examples).labels == ("odd", "praise")


def test_rows_without_any_label_are_learned_from_and_scored(tiny_model, tmp_path):
    rows = [(text, "praise" if kind == "good" else "") for text, kind in make_rows(120)] + [("one kettle more", "praise|odd")] * 3
    data = write_csv(tmp_path / "t.csv", rows)
    run = superfine.train(
        data, task="multilabel", model=str(tiny_model("bert")), out=tmp_path / "o", progress=False, settings=FAST
    )
    sizes = run.metrics["data"]
    assert sizes["train"] + sizes["validation"] + sizes["test"] == 123
    assert sizes["not_scored"] == []


def test_values_that_say_neither_yes_nor_no_are_named():
    with pytest.raises(DataError, match=r't\.csv: row 3 has "maybe" in the column "a"'):
        MultiLabel.learn(of(['{"a": "1", "b": "0"}', '{"a": "maybe", "b": "0"}']))


def test_labels_that_are_empty_everywhere_are_refused():
    with pytest.raises(DataError, match="No row of the training part has a label"):
        MultiLabel.learn(of(["", "none", "[]"]))


def test_unknown_labels_are_named_and_can_be_left_out():
    task = MultiLabel.learn(of(["a|b", "b", "a"]))
    with pytest.raises(DataError, match=r'never had \(c\): "a\|c" in row 3'):
        task.gold(of(["a", "a|c"]))
    assert task.is_known(of(["a", "a|c", ""])).tolist() == [True, False, True]


def test_the_loss_is_the_sum_of_binary_cross_entropies_and_a_new_layer_starts_from_the_odds():
    task = MultiLabel.learn(of(["a|b", "b", "b", ""]))
    outputs, targets = torch.tensor([[0.3, -1.0]]), torch.tensor([[1.0, 0.0]])
    expected = -torch.log(torch.sigmoid(outputs[0, 0])) - torch.log(1 - torch.sigmoid(outputs[0, 1]))
    torch.testing.assert_close(task.loss(outputs, targets)[0], expected)
    np.testing.assert_allclose(1 / (1 + np.exp(-task.bias)), [0.25, 0.75])


def test_thresholds_follow_the_rows_they_are_learned_from():
    rng = np.random.default_rng(0)
    true = rng.random((400, 2)) < 0.3
    probabilities = np.where(true, 0.2, 0.05) + rng.uniform(0, 0.1, true.shape)
    thresholds = choose_thresholds(probabilities, true)
    assert (thresholds > 0.1).all()
    assert (thresholds < 0.25).all()
    assert choose_thresholds(probabilities[:5], true[:5]).tolist() == [0.5, 0.5], "too few rows to learn from"


def test_thresholds_can_be_set_and_then_stay():
    task = MultiLabel.learn(of(["a|b", "b", "a"] * 30), MultiLabel.Options(threshold=0.3))
    adjusted = task.adjusted(of(["a|b", "b", "a"] * 30), np.random.default_rng(0).normal(size=(90, 2)))
    assert adjusted.thresholds.tolist() == [0.3, 0.3]


def test_scores_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score

    rng = np.random.default_rng(1)
    names = ["a", "b", "c"]
    true = rng.random((200, 3)) < (0.5, 0.2, 0.1)
    probabilities = np.clip(true * 0.4 + rng.uniform(0, 0.6, true.shape), 0, 1)
    examples = of(["|".join(np.array(names)[row]) for row in true])
    task = MultiLabel(names)
    answers = Sets(examples.row, tuple(names), probabilities, np.full(3, 0.5))
    scores = evaluate(task.statistics(examples, answers), task.scores).scores
    said = answers.members
    assert scores["micro_f1"].value == pytest.approx(f1_score(true, said, average="micro"))
    assert scores["macro_f1"].value == pytest.approx(f1_score(true, said, average="macro"))
    assert scores["weighted_f1"].value == pytest.approx(f1_score(true, said, average="weighted"))
    assert scores["exact_match"].value == pytest.approx(accuracy_score(true, said))


def test_what_is_written_for_no_label_is_read_as_none_again():
    answers = Sets(np.array([1, 2]), ("a", "b"), np.array([[0.1, 0.2], [0.9, 0.8]]), np.full(2, 0.5))
    assert answers.to_columns()["prediction"] == ["none", "a|b"]
    assert answers.label == [(), ("a", "b")]
    assert [one["prediction"] for one in answers.to_objects()] == [[], ["a", "b"]]
    task = MultiLabel(["a", "b"])
    assert task.gold(of(answers.to_columns()["prediction"])).tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("names", [["R|B", "x"], ["none", "x"]])
def test_names_that_could_be_read_otherwise_are_written_as_lists(names):
    examples = of([json.dumps(names), json.dumps(names[1:]), json.dumps([])])
    task = MultiLabel.learn(examples)
    assert task.labels == tuple(sorted(names))
    np.testing.assert_array_equal(task.gold(task.spelled(examples)), task.gold(examples))
    answers = task.decode(examples, np.array([[9.0, 9.0]]))
    assert task.gold(of(answers.to_columns()["prediction"])).tolist() == [[1, 1]] or "none" in names


def test_decimal_commas_are_no_labels():
    assert found_separator(["1", "1,5", "2", "2,5", "3", "1", "2"]) is None


def test_joined_spellings_are_told_and_kept():
    task = MultiLabel.learn(of(["Joy|love", "joy", "joy"]), merges=True)
    assert task.labels == ("joy", "love")
    assert task.notes() == ('Labels that are read as one class: "Joy" = "joy"',)
    assert task.facts()["merged_labels"] == {"joy": ["Joy"]}


def test_a_test_part_without_any_label_is_refused_before_training(tiny_model, tmp_path):
    data = write_csv(tmp_path / "t.csv", [(text, "praise" if kind == "good" else "") for text, kind in make_rows(60)])
    test = write_csv(tmp_path / "test.csv", [("this lamp is broken", ""), ("this lamp is awful", "")])
    with pytest.raises(DataError, match="cannot be scored: none of its rows has a label"):
        superfine.train(data, test=test, task="multilabel", model=str(tiny_model("bert")), out=tmp_path / "o", progress=False)


def test_lists_of_json_lines_are_labels(tiny_model, tmp_path):
    path = tmp_path / "t.jsonl"
    labels = [["praise", "odd"], ["praise"], [], ["odd"]]
    lines = [json.dumps({"text": text, "label": labels[i % 4]}) for i, (text, _) in enumerate(make_rows(80))]
    path.write_text("\n".join(lines), encoding="utf-8")
    settings = FAST | {"training.epochs": 1}
    run = superfine.train(path, model=str(tiny_model("bert")), out=tmp_path / "o", progress=False, settings=settings)
    assert run.metrics["task"] == "multilabel"
    assert run.metrics["labels"] == ["odd", "praise"]
