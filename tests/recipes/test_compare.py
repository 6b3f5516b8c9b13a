"""Is one model better than another: both answer for the same rows, which neither has learned from."""

import json

import pytest

import superfine
from superfine.cli.main import main
from superfine.data.read import read_table
from superfine.errors import DataError, ModelError
from superfine.recipes.compare import compare_runs
from tests.conftest import FAST, make_rows, write_csv

GOOD = FAST | {"training.epochs": 8, "training.learning_rate": 3e-3}


@pytest.fixture(scope="module")
def runs(tiny_model, tmp_path_factory):
    """A run that has learned, one that has not, from the same rows; and one with other classes."""
    folder = tmp_path_factory.mktemp("compared")
    data = write_csv(folder / "reviews.csv", make_rows(240))
    other = write_csv(folder / "other.csv", [(text, label + "!") for text, label in make_rows(120, seed=5)])
    model = str(tiny_model("bert"))
    for name, source, settings in (("good", data, GOOD), ("poor", data, FAST | {"training.epochs": 1}), ("other", other, FAST)):
        superfine.train(source, model=model, out=folder / name, settings=settings, progress=False)
    return folder


def test_the_rows_are_those_that_both_test_parts_have(runs):
    compared = compare_runs(runs / "good", runs / "poor")
    test = read_table(runs / "good" / "predictions.csv")
    assert len(compared.rows.examples) == len(test)
    first, second = compared.evaluations
    metrics = json.loads((runs / "good" / "metrics.json").read_text(encoding="utf-8"))
    assert first.scores["accuracy"].value == pytest.approx(metrics["test"]["accuracy"]["value"])
    difference = compared.comparison.differences["accuracy"].value
    assert difference == pytest.approx(first.scores["accuracy"].value - second.scores["accuracy"].value)


def test_rows_that_one_of_the_two_has_learned_from_are_left_out(runs, tmp_path):
    rows = read_table(runs / "poor" / "predictions.csv")
    kept = list(zip(rows.columns["text"], rows.columns["label"], strict=True))[:10]
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "model").symlink_to(runs / "poor" / "model", target_is_directory=True)
    write_csv(copy / "predictions.csv", kept)
    assert len(compare_runs(runs / "good", copy).rows.examples) == 10
    write_csv(copy / "predictions.csv", [("a text that no other run has", "good")])
    with pytest.raises(DataError, match=r"(?s)no row in common.*--data FILE"):
        compare_runs(runs / "good", copy)


def test_rows_of_a_file_that_one_of_the_two_has_learned_from_are_left_out_and_counted(runs, tmp_path):
    rows = read_table(runs / "reviews.csv")
    every = list(zip(rows.columns["text"], rows.columns["label"], strict=True))
    tests = {*read_table(runs / "good" / "predictions.csv").columns["text"]}
    fresh = [(f"{text} {text}", label) for text, label in every[:7]]
    compared = compare_runs(runs / "good", runs / "poor", write_csv(tmp_path / "more.csv", [*every, *fresh]))
    n = len(compared.rows.examples)
    assert 7 < n <= len(tests) + 7, "those of the test part and the new ones"
    assert compared.of.startswith(f"{n} of {len(every) + 7} rows of ")
    learned = write_csv(tmp_path / "learned.csv", [(text, label) for text, label in every if text not in tests])
    with pytest.raises(DataError, match="has learned from every row"):
        compare_runs(runs / "good", runs / "poor", learned)


def test_labels_that_are_written_otherwise_are_the_same_rows(runs, tmp_path):
    rows = read_table(runs / "poor" / "predictions.csv")
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "model").symlink_to(runs / "poor" / "model", target_is_directory=True)
    write_csv(
        copy / "predictions.csv",
        [(text, f" {label}\u200b") for text, label in zip(rows.columns["text"], rows.columns["label"], strict=True)],
    )
    compared = compare_runs(runs / "good", copy)
    assert len(compared.rows.examples) == len(rows)
    assert f"({len(rows)} of {len(rows)} and {len(rows)})" in compared.of


def test_a_model_is_neither_better_nor_worse_than_itself(runs):
    compared = compare_runs(runs / "good", runs / "good")
    assert compared.comparison.outcome == "undecided"
    assert "cannot be told apart" in compared.verdict


def test_given_rows_decide_and_the_verdict_names_the_better_one(runs, tmp_path):
    rows = write_csv(tmp_path / "more.csv", make_rows(300, seed=9))
    compared = compare_runs(runs / "good", runs / "poor", rows)
    assert compared.comparison.outcome == "better"
    assert compared.verdict == "good is better than poor"
    assert compare_runs(runs / "poor", runs / "good", rows).verdict == "good is better than poor"


def test_rows_that_leave_the_main_score_undefined_get_a_table_all_the_same(capsys):
    from superfine.cli.console import ConsoleReporter

    nothing = {"value": None, "low": None, "high": None}
    document = {
        "main": "micro_f1", "test": {"n": 3}, "shown": {"headline": ["micro_f1"]},
        "baselines": {"b": {"title": "b", "micro_f1": nothing}}, "comparison": {"b": {"outcome": "undecided", "verdict": "?"}},
    }  # fmt: skip
    ConsoleReporter("en").compared(document, "a")
    assert "On 3 test texts" in capsys.readouterr().err


def test_models_that_tell_other_things_apart_are_refused(runs):
    with pytest.raises(ModelError, match=r"classification \(bad, good\), and classification \(bad!, good!\)"):
        compare_runs(runs / "good", runs / "other")


def status_of(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["compare", *map(str, arguments), "--lang", "en"])
    return ended.value.code or 0


def test_the_command_prints_a_table_or_one_document(runs, capsys):
    both = runs / "good", runs / "poor"
    assert status_of(*both) == 0
    assert "Compared on the test rows that both runs have" in capsys.readouterr().err
    assert status_of(*both, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["comparison"]["poor"]["outcome"] in {"better", "worse", "undecided"}
    assert document["test"]["n"] == document["baselines"]["poor"]["n"]
    assert status_of(both[0], runs / "nowhere") == 2
