"""The whole of `train`: what it writes, what it says, and what it refuses."""

import csv
import json
import shutil
import signal
import threading
import time

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file, save_file

import superfine
from superfine.backbones import window_attention
from superfine.errors import ConfigError, DataError, ModelError, OutputError
from superfine.evaluation.compare import Comparison
from superfine.recipes.baselines import FittedBaseline
from superfine.recipes.figures import verdict, why_kept
from superfine.records import Interval
from superfine.training.loop import EpochRecord, is_kept
from tests.conftest import FAST, make_rows, write_csv


def test_everything_of_the_contract_is_written(trained):
    names = {path.name for path in trained.folder.iterdir()}
    assert names == {
        "model",
        "baselines",
        "metrics.json",
        "predictions.csv",
        "report.html",
        "run.yaml",
        "log.jsonl",
        "learned.npy",
    }


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


def test_run_yaml_tells_every_choice_and_serves_as_configuration_again(trained, tmp_path, reviews):
    content = yaml.safe_load((trained.folder / "run.yaml").read_text())
    assert content["data"]["label"] == ["label"]
    assert content["choices"]["precision"] in {"float32", "bfloat16"}
    assert content["choices"]["learning_rate"] == 2e-3
    again = superfine.train(reviews, config=trained.folder / "run.yaml", out=tmp_path / "again", progress=False)
    assert again.metrics["test"] == trained.metrics["test"], "same configuration, same seed, same result"


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
    resumed = superfine.train(reviews, resume=tmp_path / "run", progress=False)
    assert resumed.metrics["training"]["batch_size"] == 16, "a refused attempt changes nothing"


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
    assert run.metrics["model"] == tiny_model("roberta").name
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
    class Tfidf:
        title = "TF-IDF"
        save = None

    def said(low, high, p, n_rows=None):
        comparison = Comparison({"accuracy": Interval((low + high) / 2, low, high)}, {"accuracy": p}, "accuracy")
        return verdict(comparison, FittedBaseline(Tfidf, None, n_rows))

    assert said(-0.01, 0.02, 0.4) == "not distinguishable from the baseline, TF-IDF"
    assert said(0.01, 0.02, 0.01) == "better than TF-IDF"
    assert said(0.01, 0.02, 0.06) == "not distinguishable from the baseline, TF-IDF", "the test decides, not the interval alone"
    assert said(-0.03, -0.01, 0.01, 1000) == "worse than TF-IDF: use the baseline (fitted on 1000 rows)"


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
    manifest = json.loads((merged.folder / "model" / "superfine.json").read_text(encoding="utf-8"))
    assert (manifest["task"]["merge_labels"], manifest["task"]["merged_labels"]) == (True, {"bad": ["Bad"], "good": ["Good"]})
    shouted = write_csv(tmp_path / "shouted.csv", [(text, label.upper()) for text, label in make_rows(30)])
    assert superfine.evaluate(merged.folder, shouted).n == 30
    with pytest.raises(DataError, match="labels that the training part never had"):
        superfine.evaluate(apart.folder, shouted)


def test_whole_numbers_are_the_same_classes_in_every_file(tiny_model, tmp_path):
    classes = {"good": "1", "bad": "0"}
    data = write_csv(tmp_path / "data.csv", [(text, classes[label]) for text, label in make_rows(100)])
    decimal = write_csv(tmp_path / "decimal.csv", [(text, classes[label] + ".0") for text, label in make_rows(30, seed=1)])
    run = superfine.train(
        data,
        test=decimal,
        out=tmp_path / "run",
        model=str(tiny_model("bert")),
        settings=FAST | {"training.epochs": 1},
        progress=False,
    )
    assert run.metrics["labels"] == ["0", "1"]
    assert run.metrics["test"]["n"] == 30
    assert superfine.evaluate(run.folder, decimal).to_json()["accuracy"] == run.metrics["test"]["accuracy"]


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


def grouped_rows(n_groups: int, size: int, seed: int = 0) -> list[tuple[str, str, str]]:
    rows = make_rows(n_groups * size, seed=seed)
    return [(text, label, f"author {seed} {i // size}") for i, (text, label) in enumerate(rows)]


