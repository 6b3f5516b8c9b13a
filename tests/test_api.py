"""Python and notebooks: what comes back can be looked at, sliced, written, scored and pickled, and mistakes are one line."""

import csv
import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest

import superfine
from superfine.api import Run
from superfine.errors import ConfigError, DataError
from superfine.records import Ragged, Sets, Spans, Values
from tests.conftest import FAST, load_for_classification, make_rows, model_of

TEXTS = [text for text, _ in make_rows(30, seed=4)]


@pytest.fixture(scope="module")
def model(trained):
    return trained.load()


def test_answers_are_sliced_like_a_list_and_written_like_predict_does(model, trained, tmp_path):
    answers = model.predict(TEXTS)
    assert len(answers) == 30
    assert answers[2:5].label == answers.label[2:5]
    assert answers[-1]["prediction"] == answers.label[-1]
    mask = np.array([label == "bad" for label in answers.label])
    assert set(answers[mask].label) <= {"bad"}
    assert answers[[3, 0]].label == [answers.label[3], answers.label[0]]
    frame = answers.to_frame()
    assert frame["prediction"].tolist() == answers.label
    assert frame.columns.tolist() == ["prediction", "confidence", "p:bad", "p:good"]
    answers.to_csv(tmp_path / "out.csv")
    with open(tmp_path / "out.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["prediction"] for row in rows] == answers.label
    assert rows[0]["confidence"] == f"{answers.confidence[0]:.6f}"


def test_probabilities_and_scores_come_from_the_model_itself(model, trained):
    probabilities = model.predict_proba(TEXTS)
    assert probabilities.shape == (30, 2)
    assert np.array_equal(probabilities, model.predict(TEXTS).probabilities)
    with open(trained.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = model.evaluate([row["text"] for row in rows], [row["label"] for row in rows])
    for name, interval in found.scores.items():
        assert interval.value == pytest.approx(trained.metrics["test"][name]["value"], abs=1e-6)
    with pytest.raises(ValueError, match="30 texts and 1 labels"):
        model.evaluate(TEXTS, ["good"])
    with pytest.raises(DataError, match="ugly"):
        model.evaluate(["a text"], ["ugly"])


@pytest.mark.parametrize("baseline", [None, "tfidf"])
def test_a_model_is_pickled_with_the_files_of_its_bundle_and_answers_alike_elsewhere(trained, tmp_path, baseline):
    model = superfine.load(trained.folder, baseline=baseline)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    np.save(tmp_path / "expected.npy", model.predict_proba(TEXTS))
    script = (
        "import pickle, sys, numpy as np\n"
        f"model = pickle.load(open({str(tmp_path / 'model.pickle')!r}, 'rb'))\n"
        f"found = model.predict_proba({TEXTS!r})\n"
        f"assert np.allclose(found, np.load({str(tmp_path / 'expected.npy')!r}), atol=1e-6)\n"
        "again = pickle.loads(pickle.dumps(model))\n"
        "assert np.allclose(again.predict_proba(['a text']), model.predict_proba(['a text']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_that_was_not_opened_from_files_is_not_pickled(tiny_model):
    with pytest.raises(TypeError, match="was not opened"):
        pickle.dumps(model_of(load_for_classification(str(tiny_model("bert")), ["bad", "good"])))


def test_settings_by_name_and_mistyped_ones(reviews, tiny_model, tmp_path, monkeypatch):
    seen = {}

    def recipe(request, reporter):
        seen["config"] = request.config
        raise KeyboardInterrupt

    monkeypatch.setattr("superfine.recipes.train.train", recipe)
    with pytest.raises(KeyboardInterrupt):
        superfine.train(
            reviews, epochs=3, batch_size=8, learning_rate=1e-5, max_length=64, device="cpu",
            config={"training.patience": 1, "model": {"dropout": 0.2}}, settings={"training.warmup_ratio": 0.2},
        )  # fmt: skip
    config = seen["config"]
    assert (config.training.epochs, config.training.batch_size, config.training.learning_rate) == (3, 8, 1e-5)
    assert (config.model.max_length, config.model.dropout, config.device) == (64, 0.2, "cpu")
    assert (config.training.patience, config.training.warmup_ratio) == (1, 0.2)
    with pytest.raises(TypeError, match='Did you mean "epochs"'):
        superfine.train(reviews, epoch=3)
    with pytest.raises(TypeError, match=r'It is a setting: settings=\{"training.patience": ...\}'):
        superfine.train(reviews, patience=3)
    with pytest.raises(ConfigError, match=r'Did you mean "training\.patience"'):
        superfine.train(reviews, config={"training.patienc": 3})


def test_every_public_thing_has_a_repr_of_one_line(model, trained):
    nothing = Ragged.of_lengths(np.zeros((0, 3), dtype=np.int64), [0])
    row, one = np.array([1]), np.array([0.5])
    things = [
        trained,
        model,
        superfine.load(trained.folder, baseline="tfidf"),
        model.predict(TEXTS),
        model.evaluate(TEXTS, ["good"] * 30),
        Sets(row, ("a", "b"), np.array([[0.9, 0.1]]), np.array([0.5, 0.5])),
        Values(row, one, one, one),
        Spans(row, ("a",), ["a text"], nothing, np.zeros(0)),
        superfine.SuperfineClassifier(),
    ]
    for thing in things:
        assert "\n" not in repr(thing)
        assert len(repr(thing)) < 250, repr(thing)
    assert repr(model.predict(TEXTS)).startswith("Choices(30 texts: ")
    assert "accuracy 0." in repr(trained)
    assert repr(model) == "Model(text classifier, 2 classes)"


def test_notebooks_get_tables_a_picture_and_the_report(model, trained):
    answers = model.predict([*TEXTS[:11], "<script>alert(1)</script>"])
    html = answers._repr_html_()
    assert html.count("<tr>") == 11
    assert "2 more rows" in html
    assert "95 % interval" in model.evaluate(TEXTS, ["good"] * 30)._repr_html_()
    picture = trained._repr_html_()
    assert picture.count("<circle") == 1 + len(trained.metrics["baselines"])
    shown = trained.show(height=300)._repr_html_()
    assert "height:300px" in shown
    assert "&lt;!doctype html&gt;" in shown


def test_figures_are_drawn_from_the_metrics(trained):
    for plot in (trained.plot_confusion, trained.plot_learning_curve, trained.plot_calibration):
        assert plot().axes, plot
    axes = trained.plot_confusion().axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == trained.metrics["labels"]
    groups = trained.metrics["test"]["calibration"]
    assert sum(count for _, _, count in groups) == trained.metrics["test"]["n"]
    assert [sure for sure, _, _ in groups] == sorted(sure for sure, _, _ in groups)
    right = sum(share * count for _, share, count in groups) / trained.metrics["test"]["n"]
    assert right == pytest.approx(trained.metrics["test"]["accuracy"]["value"])
    numbers = Run(trained.folder, {**trained.metrics, "task": "regression", "test": {"n": 3}})
    for plot in (numbers.plot_confusion, numbers.plot_calibration):
        with pytest.raises(ConfigError, match="the task is regression"):
            plot()


def test_the_package_lists_what_is_public_and_its_help_explains_every_argument():
    assert dir(superfine) == sorted(superfine.__all__)
    for function in (superfine.train, superfine.load, superfine.evaluate):
        for name in inspect.signature(function).parameters:
            if name not in ("mistyped", "folder", "data"):
                assert name in function.__doc__, (function, name)
        assert all(p.annotation is not inspect.Parameter.empty for p in inspect.signature(function).parameters.values())


def test_one_column_of_a_frame_is_taken_as_scikit_learn_takes_it(tiny_model):
    import pandas as pd
    from sklearn.exceptions import DataConversionWarning

    rows = make_rows(80)
    frame = pd.DataFrame(rows, columns=["text", "label"])
    estimator = superfine.SuperfineClassifier(str(tiny_model("bert")), epochs=1, settings=FAST | {"training.epochs": 1})
    with pytest.warns(DataConversionWarning, match="1d array was expected"):
        estimator.fit(frame["text"], frame[["label"]])
    assert estimator.classes_.tolist() == ["bad", "good"]
    assert set(estimator.predict(TEXTS)) <= {"bad", "good"}


NOTEBOOK = [
    "import superfine\nrun = superfine.train({data!r}, model={model!r}, out={out!r}, epochs=1, max_length=32)",
    "run",
    "model = run.load()\nmodel.predict(['a lovely kettle', 'an awful one'])",
    "run.show()",
    "run.plot_confusion()",
    "superfine.train({data!r}, text='tixt')",
]


@pytest.mark.slow
def test_a_notebook_runs_and_shows_one_output_for_a_run_and_one_line_for_a_mistake(reviews, tiny_model, tmp_path):
    import nbformat
    from nbclient import NotebookClient

    names = {"data": str(reviews), "model": str(tiny_model("bert")), "out": str(tmp_path / "run")}
    cells = [nbformat.v4.new_code_cell(cell.format(**names)) for cell in NOTEBOOK]
    notebook = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=300, kernel_name="python3", allow_errors=True).execute()
    outputs = [cell.outputs for cell in notebook.cells]
    assert len(outputs[0]) == 1, "one output that redraws"
    told = outputs[0][0]["data"]["text/html"]
    assert "epoch 1: loss" in told
    assert "The weights are those after epoch 1" in told
    lines = told.split(">", 1)[1].splitlines()
    assert all(line.strip() for line in lines), "no blank lines"
    assert "<svg" in outputs[1][0]["data"]["text/html"]
    assert "<table>" in outputs[2][0]["data"]["text/html"]
    assert "<iframe" in outputs[3][0]["data"]["text/html"]
    assert "image/png" in outputs[4][0]["data"]
    error = outputs[5][-1]
    assert error["output_type"] == "error"
    assert len(error["traceback"]) == 1
    assert 'has no column "tixt"' in error["traceback"][0]
    assert "Traceback" not in error["traceback"][0]


def test_labels_of_any_kind_are_scored_as_they_stand_in_the_training_data(tiny_model, tmp_path):
    rows = [(text, label == "good") for text, label in make_rows(80)]
    data = {"text": [text for text, _ in rows], "label": [flag for _, flag in rows]}
    run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    found = run.load().evaluate(data["text"], data["label"])
    assert found.n == 80
    numbers = {"text": data["text"], "label": [0.5 + len(text) for text in data["text"]]}
    run = superfine.train(
        numbers, task="regression", model=str(tiny_model("bert")), out=tmp_path / "n", settings=FAST, progress=False
    )
    assert run.load().evaluate(numbers["text"], np.array(numbers["label"])).n == 80
    with pytest.raises(TypeError, match="gives no probabilities"):
        run.load().predict_proba(["a text"])
