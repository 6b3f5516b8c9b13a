"""The whole of `train`: what it writes, what it says, and what it refuses."""

import csv
import json
import shutil
import signal
import threading
import time

import numpy as np
import pytest
import torch
import yaml

import superfine
from superfine.backbones.backbone import Backbone
from superfine.backbones.packed import attention
from superfine.errors import ConfigError, DataError, ModelError, OutputError
from superfine.evaluation.compare import Comparison
from superfine.recipes.outputs import prediction_header, verdict
from superfine.records import Interval
from tests.conftest import FAST, make_rows, write_csv


def test_everything_of_the_contract_is_written(trained):
    names = {path.name for path in trained.folder.iterdir()}
    assert names == {"model", "metrics.json", "predictions.csv", "report.html", "README.md", "run.yaml", "log.jsonl"}


def test_metrics_follow_the_contract(trained):
    metrics = json.loads((trained.folder / "metrics.json").read_text())
    assert metrics == trained.metrics
    assert metrics["labels"] == ["bad", "good"]
    for key in ("accuracy", "macro_precision", "macro_recall", "macro_f1", "weighted_f1", "mcc", "roc_auc", "log_loss"):
        score = metrics["test"][key]
        assert score["low"] <= score["value"] <= score["high"], key
    assert set(metrics["test"]["per_class"]["good"]) == {"precision", "recall", "f1", "support"}
    assert set(metrics["baselines"]) == {"majority", "tfidf"}
    for key in ("seconds", "examples_per_second", "tokens_per_second", "epochs", "peak_memory_mb", "precision", "load_seconds"):
        assert metrics["training"][key], key
    data = metrics["data"]
    assert data["train"] + data["validation"] + data["test"] == 240
    assert (data["test"], data["validation"]) == (36, 20)
    assert metrics["seed"] == 0
    assert metrics["environment"]["superfine"] == superfine.__version__


