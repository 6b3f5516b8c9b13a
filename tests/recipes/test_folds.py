"""`--folds`: every row is answered by a model, and by baselines, that have not learned from its fold."""

import csv

import numpy as np
import pytest

import superfine
from superfine.data.split import fold_of
from superfine.errors import ConfigError, DataError
from superfine.recipes import trials
from superfine.recipes.compare import compare_runs
from tests.conftest import FAST, make_rows, superfine_command, write_csv

SETTINGS = FAST | {"training.epochs": 2, "evaluation.folds": 3}


@pytest.fixture(scope="module")
def recorded(tiny_model, tmp_path_factory):
    """A run over three folds with authors as groups, and the rows of each training."""
    folder = tmp_path_factory.mktemp("folds")
    rows = [(text, label, f"author {i // 3}") for i, (text, label) in enumerate(make_rows(180))]
    data = write_csv(folder / "reviews.csv", rows, ("text", "label", "author"))
    seen = []
    original = trials.run_trial

    def recording(opened, parts, *rest, **more):
        seen.append(parts)
        return original(opened, parts, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trials, "run_trial", recording)
        run = superfine.train(
            data, group="author", model=str(tiny_model("bert")), out=folder / "run", settings=SETTINGS, progress=False
        )
    return run, seen, rows


def test_each_row_is_tested_once_by_a_model_that_saw_neither_it_nor_its_group(recorded):
    run, seen, rows = recorded
    assert len(seen) == 3
    tested = np.concatenate([parts.test.row for parts in seen])
    assert sorted(tested.tolist()) == list(range(2, len(rows) + 2))
    for parts in seen:
        known = {*parts.train.group, *parts.validation.group}
        assert known.isdisjoint(parts.test.group)
        assert len(parts.train) + len(parts.validation) + len(parts.test) == len(rows)
        assert set(parts.test.label) == {"good", "bad"}
    assert run.metrics["test"]["n"] == len(rows)
    assert run.metrics["test"]["groups"] == 60


def test_answers_of_all_folds_stand_in_the_order_of_the_file_with_its_columns(recorded):
    run, _, rows = recorded
    with open(run.folder / "predictions.csv", encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["text"], row["label"], row["author"]) for row in found] == rows
    right = np.mean([row["label"] == row["prediction"] for row in found])
    assert right == pytest.approx(run.metrics["test"]["accuracy"]["value"])


def test_the_scores_of_folds_and_their_spread_are_told(recorded):
    run, _, rows = recorded
    found = run.metrics["folds"]
    assert sum(one["n"] for one in found["runs"]) == len(rows)
    values = [one["accuracy"]["value"] for one in found["runs"]]
    assert found["over"]["accuracy"] == pytest.approx({"mean": np.mean(values), "deviation": np.std(values, ddof=1)})
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "Fold by fold" in page
    assert "cross-validation in 3 folds" in page


def test_the_model_has_learned_from_all_rows_and_is_compared_only_through_its_predictions(recorded):
    run, _, rows = recorded
    assert run.metrics["data"]["train"] + run.metrics["data"]["validation"] == len(rows)
    assert len(run.load().predict(["lovely pan"])) == 1
    with pytest.raises(DataError, match=r"(?s)cross-validation.*predictions\.csv instead"):
        compare_runs(run.folder, run.folder)
    file = run.folder / "predictions.csv"
    compared = compare_runs(file, file)
    assert compared.evaluations[0].scores["accuracy"].value == pytest.approx(run.metrics["test"]["accuracy"]["value"])


def test_baselines_are_fitted_without_each_fold(recorded):
    """Counting words learns every review by heart: on rows that it has learned from it would be nearly always right."""
    run, _, _ = recorded
    assert set(run.metrics["comparison"]) == {"majority", "tfidf"}
    assert run.metrics["baselines"]["majority"]["accuracy"]["value"] < 0.7
    assert (run.folder / "baselines" / "tfidf" / "superfine.json").is_file()


@pytest.mark.parametrize(
    ("option", "values"),
    [("--test", {"test": "x.csv"}), ("--seeds", {"settings": {"evaluation.seeds": 2}}), ("--learning-curve", {"settings": {"evaluation.learning_curve": True}})],
)  # fmt: skip
def test_what_folds_leave_no_room_for_is_refused_before_anything_is_read(option, values, tmp_path):
    settings = {"evaluation.folds": 2} | values.pop("settings", {})
    with pytest.raises(ConfigError, match=f"--folds tests on every row of the data in turn: {option}"):
        superfine.train("nothing.csv", out=tmp_path / "run", settings=settings, progress=False, **values)


