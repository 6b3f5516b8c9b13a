"""Kinds of test rows: given columns, periods of time, and those that are found; errors with the rows that are most like them."""

import numpy as np
import pytest

import superfine
from superfine.errors import ConfigError, DataError
from superfine.recipes.slices import slices_of
from superfine.records import Choices, Examples
from superfine.tasks.classification import Classification
from tests.conftest import FAST, make_rows, superfine_command, write_csv


@pytest.fixture(scope="module")
def dated(tiny_model, tmp_path_factory):
    """A run on rows with a day and a shop, the newest of which are held out."""
    folder = tmp_path_factory.mktemp("slices")
    rows = [
        (text, label, f"2024-{1 + i // 30:02}-{1 + i % 28:02}", ("north", "south")[i % 2])
        for i, (text, label) in enumerate(make_rows(240))
    ]
    rng = np.random.default_rng(0)
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    data = write_csv(folder / "reviews.csv", shuffled, ("text", "label", "Day", "shop"))
    settings = FAST | {"training.epochs": 1, "evaluation.slices": ["SHOP"]}
    run = superfine.train(
        data, model=str(tiny_model("bert")), out=folder / "run", settings=settings | {"data.time": "day"}, progress=False
    )
    return run, data


def test_the_latest_rows_are_tested_and_the_next_latest_choose_the_epoch(dated):
    run, data = dated
    from superfine.config import build_config
    from superfine.recipes.prepare import prepare

    config = build_config({}, {"data.time": "day", "model.name": run.metrics["model"]})
    parts = prepare(data, None, None, config, needs_model=False)
    days = [[str(day) for day in part.columns["Day"]] for part in (parts.train, parts.validation, parts.test)]
    assert max(days[0]) < min(days[1])
    assert max(days[1]) < min(days[2])
    assert run.metrics["data"]["test"] == len(parts.test)
    assert "Day" not in parts.columns.other_labels
    assert 0.1 < len(parts.test) / 240 < 0.25


def test_scores_are_given_by_period_and_by_the_values_of_a_column(dated):
    run, _ = dated
    found = run.metrics["test"]["slices"]
    shops = [one for one in found if one["by"] == "shop"]
    assert {one["name"] for one in shops} == {"north", "south"}
    assert sum(one["n"] for one in shops) == run.metrics["test"]["n"]
    periods = [one["name"] for one in found if one["by"] == "Day"]
    assert periods == sorted(periods)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "Kinds of texts" in page
    assert "north" in page


def test_errors_stand_with_training_rows_of_which_the_label_is_told(dated):
    run, _ = dated
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    accuracy, n = run.metrics["test"]["accuracy"]["value"], run.metrics["test"]["n"]
    n_wrong = round((1 - accuracy) * n)
    assert n_wrong > 0, "after one pass"
    assert 0 < page.count('<article class="error"') == page.count('<details class="nearest">') <= n_wrong


def test_columns_that_are_not_there_are_named(tiny_model, reviews, tmp_path, capsys):
    command = ["train", str(reviews), "--model", str(tiny_model("bert")), "--out", str(tmp_path / "run")]
    assert superfine_command(*command, "--slice", "shop") == 2
    assert 'no column "shop"' in capsys.readouterr().err
    assert superfine_command(*command, "--time", "labl") == 2
    assert 'Did you mean "label"' in capsys.readouterr().err
    assert superfine_command(*command, "--time", "label") == 2
    assert "holds no time in 240 rows" in capsys.readouterr().err


def test_rows_of_one_time_cannot_be_held_out_by_it(tiny_model, tmp_path):
    rows = [(text, label, "2024-01-01", f"shop {i}") for i, (text, label) in enumerate(make_rows(60))]
    data = write_csv(tmp_path / "d.csv", rows, ("text", "label", "day", "shop"))
    with pytest.raises(DataError, match="of one time"):
        superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings={"data.time": "day"}, progress=False)
    with pytest.raises(ConfigError, match="--time and --group"):
        superfine.train(
            data, group="shop", text="text", label="label", model=str(tiny_model("bert")), out=tmp_path / "run",
            settings={"data.time": "day"}, progress=False,
        )  # fmt: skip


def scored(n, wrong_on):
    """A task, parts and statistics of n texts, of which those with the word `wrong_on` are mostly wrong."""
    from types import SimpleNamespace

    from superfine.config import RunConfig

    rng = np.random.default_rng(0)
    words = ["kettle", "lamp", "chair", "refund", "tent", "pan"]
    texts = [" ".join(rng.choice(words, 3)) + f" {i}" for i in range(n)]
    true = rng.integers(0, 2, n)
    wrong = np.array([wrong_on in text for text in texts]) & (rng.random(n) < 0.5) | (rng.random(n) < 0.05)
    said = np.where(wrong, 1 - true, true)
    task = Classification(["bad", "good"])
    test = Examples(np.arange(n), texts, label=[task.labels[i] for i in true])
    statistics = task.statistics(test, Choices(test.row, task.labels, 0.8 * np.eye(2)[said] + 0.1))
    return task, SimpleNamespace(scored_test=test, config=RunConfig()), statistics


def test_a_word_that_the_model_errs_on_is_found_and_others_are_not():
    task, parts, statistics = scored(800, "refund")
    found = slices_of(task, parts, statistics)["weak_slices"]
    assert found["found"][0]["name"] == "refund"
    assert {one["name"] for one in found["found"] if one["by"] == "word"} == {"refund"}
    assert found["looked_at"] > 10
    assert found["score"] == "accuracy"


def test_where_nothing_is_weak_nothing_is_said():
    task, parts, statistics = scored(800, "nothing of that kind")
    assert slices_of(task, parts, statistics)["weak_slices"]["found"] == []


def test_a_test_file_is_looked_at_before_training_and_columns_that_it_lacks_are_told(tiny_model, tmp_path, capsys):
    rows = [(text, label, f"2024-01-{1 + i % 28:02}", "x") for i, (text, label) in enumerate(make_rows(80))]
    data = write_csv(tmp_path / "d.csv", rows, ("text", "label", "day", "shop"))
    bad = write_csv(tmp_path / "bad.csv", [("a text", "good", "soon"), ("b text", "bad", "later")], ("text", "label", "DAY"))
    command = ["train", data, "--model", tiny_model("bert"), "--time", "day", "--slice", "shop", "--out", tmp_path / "run"]
    assert superfine_command(*command, "--test", bad) == 2
    assert 'bad.csv: the column "DAY" holds no time in 2 rows' in capsys.readouterr().err
    without = write_csv(tmp_path / "without.csv", [(text, label) for text, label in make_rows(30, seed=9)])
    assert superfine_command(*command, "--test", without, "--epochs", "1") == 0
    said = capsys.readouterr().err
    assert 'without.csv has no column "shop": no scores are given by it.' in said
    assert 'without.csv has no column "day"' in said