def test_predictions_hold_the_input_columns_and_the_probabilities_of_every_test_row(trained):
    with open(trained.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == trained.metrics["test"]["n"]
    assert list(rows[0]) == ["text", "label", "prediction", "confidence", "p:bad", "p:good"]
    accuracy = np.mean([row["label"] == row["prediction"] for row in rows])
    assert accuracy == pytest.approx(trained.metrics["test"]["accuracy"]["value"])
    for row in rows:
        assert float(row["p:bad"]) + float(row["p:good"]) == pytest.approx(1, abs=1e-5)
        assert float(row["confidence"]) == max(float(row["p:bad"]), float(row["p:good"]))


def test_columns_whose_names_clash_get_a_suffix():
    assert prediction_header(["text", "prediction", "p:a"], ("a", "b")) == [
        "text", "prediction", "p:a", "prediction_2", "confidence", "p:a_2", "p:b",
    ]  # fmt: skip


def test_run_yaml_tells_every_choice_and_serves_as_configuration_again(trained, tmp_path, reviews):
    content = yaml.safe_load((trained.folder / "run.yaml").read_text())
    assert content["data"]["label"] == "label"
    assert content["choices"]["precision"] in {"float32", "bfloat16"}
    assert content["choices"]["learning_rate"] == 2e-3
    again = superfine.train(reviews, config=trained.folder / "run.yaml", out=tmp_path / "again", progress=False)
    assert again.metrics["test"] == trained.metrics["test"], "same configuration, same seed, same result"


def measured_again(*_, **__):
    raise AssertionError("the choice was there already")


def test_the_kernels_of_attention_are_measured_once_and_then_reused(tiny_model, tmp_path, monkeypatch):
    data = write_csv(tmp_path / "long.csv", make_rows(60))
    settings = FAST | {"training.epochs": 1, "training.precision": "float32", "model.max_length": 64}
    asked = []

    def measured(self, dtype, longest, *, with_gradients):
        asked.append((dtype, longest, with_gradients))
        return None if with_gradients else 64

    monkeypatch.setattr("superfine.recipes.tuning.CANDIDATES", (16,))  # the tiny model reads 64 tokens
    monkeypatch.setattr(Backbone, "measure_flash_from", measured)
    run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    kept = yaml.safe_load((run.folder / "run.yaml").read_text())["model"]["flash_from"]
    assert (kept["training"], kept["scoring"]) == ("never", 64)
    assert kept["training_bfloat16"] == "auto", "what this run does not need is left to one that does"
    assert (torch.float32, 64, False) in asked
    assert next(longest for _, longest, with_gradients in asked if with_gradients) < 64, (
        "training is asked about the longest text"
    )
    flash, used = attention.flash, []
    monkeypatch.setattr(attention, "flash", lambda *arguments: used.append(1) or flash(*arguments))
    superfine.load(run.folder).predict([text for text, _ in make_rows(20)])
    assert used, "a model answers by the kernel that it was tested with"
    used.clear()

    monkeypatch.setattr(Backbone, "measure_flash_from", measured_again)
    again = superfine.train(data, config=run.folder / "run.yaml", out=tmp_path / "again", progress=False)
    assert again.metrics["test"] == run.metrics["test"]
    assert used
    assert superfine.load(again.folder).backbone.flash_from["scoring"] == 64


def test_a_test_file_is_used_whole_and_in_its_order(tiny_model, reviews, tmp_path):
    rows = make_rows(30, seed=9)
    test = write_csv(tmp_path / "test.csv", rows)
    run = superfine.train(
        reviews,
        test=test,
        validation=test,
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        settings=FAST | {"training.epochs": 1},
        progress=False,
    )
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        assert [row["text"] for row in csv.DictReader(file)] == [text for text, _ in rows]
    assert run.metrics["data"]["train"] == 240


def test_leaked_test_rows_are_counted_and_the_score_is_given_without_them(tiny_model, reviews, tmp_path):
    leaked = make_rows(240)[:10]
    test = write_csv(tmp_path / "test.csv", leaked + make_rows(30, seed=9))
    run = superfine.train(
        reviews,
        test=test,
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        settings=FAST | {"training.epochs": 1},
        progress=False,
    )
    leak = next(f for f in run.metrics["findings"] if f["name"] == "leak")
    assert leak["severity"] == "blocking"
    assert leak["count"] == 10
    assert run.metrics["test_without_leaks"]["n"] == 30


def test_texts_equal_after_normalising_never_straddle_parts(tiny_model, tmp_path):
    rows = make_rows(60)
    doubled = rows + [(text.upper().replace(" ", "  "), label) for text, label in rows]
    run = superfine.train(
        write_csv(tmp_path / "d.csv", doubled),
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        settings=FAST | {"training.epochs": 1},
        progress=False,
    )
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        keys = [" ".join(row["text"].lower().split()) for row in csv.DictReader(file)]
    assert all(keys.count(key) == 2 for key in keys)
    assert not any(f["name"] == "leak" for f in run.metrics["findings"])


def test_pairs_of_texts_are_classified(tiny_model, tmp_path):
    rows = [(text, "it is " + ("so" if i % 2 else "not so"), label) for i, (text, label) in enumerate(make_rows(80))]
    data = write_csv(tmp_path / "pairs.csv", rows, ("first", "second", "label"))
    run = superfine.train(
        data, text="first", text_pair="second", model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False
    )
    assert len(run.load().predict(["lovely pan"], ["it is so"])) == 1


def test_columns_from_python_train_like_a_file(tiny_model, reviews, trained, tmp_path):
    columns = {"text": [t for t, _ in make_rows(240)], "label": [y for _, y in make_rows(240)]}
    run = superfine.train(columns, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    assert run.metrics["test"] == trained.metrics["test"]


def test_a_time_limit_is_kept_and_leaves_a_model(tiny_model, reviews, tmp_path):
    started = time.monotonic()
    run = superfine.train(
        reviews,
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        time_limit="12s",
        settings=FAST | {"training.epochs": 5000, "training.patience": 0},
        progress=False,
    )
    assert time.monotonic() - started < 12 + 10
    assert run.metrics["training"]["stopped"] == "time_limit"
    assert run.load().predict(["lovely"]).label


def test_ctrl_c_keeps_what_is_finished(tiny_model, reviews, tmp_path):
    timer = threading.Timer(6.0, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        run = superfine.train(
            reviews,
            model=str(tiny_model("bert")),
            out=tmp_path / "run",
            settings=FAST | {"training.epochs": 5000, "training.patience": 0},
            progress=False,
        )
    finally:
        timer.cancel()
    assert run.interrupted
    assert run.metrics["training"]["stopped"] == "interrupted"
    assert (run.folder / "report.html").exists()


def test_resume_goes_on_from_a_checkpoint_and_refuses_other_data(tiny_model, reviews, tmp_path, monkeypatch):
    import superfine.training.checkpoint as checkpoint

    settings = FAST | {"training.epochs": 4, "training.patience": 0}
    whole = superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "whole", settings=settings, progress=False)

    class CrashError(RuntimeError):
        pass

    def write_then_crash(self, run):
        if run.progress.step == 15:
            self.write(run)
            raise CrashError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpointer, "__call__", write_then_crash)
        with pytest.raises(CrashError):
            superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "broken", settings=settings, progress=False)
    other = write_csv(tmp_path / "other.csv", make_rows(240, seed=5))
    with pytest.raises(ModelError, match="other data"):
        superfine.train(other, resume=tmp_path / "broken", progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(Backbone, "measure_flash_from", measured_again)
        resumed = superfine.train(reviews, resume=tmp_path / "broken", progress=False)
    assert resumed.metrics["training"]["steps"] == whole.metrics["training"]["steps"]
    assert resumed.metrics["test"] == whole.metrics["test"]
    assert not (tmp_path / "broken" / "checkpoint").exists()


def test_resume_refuses_a_finished_run_and_other_settings(trained, reviews, tiny_model, tmp_path, monkeypatch):
    import superfine.training.checkpoint as checkpoint

    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "run.yaml").write_text("- a\n")
    with pytest.raises(ConfigError, match="no mapping"):
        superfine.train(reviews, resume=tmp_path / "odd", progress=False)
    with pytest.raises(OutputError, match="is finished"):
        superfine.train(reviews, resume=trained.folder, progress=False)

    def write_then_crash(self, run):
        if run.progress.step == 5:
            self.write(run)
            raise RuntimeError("crash")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpointer, "__call__", write_then_crash)
        with pytest.raises(RuntimeError, match="crash"):
            superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    with pytest.raises(ModelError, match="other data or settings"):
        superfine.train(reviews, resume=tmp_path / "run", settings={"training.batch_size": 8}, progress=False)