@pytest.mark.slow
def test_an_interrupted_fold_ends_the_run_and_it_goes_on(tiny_model, reviews, tmp_path, monkeypatch):
    original, done = trials.run_trial, []

    def breaking(opened, parts, request, *rest):
        if len(done) == 1 and not request.resume:
            raise KeyboardInterrupt
        done.append(1)
        return original(opened, parts, request, *rest)

    monkeypatch.setattr(trials, "run_trial", breaking)
    with pytest.raises(KeyboardInterrupt):
        superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=SETTINGS, progress=False)
    run = superfine.train(reviews, resume=tmp_path / "run", progress=False)
    assert len(run.metrics["folds"]["runs"]) == 3
    assert {path.name for path in run.folder.iterdir()}.isdisjoint({"unfinished", "checkpoint"})


def test_folds_have_as_many_of_each_class_and_keep_equal_texts_together():
    rng = np.random.default_rng(0)
    targets = rng.choice(3, 300, p=[0.7, 0.2, 0.1])
    keys = [f"text {i}" for i in range(300)]
    fold = fold_of(targets, keys, 5, seed=0)
    for k in range(3):
        counts = np.bincount(fold[targets == k], minlength=5)
        assert counts.max() - counts.min() <= 1
    doubled = fold_of(np.repeat(targets, 2), [key for key in keys for _ in range(2)], 5, seed=0)
    assert (doubled[::2] == doubled[1::2]).all()
    assert np.bincount(doubled).max() <= 1.2 * np.bincount(doubled).min()
    assert not np.array_equal(fold, fold_of(targets, keys, 5, seed=1))


def test_more_folds_than_texts_are_refused(tiny_model, tmp_path, capsys):
    data = write_csv(tmp_path / "few.csv", make_rows(12))
    assert (
        superfine_command("train", str(data), "--model", str(tiny_model("bert")), "--folds", "40", "--out", str(tmp_path / "run"))
        == 2
    )
    assert "too few" in capsys.readouterr().err


def test_an_interrupted_model_of_all_rows_ends_the_run_too(tiny_model, reviews, tmp_path, interrupted_after):
    interrupted_after(5)
    with pytest.raises(KeyboardInterrupt, match="without every fold there is no score"):
        superfine.train(reviews, model=str(tiny_model("bert")), out=tmp_path / "run", settings=SETTINGS, progress=False)
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_the_card_says_that_the_model_has_learned_from_all_rows(recorded):
    run, _, rows = recorded
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert f"on {len(rows)} texts" in card
    assert "By cross-validation in 3 folds" in card
    assert "took no part in training" not in card


def test_folds_of_spans_have_baselines_too(tiny_model, tmp_path):
    rows = [(text, f'[[5, {5 + len(text.split()[1])}, "thing"]]') for text, _ in make_rows(90)]
    data = write_csv(tmp_path / "spans.csv", rows)
    run = superfine.train(
        data, task="tokens", model=str(tiny_model("bert")), out=tmp_path / "run",
        settings=SETTINGS | {"evaluation.folds": 2}, progress=False,
    )  # fmt: skip
    assert run.metrics["test"]["n"] == 90
    assert "most_frequent_tag" in run.metrics["baselines"]


@pytest.mark.parametrize("option", ["target_error", "set_coverage"])
def test_what_is_learned_of_one_models_validation_rows_is_refused(option, tmp_path):
    settings = {"evaluation.folds": 2, f"task.options.{option}": "10%"}
    with pytest.raises(ConfigError, match="does not go with it"):
        superfine.train("nothing.csv", out=tmp_path / "run", settings=settings, progress=False)


def test_rows_without_a_weight_count_once_beside_rows_that_have_one():
    from superfine.records import Examples

    plain, weighed = Examples.of_texts(["a"]), Examples(np.array([2]), ["b"], weight=[0.5])
    assert plain.joined(weighed).weight == [1.0, 0.5]
    assert weighed.joined(plain).weight == [0.5, 1.0]
    assert plain.joined(plain).weight is None
