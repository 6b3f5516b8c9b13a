"""`--learning-curve`: trainings on fractions of the rows, scored on the test part; nothing of the run's own model changes."""

import pytest

import superfine
from superfine.errors import ConfigError
from superfine.evaluation.learning_curve import Gain
from superfine.recipes.learning_curve import in_round_numbers, said
from superfine.records import Interval
from tests.conftest import FAST, make_rows, write_csv

SETTINGS = FAST | {"training.epochs": 2, "evaluation.learning_curve": True}


@pytest.fixture(scope="module")
def run(tiny_model, reviews, tmp_path_factory):
    out = tmp_path_factory.mktemp("curve") / "run"
    return superfine.train(reviews, model=str(tiny_model("bert")), out=out, settings=SETTINGS, progress=False)


def test_fractions_are_trained_and_the_last_point_is_the_run_itself(run):
    points, n = run.metrics["learning_curve"]["points"], run.metrics["data"]["train"]
    assert [round(8 * point["n"] / n) for point in points] == [1, 1, 2, 2, 4, 8]
    assert points[-1]["value"] == run.metrics["test"]["accuracy"]["value"]
    assert all(0 <= point["value"] <= 1 for point in points)


def test_gains_of_more_rows_are_told_with_intervals(run):
    gains = run.metrics["learning_curve"]["gains"]
    assert [gain["more"] for gain in gains] == sorted({gain["more"] for gain in gains})
    assert all(gain["low"] <= gain["value"] <= gain["high"] for gain in gains)
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "What more labelled texts would bring" in page


def test_the_model_is_that_of_a_run_without_the_curve(run, tiny_model, reviews, tmp_path):
    alone = superfine.train(
        reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST | {"training.epochs": 2}, progress=False
    )
    assert alone.metrics["test"] == run.metrics["test"]
    assert alone.metrics["parity"] == run.metrics["parity"]


@pytest.mark.slow
def test_a_curve_that_is_interrupted_is_left_out_and_the_run_is_written(tiny_model, reviews, tmp_path, interrupted_after):
    interrupted_after(30)
    run = superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=SETTINGS, progress=False)
    assert run.interrupted
    assert "learning_curve" not in run.metrics
    assert run.metrics["training"]["stopped"] is None


def test_too_few_rows_are_refused_before_a_model_is_loaded(tiny_model, tmp_path):
    data = write_csv(tmp_path / "few.csv", make_rows(40))
    with pytest.raises(ConfigError, match="an eighth of the training rows"):
        superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=SETTINGS, progress=False)


def test_numbers_of_rows_are_round_ones_and_gains_are_told_in_points():
    assert [in_round_numbers(n) for n in (1, 7, 125, 850, 1530, 26_000)] == [1, 7, 100, 850, 1500, 25_000]
    gain = Gain(500, Interval(0.018, 0.006, 0.031))
    assert said(gain, "accuracy") == "Another 500 labelled rows: +1.8 points (+0.6 to +3.1)"
    assert said(gain, "r2") == "Another 500 labelled rows: +0.018 (+0.006 to +0.031)"