def test_groups_reach_the_split_the_intervals_the_comparison_and_the_leaks(tiny_model, tmp_path):
    header = ("text", "label", "author")
    train = grouped_rows(40, 6)
    test = [*grouped_rows(10, 5, seed=9), *[(f"{text} again", label, train[0][2]) for text, label in make_rows(5, seed=8)]]
    run = superfine.train(
        write_csv(tmp_path / "train.csv", train, header), test=write_csv(tmp_path / "test.csv", test, header), group="author",
        model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST | {"training.epochs": 1}, progress=False,
    )  # fmt: skip
    assert run.metrics["test"]["groups"] == 11, "the groups are what is resampled"
    assert run.metrics["baselines"]["tfidf"]["groups"] == 11
    assert run.metrics["comparison"]["tfidf"].get("mid_p") is None, "McNemar's test is of rows that stand alone"
    leak = next(finding for finding in run.metrics["findings"] if finding["name"] == "group_leak")
    assert leak["count"] == 5
    assert run.metrics["test_without_leaks"]["n"] == 50
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "the 11 groups of the test part are drawn whole" in page
    evaluation = superfine.evaluate(run.folder, tmp_path / "test.csv")
    assert evaluation.n_groups == 11, "the column is known from training"
    assert evaluation.scores["accuracy"].to_json() == run.metrics["test"]["accuracy"]


def test_a_thousand_classes_stay_under_two_megabytes_of_metrics():
    from superfine.evaluation.evaluate import evaluate
    from tests.evaluation.tables import table

    rng = np.random.default_rng(0)
    true = rng.integers(0, 1000, 5000)
    said = np.where(rng.random(5000) < 0.5, true, rng.integers(0, 1000, 5000))
    statistics, scores = table(true, said, 1000)
    from superfine.metrics import confusion_cells

    document = {"test": {**evaluate(statistics, scores).to_json(), "confusion": confusion_cells(true, said, 1000).tolist()}}
    document |= {name: evaluate(statistics, scores).to_json(by_label=False) for name in ("validation", "baseline", "other")}
    assert len(json.dumps(document, indent=2).encode()) < 2_000_000


def test_the_confusion_and_the_scores_by_class_stand_in_the_metrics_once(trained):
    metrics = trained.metrics
    cells = metrics["test"]["confusion"]
    assert sum(count for _, _, count in cells) == metrics["test"]["n"]
    assert sum(count for true, said, count in cells if true == said) == round(
        metrics["test"]["accuracy"]["value"] * metrics["test"]["n"]
    )
    for other in (metrics["validation"], *metrics["baselines"].values()):
        assert not {"confusion", "per_class"} & set(other)


def test_one_request_enters_prepare_once_on_its_way_to_the_first_step(tiny_model, reviews, tmp_path, monkeypatch):
    import sys

    import superfine.training.loop as loop
    from superfine.recipes import prepare

    class FirstStep(Exception):  # noqa: N818
        pass

    def stop(*_):
        raise FirstStep

    monkeypatch.setattr(loop, "_train_step", stop)
    inside, entries = 0, []

    def watch(frame, event, _):
        nonlocal inside
        if frame.f_code.co_filename != prepare.__file__ or frame.f_code.co_name == "__init__":
            return
        if event == "call":
            if not inside:
                entries.append(frame.f_code.co_name)
            inside += 1
        elif event == "return":
            inside -= 1

    sys.setprofile(watch)
    try:
        with pytest.raises(FirstStep):
            superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    finally:
        sys.setprofile(None)
    assert entries == ["prepare"]


