"""Is one model better than another: both answer for the same rows, which neither has learned from."""

import csv
import json

import numpy as np
import pytest

import superfine
from superfine.cli.main import main
from superfine.data.read import read_table
from superfine.errors import DataError, ModelError
from superfine.recipes.compare import compare_runs
from tests.conftest import FAST, make_rows, superfine_command, write_csv

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


@pytest.mark.slow
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


@pytest.mark.slow
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
        "pairs": [{"first": "a", "second": "b", "outcome": "undecided", "verdict": "?", "changed": 0}],
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
    assert "Compared on the test rows that all runs have" in capsys.readouterr().err
    assert status_of(*both, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["comparison"]["poor"]["outcome"] in {"better", "worse", "undecided"}
    assert document["test"]["n"] == document["baselines"]["poor"]["n"]
    assert status_of(both[0], runs / "nowhere") == 2


def predictions(path, header, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def test_labels_of_another_tool_are_compared_by_text_or_in_order(runs, tmp_path):
    test = read_table(runs / "good" / "predictions.csv")
    texts, labels = test.columns["text"], test.columns["label"]
    by_text = predictions(
        tmp_path / "theirs.csv", ["text", "Pred"], [(text, label) for text, label in zip(texts, labels, strict=True)][::-1]
    )
    in_order = predictions(tmp_path / "order.csv", ["y_pred"], [(label,) for label in labels])
    for file in (by_text, in_order):
        compared = compare_runs(runs / "good", file)
        assert compared.evaluations[1].scores["accuracy"].value == 1.0
        assert "log_loss" not in compared.evaluations[1].scores, "labels say nothing of probabilities"
        assert compared.names == ("good", file.name)


def test_probabilities_of_another_tool_are_scored_as_such(runs, tmp_path):
    test = read_table(runs / "good" / "predictions.csv")
    rows = [
        (text, *(("0.25", "0.75") if label == "good" else ("0.75", "0.25")))
        for text, label in zip(*(test.columns[c] for c in ("text", "label")), strict=True)
    ]
    compared = compare_runs(runs / "good", predictions(tmp_path / "p.csv", ["text", "prob_bad", "prob_good"], rows))
    found = compared.evaluations[1].scores
    assert found["accuracy"].value == 1.0
    assert found["log_loss"].value == pytest.approx(-np.log(0.75), abs=1e-6)


@pytest.mark.slow
def test_files_alone_are_compared_on_the_labels_that_the_first_holds_or_on_data(runs, tmp_path, capsys):
    file = runs / "good" / "predictions.csv"
    other = runs / "poor" / "predictions.csv"
    compared = compare_runs(file, other)
    whole = compare_runs(runs / "good", runs / "poor")
    assert compared.comparison.differences["accuracy"].value == pytest.approx(whole.comparison.differences["accuracy"].value)
    bare = predictions(tmp_path / "bare.csv", ["prediction"], [("good",)] * 3)
    assert superfine_command("compare", str(bare), str(bare)) == 2
    assert "has no column of true labels" in capsys.readouterr().err
    assert superfine_command("compare", str(file), str(bare)) == 2
    assert "nothing tells which belongs to which" in capsys.readouterr().err


def test_rows_that_a_file_lacks_are_left_out_and_named(runs, tmp_path):
    test = read_table(runs / "good" / "predictions.csv")
    pairs = list(zip(test.columns["text"], test.columns["label"], strict=True))
    compared = compare_runs(runs / "good", predictions(tmp_path / "some.csv", ["text", "prediction"], pairs[3:]))
    assert len(compared.rows.examples) == len(pairs) - 3
    assert compared.notes[0].endswith("has no prediction for 3 rows, which are left out: 2, 3, 4")


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (["prediction"], ["great"], 'none of the labels here: "great" in row 2'),
        (["prediction"], [""], "predicts nothing in"),
        (["guess"], ["good"], "no column of predictions"),
        (["bad", "good"], ["0", "0"], "row 2 holds no probabilities of all classes"),
        (["bad", "good"], ["-1", "2"], "row 2 holds no probabilities of all classes"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_the_row(runs, tmp_path, header, row, message):
    n = len(read_table(runs / "good" / "predictions.csv"))
    with pytest.raises(DataError, match=message):
        compare_runs(runs / "good", predictions(tmp_path / "bad.csv", header, [row] * n))


@pytest.mark.slow
def test_of_several_each_is_compared_with_each_and_verdicts_allow_for_that(runs):
    baseline = runs / "good" / "baselines" / "tfidf"
    compared = compare_runs(runs / "good", runs / "poor", more=[baseline])
    assert [(pair.first, pair.second) for pair in compared.pairs] == [(0, 1), (0, 2), (1, 2)]
    for pair in compared.pairs:
        assert pair.comparison.adjusted_p >= pair.comparison.p_values["accuracy"]
    document = compared.to_json()
    assert set(document["comparison"]) == {"poor", "tfidf"}
    assert document["pairs"][2]["second"] == "tfidf"
    assert compare_runs(runs / "good", runs / "poor").comparison.adjusted_p is None


def test_rows_that_are_answered_differently_are_counted_and_written(runs, tmp_path, capsys):
    flips = tmp_path / "flips.csv"
    command = ["compare", str(runs / "good"), str(runs / "poor"), "--flips", str(flips)]
    assert superfine_command(*command) == 0
    said = capsys.readouterr().err
    with open(flips, encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert all(row["good"] != row["poor"] for row in found)
    pair = compare_runs(runs / "good", runs / "poor").pairs[0]
    assert len(found) == len(pair.changed) == len(pair.only_first) + len(pair.only_second)
    assert sum(row["good"] == row["label"] for row in found) == len(pair.only_first)
    assert f"Answered differently: {len(found)} texts" in said
    assert superfine_command(*command) == 2, "a file that is there is not replaced"
    assert superfine_command(*command, "--force") == 0


def test_a_margin_asks_whether_the_first_is_hardly_worse(runs, capsys):
    assert superfine_command("compare", str(runs / "good"), str(runs / "good"), "--margin", "20") == 0
    assert "good is not worse than" in capsys.readouterr().err.replace(str(runs) + "/", "")
    found = compare_runs(runs / "poor", runs / "good", margin=0.1).pairs[0].margin
    assert not found.holds
    assert found.margin == pytest.approx(0.001)
    assert superfine_command("compare", str(runs / "good"), str(runs / "poor"), "--margin", "-1") == 2
    assert "no loss that could be accepted" in capsys.readouterr().err


def test_an_always_wrong_tool_gains_nothing_by_a_class_of_its_own(runs, tmp_path):
    test = read_table(runs / "good" / "predictions.csv")
    rows = [(text, "0.15", "0.15", "0.7") for text in test.columns["text"]]
    file = predictions(tmp_path / "p.csv", ["text", "p:bad", "p:good", "p:other"], rows)
    with pytest.raises(DataError, match="probabilities of classes that are none here: p:other"):
        compare_runs(runs / "good", file)
    with pytest.raises(DataError, match="row 2 holds no probabilities of all classes"):
        compare_runs(runs / "good", predictions(tmp_path / "q.csv", ["text", "bad", "good"], [row[:3] for row in rows]))


def test_predictions_count_before_probabilities_that_say_otherwise(runs, tmp_path):
    test = read_table(runs / "good" / "predictions.csv")
    rows = [
        (text, label, "0.6" if label == "good" else "0.4", "0.4" if label == "good" else "0.6")
        for text, label in zip(test.columns["text"], test.columns["label"], strict=True)
    ]
    compared = compare_runs(runs / "good", predictions(tmp_path / "p.csv", ["text", "prediction", "p:bad", "p:good"], rows))
    assert compared.evaluations[1].scores["accuracy"].value == 1.0
    assert "log_loss" not in compared.evaluations[1].scores
    assert "predictions are not what its probabilities give" in compared.notes[0]


def test_texts_are_found_whatever_the_case_of_their_column_and_order_is_told_and_held_against_labels(runs, tmp_path):
    test = read_table(runs / "good" / "predictions.csv")
    pairs = list(zip(test.columns["text"], test.columns["label"], strict=True))
    shuffled = [pairs[i] for i in np.random.default_rng(0).permutation(len(pairs))]
    by_text = compare_runs(runs / "good", predictions(tmp_path / "a.csv", ["Text", "prediction"], shuffled))
    assert by_text.evaluations[1].scores["accuracy"].value == 1.0
    assert by_text.notes == ()
    in_order = compare_runs(runs / "good", predictions(tmp_path / "b.csv", ["prediction"], [(label,) for _, label in pairs]))
    assert in_order.notes[0].endswith("its rows are taken in order.")
    wrong = predictions(
        tmp_path / "c.csv", ["sentence", "prediction", "label"], [(text, label, label) for text, label in shuffled]
    )
    with pytest.raises(DataError, match="has another label than the row in its place"):
        compare_runs(runs / "good", wrong)


def test_rows_in_order_are_matched_before_others_are_left_out(runs, tmp_path):
    test = read_table(runs / "good" / "predictions.csv")
    pairs = list(zip(test.columns["text"], test.columns["label"], strict=True))
    missing = predictions(tmp_path / "missing.csv", ["text", "prediction"], pairs[2:])
    order = predictions(tmp_path / "order.csv", ["prediction"], [(label,) for _, label in pairs])
    for first, second in ((missing, order), (order, missing)):
        compared = compare_runs(runs / "good", first, more=[second])
        assert len(compared.rows.examples) == len(pairs) - 2
        assert [one.scores["accuracy"].value for one in compared.evaluations[1:]] == [1.0, 1.0]
        assert any("has no prediction for 2 rows" in note for note in compared.to_json()["notes"])


def test_files_alone_may_predict_classes_that_no_label_has_and_repeated_texts_go_by_label(tmp_path):
    rows = [("a text", "x", "x"), ("a text", "y", "y"), ("another one", "x", "z"), ("a third one", "y", "y"), ("more", "x", "x")]
    one = predictions(tmp_path / "one.csv", ["text", "label", "prediction"], rows)
    other = predictions(tmp_path / "other.csv", ["text", "label", "prediction"], rows[::-1])
    compared = compare_runs(one, other)
    assert compared.task.labels == ("x", "y", "z")
    assert [found.scores["accuracy"].value for found in compared.evaluations] == [0.8, 0.8]


def test_columns_without_data_to_have_them_are_refused(runs, capsys):
    assert superfine_command("compare", runs / "good", runs / "poor", "--label", "label") == 2
    assert "--label is a column of --data, and none is named" in capsys.readouterr().err


@pytest.mark.slow
def test_sets_of_labels_and_numbers_are_read_from_files_too(tiny_model, tmp_path):
    rows = [(text, label if i % 3 else f"{label}|long" if i % 2 else "") for i, (text, label) in enumerate(make_rows(120))]
    run = superfine.train(
        write_csv(tmp_path / "d.csv", rows), task="multilabel", model=str(tiny_model("bert")), out=tmp_path / "sets",
        settings=FAST | {"training.epochs": 1}, progress=False,
    )  # fmt: skip
    test = read_table(run.folder / "predictions.csv")
    pairs = list(zip(test.columns["text"], test.columns["label"], strict=True))
    compared = compare_runs(run.folder, predictions(tmp_path / "p.csv", ["text", "prediction"], pairs))
    assert compared.evaluations[1].scores["micro_f1"].value == 1.0, "an empty cell is no label at all"
    numbers = [(text, str(len(text) / 7)) for text, _ in make_rows(120)]
    run = superfine.train(
        write_csv(tmp_path / "n.csv", numbers), task="regression", model=str(tiny_model("bert")), out=tmp_path / "numbers",
        settings=FAST | {"training.epochs": 1}, progress=False,
    )  # fmt: skip
    test = read_table(run.folder / "predictions.csv")
    pairs = list(zip(test.columns["text"], test.columns["label"], strict=True))
    compared = compare_runs(run.folder, predictions(tmp_path / "n2.csv", ["text", "prediction"], pairs))
    assert compared.evaluations[1].scores["r2"].value == pytest.approx(1.0)
    assert "spearman" in compared.evaluations[1].scores
    with pytest.raises(DataError, match="n/a"):
        compare_runs(run.folder, predictions(tmp_path / "n3.csv", ["text", "prediction"], [(text, "n/a") for text, _ in pairs]))
