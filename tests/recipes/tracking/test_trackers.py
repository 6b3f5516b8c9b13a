"""Trackers are told the loss of every step, every validation and the test scores; unknown ones are refused before any work."""

import pytest

import superfine
from superfine.errors import ConfigError
from superfine.recipes.tracking.tracked import flat
from tests.conftest import FAST


@pytest.fixture
def train(tiny_model, reviews, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*names):
        settings = FAST | {"training.epochs": 2, "track": list(names)}
        return superfine.train(reviews, model=str(tiny_model("bert")), out="tracked", settings=settings, progress=False)

    return run


def test_tensorboard_can_be_read_back(train):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train("tensorboard")
    events = EventAccumulator(str(run.folder / "tensorboard")).Reload()
    assert len(events.Scalars("train/loss")) == run.metrics["training"]["steps"]
    assert [round(e.value, 4) for e in events.Scalars("validation/accuracy")] == [
        round(r["score"], 4) for r in run.metrics["training"]["history"]
    ]
    assert events.Scalars("test/accuracy")[0].value == pytest.approx(run.metrics["test"]["accuracy"]["value"])


@pytest.mark.slow
def test_mlflow_can_be_read_back(train, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    run = train("mlflow")
    (found,) = mlflow.search_runs(output_format="list")
    assert found.info.status == "FINISHED"
    assert found.data.params["training.epochs"] == "2"
    assert found.data.metrics["test/accuracy"] == pytest.approx(run.metrics["test"]["accuracy"]["value"])


@pytest.mark.slow
def test_weights_and_biases_gets_everything_offline(train, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = train("wandb")
    assert list((run.folder / "wandb").glob("offline-run-*/*.wandb"))


@pytest.mark.parametrize("fails_in", ["__init__", "log", "close"])
def test_a_tracker_that_fails_is_left_out_and_the_run_goes_on(train, monkeypatch, fails_in):
    pytest.importorskip("tensorboard")
    from superfine.recipes.tracking.tensorboard import TensorBoard

    calls, said = [], []

    def failing(self, *_):
        calls.append(fails_in)
        raise ConnectionError("the server is gone\nand more")

    monkeypatch.setattr(TensorBoard, fails_in, failing)
    monkeypatch.setattr("superfine.recipes.reporter.Reporter.note", lambda self, text: said.append(text))
    run = train("tensorboard")
    assert run.metrics["test"]["n"] > 0
    assert (run.folder / "report.html").exists()
    assert calls == [fails_in], "it is told nothing more"
    assert said.count("The tracker tensorboard failed and is told nothing more: the server is gone") == 1


def test_an_unknown_tracker_is_refused_at_once(train, tmp_path):
    with pytest.raises(ConfigError, match=r'no tracker "tensorbord".*Did you mean "tensorboard"'):
        train("tensorbord")
    assert not (tmp_path / "tracked").exists()


def test_settings_are_told_by_their_dotted_keys():
    assert flat({"training": {"epochs": 3, "regularisers": {}}, "seed": 0}) == {
        "training.epochs": "3", "training.regularisers": "{}", "seed": "0",
    }  # fmt: skip