@pytest.mark.parametrize("name", ["tfidf", "majority"])
def test_a_saved_baseline_gives_the_score_that_the_run_reports_for_it(trained, reviews, name, tmp_path):
    with open(trained.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    test = write_csv(tmp_path / "test.csv", rows)
    evaluation = superfine.evaluate(trained.folder, test, baseline=name)
    reported = trained.metrics["baselines"][name]
    for score in ("accuracy", "macro_f1", "log_loss"):
        assert evaluation.scores[score].value == pytest.approx(reported[score]["value"], abs=1e-12), score
    assert superfine.load(trained.folder, baseline=name).predict(["lovely"]).labels == ("bad", "good")


def test_a_baseline_that_is_not_there_is_named_with_those_that_are(trained):
    with pytest.raises(ModelError, match=r'holds no baseline "tfdif"\. Did you mean "tfidf"') as error:
        superfine.load(trained.folder, baseline="tfdif")
    assert "majority, tfidf" in str(error.value)
    with pytest.raises(ModelError, match="no baseline"):
        superfine.load(trained.folder, baseline="../model")


def test_a_baseline_that_cannot_be_fitted_is_said_and_the_run_goes_on(tiny_model, reviews, tmp_path, monkeypatch):
    from superfine.baselines.tfidf import Tfidf
    from superfine.recipes.reporter import Reporter

    def nothing(*_, **__):
        raise DataError("TF-IDF finds nothing to count in these texts.")

    said = []
    monkeypatch.setattr(Tfidf, "fit", nothing)
    monkeypatch.setattr(Reporter, "note", lambda self, message: said.append(message))
    run = superfine.train(
        reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST | {"training.epochs": 1}, progress=False
    )
    assert set(run.metrics["baselines"]) == {"majority"}
    assert "Without the baseline tfidf: TF-IDF finds nothing to count in these texts." in said
    assert (run.folder / "report.html").exists()


def test_memory_that_runs_out_is_one_message_with_the_settings_to_lower(tiny_model, reviews, tmp_path, monkeypatch):
    import torch

    def failing(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr("superfine.training.loop.obtain_gradients", failing)
    with pytest.raises(ConfigError, match=r"Memory ran out in training \(training.batch_size 16, model.max_length 32\)"):
        superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, progress=False)
    assert not (tmp_path / "run").exists()


def test_a_time_limit_that_cannot_be_kept_is_refused_before_texts_are_encoded_and_baselines_fitted(
    tiny_model, tmp_path, monkeypatch
):
    rows = make_rows(400)
    data = write_csv(tmp_path / "some.csv", rows)
    test = write_csv(tmp_path / "many.csv", [(f"{text} {i}", label) for i, (text, label) in enumerate(rows * 250)])
    stages = []
    monkeypatch.setattr("superfine.recipes.reporter.Reporter.stage", lambda self, name: stages.append(name))
    started = time.monotonic()
    with pytest.raises(ConfigError, match="Loading and scoring the test part take about"):
        superfine.train(
            data, test=test, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST, time_limit="5s", progress=False
        )
    assert stages == ["reading", "loading"]
    assert time.monotonic() - started < 20
    assert not (tmp_path / "run").exists()


def test_what_is_scored_is_what_is_saved_where_weights_are_rounded(tiny_model, reviews, tmp_path):
    settings = {**FAST, "model.saved_weights": "float16"}
    run = superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    assert run.metrics["saved_weights"] == "float16"
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scored = np.array([[float(row["p:bad"]), float(row["p:good"])] for row in rows])
    saved = run.load().predict([row["text"] for row in rows]).probabilities
    assert np.abs(scored - saved).max() < 2e-6, "rounding after scoring would move them by about 1e-4"
    assert "in float16" in (run.folder / "model" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("language", "said"), [("en", "Model: "), ("zh", "模型：")])
def test_the_language_chooses_the_model_and_the_run_says_so(reviews, tmp_path, tiny_model, monkeypatch, capsys, language, said):
    from superfine.backbones.choose import Choice
    from superfine.cli.main import main
    from superfine.recipes import prepare

    seen = []

    def choose(texts, say):
        seen.append(len(texts))
        return Choice(str(tiny_model("bert")), "Model: somebody's, because it suits")

    monkeypatch.setattr(prepare, "choose", choose)
    monkeypatch.setattr("superfine.recipes.train.check_model", lambda name: None)
    settings = [part for key, value in FAST.items() for part in ("--set", f"{key}={value}")]
    with pytest.raises(SystemExit) as end:
        main(["train", str(reviews), "--out", str(tmp_path / "run"), "--lang", language, *settings])
    assert end.value.code == 0
    assert said in capsys.readouterr().err
    assert seen == [184], "the training rows alone are looked at"
    content = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text(encoding="utf-8"))
    assert content["model"]["name"] == str(tiny_model("bert")), "so a resumed run does not choose again"


def record(epoch, score, error=0.02, *, rises=True):
    return EpochRecord(epoch, 0.5, 0.5, score, error, 1.0, rises)


@pytest.mark.parametrize(
    ("scores", "kept", "why"),
    [
        ([0.8], 0, "the only one that was validated"),
        ([0.8, 0.9], 1, "the last one: none has a better score"),
        ([0.9, 0.89], 1, "within chance of the best, that of epoch 1"),
        ([0.9, 0.5], 0, "what came later validates worse, beyond chance"),
    ],
)
def test_why_an_epoch_was_kept_is_one_sentence(scores, kept, why):
    history = [record(i, score) for i, score in enumerate(scores)]
    assert [is_kept(history[: i + 1]) for i in range(len(scores))][-1] == (kept == len(scores) - 1)
    said = why_kept(history, kept)
    assert said.startswith(f"The weights are those after epoch {kept + 1}")
    assert why in said