def test_a_mistake_found_late_leaves_an_earlier_run_alone(trained, reviews, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    before = (copy / "run.yaml").read_text()
    with pytest.raises(ModelError):
        superfine.train(reviews, model="./no-such-model", out=copy, force=True, progress=False)
    assert (copy / "run.yaml").read_text() == before
    assert (copy / "model" / "model.safetensors").exists()


def test_every_test_row_is_predicted_and_one_without_label_is_listed_as_not_scored(tiny_model, reviews, tmp_path):
    test = write_csv(tmp_path / "test.csv", [*make_rows(20, seed=9), ("", "good"), ("fine words", "")])
    run = superfine.train(
        reviews,
        test=test,
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        settings=FAST | {"training.epochs": 1},
        progress=False,
    )
    assert run.metrics["test"]["n"] == 21
    assert run.metrics["data"]["not_scored"] == [23]
    assert (run.folder / "predictions.csv").read_text().count("\n") == 23


def test_missing_values_of_a_frame_are_missing(tiny_model, tmp_path):
    columns = {
        "text": [t for t, _ in make_rows(60)] + [float("nan"), None],
        "label": [y for _, y in make_rows(60)] + ["good", "bad"],
    }
    run = superfine.train(
        columns, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST | {"training.epochs": 1}, progress=False
    )
    assert run.metrics["data"]["dropped"]["train"]["count"] == 2
    assert run.metrics["labels"] == ["bad", "good"]


def test_options_that_a_task_does_not_take_are_refused(reviews, tmp_path):
    with pytest.raises(ConfigError, match='options of the task "classification"'):
        superfine.train(reviews, out=tmp_path / "run", settings={"task.options": {"x": 1}}, progress=False)


def test_a_baseline_subset_holds_every_class():
    from superfine.recipes.baselines import _some_of_each_class

    targets = np.array([0] * 5000 + [1] * 3)
    assert set(targets[_some_of_each_class(targets, 50)]) == {0, 1}


def test_a_folder_of_somebody_else_and_a_run_without_force_are_left_alone(reviews, trained, tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds no run"):
        superfine.train(reviews, out=tmp_path, force=True, progress=False)
    assert (tmp_path / "mine.txt").read_text() == "precious"
    with pytest.raises(OutputError, match="already holds a run"):
        superfine.train(reviews, out=trained.folder, progress=False)


def test_force_replaces_a_run(trained, reviews, tiny_model, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    run = superfine.train(
        reviews, model=str(tiny_model("roberta")), out=copy, force=True, settings=FAST | {"training.epochs": 1}, progress=False
    )
    assert run.metrics["model"] == str(tiny_model("roberta"))
    assert json.loads((copy / "model" / "config.json").read_text())["model_type"] == "roberta"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("one text here", "a"), ("another text", "a")], 'only the class "a"'),
        ([("same text", "a"), ("same text", "b")] * 5, "every row has the same text"),
        ([("a b c", "x"), ("d e f", "y")], "No row of .* can be held out for test"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(rows, message, tmp_path):
    with pytest.raises(DataError, match=message):
        superfine.train(write_csv(tmp_path / "d.csv", rows), out=tmp_path / "run", progress=False)


def test_a_test_label_that_training_never_had_is_refused_with_its_row(reviews, tmp_path):
    test = write_csv(tmp_path / "test.csv", [("fine words", "good"), ("odd words", "strange")])
    with pytest.raises(DataError, match=r'"strange" in row 3'):
        superfine.train(reviews, test=test, out=tmp_path / "run", progress=False)


def test_all_mistakes_in_the_settings_are_reported_at_once(reviews, tmp_path):
    with pytest.raises(ConfigError) as error:
        superfine.train(
            reviews,
            out=tmp_path / "run",
            settings={"training.epoch": 3, "training.batch_size": 0, "learning_rate": 1, "training.max_grad_norm": float("inf")},
            progress=False,
        )
    message = str(error.value)
    assert 'no option "training.epoch". Did you mean "training.epochs"?' in message
    assert '"training.batch_size" cannot be 0' in message
    assert 'Did you mean "training.learning_rate"?' in message


def test_the_verdict_speaks_plainly():
    def comparison(low, high):
        return Comparison({"accuracy": Interval((low + high) / 2, low, high)})

    assert "not distinguishable from the baseline" in verdict(comparison(-0.01, 0.02), "TF-IDF")
    assert verdict(comparison(0.01, 0.02), "TF-IDF") == "better than TF-IDF"
    assert "use the baseline" in verdict(comparison(-0.03, -0.01), "TF-IDF")


def test_a_foreign_language_is_a_loud_warning(tiny_model, tmp_path):
    rows = [(f"质量很好,推荐第{i}次", "好") for i in range(40)] + [(f"太差了,第{i}次后悔", "差") for i in range(40)]
    run = superfine.train(
        write_csv(tmp_path / "zh.csv", rows),
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        settings=FAST | {"training.epochs": 1},
        progress=False,
    )
    warning = next(f for f in run.metrics["findings"] if f["name"] == "unknown_tokens")
    assert warning["severity"] == "warning"
    assert run.metrics["data"]["unknown_token_share"] > 0.1
    assert run.metrics["labels"] == ["好", "差"] or run.metrics["labels"] == ["差", "好"]


def test_labels_that_training_never_had_are_refused_or_predicted_without_a_score(tiny_model, reviews, tmp_path):
    test = write_csv(tmp_path / "test.csv", [*make_rows(20, seed=9), ("so so", "mixed")])
    arguments = {"test": test, "model": str(tiny_model("bert")), "out": tmp_path / "run", "progress": False}
    with pytest.raises(DataError, match=r'never had: "mixed" in row 22.\n.*--ignore-unknown-labels'):
        superfine.train(reviews, **arguments)
    run = superfine.train(reviews, settings=FAST | {"training.epochs": 1, "data.ignore_unknown_labels": True}, **arguments)
    assert (run.metrics["test"]["n"], run.metrics["data"]["not_scored"]) == (20, [22])
    assert (run.folder / "predictions.csv").read_text().count("\n") == 22


def test_labels_that_differ_only_in_spelling_are_merged_on_request(tiny_model, tmp_path):
    rows = [(text, label.title() if i % 5 == 0 else label) for i, (text, label) in enumerate(make_rows(100))]
    data = write_csv(tmp_path / "data.csv", rows)
    arguments = {"model": str(tiny_model("bert")), "progress": False}
    apart = superfine.train(data, out=tmp_path / "a", settings=FAST | {"training.epochs": 1}, **arguments)
    assert apart.metrics["labels"] == ["Bad", "Good", "bad", "good"]
    assert "label_spelling" in {finding["name"] for finding in apart.metrics["findings"]}
    merged = superfine.train(
        data, out=tmp_path / "b", settings=FAST | {"training.epochs": 1, "data.merge_labels": True}, **arguments
    )
    assert merged.metrics["labels"] == ["bad", "good"]


def test_records_that_cannot_be_read_are_listed_in_a_file(tiny_model, tmp_path):
    data = write_csv(tmp_path / "data.csv", make_rows(60))
    data.write_text(data.read_text() + "one,two,three\n" + '"never closed,good\n')
    arguments = {"model": str(tiny_model("bert")), "out": tmp_path / "run", "progress": False}
    with pytest.raises(DataError, match=r"row 62 has 3 fields, the header has 2.\n.*--bad-rows skip"):
        superfine.train(data, **arguments)
    run = superfine.train(data, settings=FAST | {"training.epochs": 1, "data.bad_rows": "skip"}, **arguments)
    assert run.metrics["data"]["bad_rows"] == 2
    with open(run.folder / "bad_rows.csv", encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    assert [(row["row"], row["line"]) for row in listed] == [("62", "62"), ("63", "63")]
    assert listed[0]["source"] == str(data)