def test_the_run_and_its_report_say_why_the_epoch_was_kept(trained):
    said = trained.metrics["training"]["kept_because"]
    assert f"epoch {trained.metrics['training']['kept_epoch']}" in said
    assert said in (trained.folder / "report.html").read_text(encoding="utf-8")


def test_a_model_that_always_says_the_same_is_a_finding_in_the_head_of_the_report(reviews, tiny_model, tmp_path, capsys):
    settings = FAST | {"training.epochs": 1, "training.learning_rate": 1e-9}
    run = superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings)
    found = next(one for one in run.metrics["findings"] if one["name"] == "constant_answer")
    assert "of every one of the" in found["message"]
    assert found["message"].replace('"', "") in capsys.readouterr().err.replace('"', "")
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert page.index("it has learned nothing that tells them apart") < page.index('id="errors"')
    assert page.count("it has learned nothing that tells them apart") == 1


def test_force_says_what_it_gives_up(reviews, tiny_model, tmp_path, capsys):
    checkpoint = tmp_path / "run" / "unfinished" / "checkpoint"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text('{"progress": {"step": 17}}', encoding="utf-8")
    (checkpoint.parent / "run.yaml").write_text("seed: 0\n", encoding="utf-8")
    superfine.train(
        reviews, model=str(tiny_model("bert")), out=tmp_path / "run", force=True, settings=FAST | {"training.epochs": 1}
    )
    assert "--force gives up the run in " in (said := capsys.readouterr().err)
    assert "that was broken off after step 17." in said


def test_errors_show_the_probability_of_the_true_class_beside_that_of_the_one_that_was_said(trained):
    with open(trained.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    wrong = max((row for row in rows if row["prediction"] != row["label"]), key=lambda row: float(row["confidence"]))
    page = (trained.folder / "report.html").read_text(encoding="utf-8")
    said = f"<b>{wrong['label']}</b> ({100 * float(wrong['p:' + wrong['label']]):.1f} %)"
    assert said in page
    assert "In brackets stands the probability that the model gives." in page


def test_many_long_texts_are_read_in_windows_and_few_are_cut_and_what_is_never_read_is_told(tiny_model, tmp_path):
    rows = make_rows(120)
    settings = {name: value for name, value in FAST.items() if name != "model.long_texts"} | {"training.epochs": 1}
    found = {}
    for name, n_long in (("many", 30), ("few", 4)):
        data = write_csv(
            tmp_path / f"{name}.csv", [(f"{t} " * 8 if i < n_long else t, label) for i, (t, label) in enumerate(rows)]
        )
        run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / name, settings=settings, progress=False)
        found[name] = run.metrics["data"]
    assert [step["step"] for step in found["many"]["preparation"]] == ["windows"]
    assert found["many"]["unread_share"] == 0.0
    assert found["few"]["preparation"] == []
    assert 0.05 < found["few"]["unread_share"] < 0.5
    assert found["few"]["truncated_share"] == pytest.approx(4 / 120, abs=0.02)


TINY_STEPS = {"training.learning_rate": 1e-9}


def test_how_much_windows_count_is_learned_saved_and_read_back(tiny_model, tmp_path):
    settings = FAST | {"model.long_texts": "windows", "model.max_length": 16, "model.window_pooling": "attention"}
    data = write_csv(tmp_path / "data.csv", [(f"{text} " * 4, label) for text, label in make_rows(120)])
    run = superfine.train(data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=settings, progress=False)
    assert run.metrics["data"]["preparation"][0]["pooling"] == "attention"
    assert run.metrics["parity"]["problems"] == []
    model = superfine.load(run.folder)
    learned = model.backbone.network.window_attention.weight
    assert float(learned.detach().abs().max()) > 1e-3
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    again = model.predict([row["text"] for row in rows])
    np.testing.assert_allclose(again.confidence, [float(row["confidence"]) for row in rows], atol=1e-4)
    with_more = superfine.train(
        data, model=str(run.folder), out=tmp_path / "more", settings=settings | TINY_STEPS, progress=False
    )
    further = superfine.load(with_more.folder).backbone.network.window_attention.weight
    np.testing.assert_allclose(further.detach(), learned.detach(), atol=1e-5, err_msg="it goes on where it stopped")
    learned.data.zero_()
    assert np.abs(model.predict([row["text"] for row in rows]).confidence - again.confidence).max() > 1e-9
    weights = run.folder / "model" / "model.safetensors"
    without = {name: value for name, value in load_file(weights).items() if not name.startswith("window_attention")}
    save_file(without, weights, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"does not hold how much windows count"):
        window_attention.restore(model.backbone.network, run.folder / "model")
