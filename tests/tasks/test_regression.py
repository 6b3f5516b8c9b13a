"""Numbers for texts: learned in units of their deviation, folded into the head, with intervals that hold what they promise."""

import json

import numpy as np
import pytest
from scipy import stats

import superfine
from superfine.data.read import read_table
from superfine.errors import DataError
from superfine.evaluation.evaluate import evaluate
from superfine.records import Examples, Values
from superfine.tasks.choose import choose_task
from superfine.tasks.regression import Regression, Scale
from tests.conftest import FAST, make_rows, write_csv


def of(labels):
    return Examples(row=np.arange(2, 2 + len(labels)), text=[""] * len(labels), label=[str(x) for x in labels], source="t.csv")


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        ([f"{x / 4:g}" for x in range(1, 9)] * 5, "regression"),
        (["3.6", "3.7", "3.8"] * 5, "classification"),
        ([str(i) for i in range(77) if i != 40] * 9, "classification"),
        (["10", "40", "50", "60", "1140", "1280", "1300", "1301", "1302", "1560", "1920", "2060"] * 9, "classification"),
        ([f"{x / 4:g}" for x in range(1, 40)] * 5 + ["NA"], "regression"),
        ([str(i) for i in range(101)] * 3, "regression"),
        ([str(i) for i in range(0, 100, 3)] * 3, "regression"),
        ([str(i) for i in range(1, 6)] * 9, "classification"),
        ([str(i) for i in range(77)] * 9, "classification"),
        (["1", "2", "x"] * 5, "classification"),
    ],
)
def test_numbers_are_told_from_grades_and_from_numbers_of_classes(labels, task):
    assert choose_task("auto", labels, 1).task.name == task


def test_grades_may_be_numbers_and_that_is_said():
    assert "also possible: --task ordinal, regression" in choose_task("auto", ["1", "2", "3", "4", "5"] * 9, 1).line


@pytest.mark.parametrize(("cell", "advice"), [("many", "another task"), ("1,5", "without commas"), ("nan", "another task")])
def test_what_is_no_number_is_named_with_its_row(cell, advice):
    with pytest.raises(DataError, match=rf't\.csv: labels that are no numbers: "{cell}" in row 3') as refused:
        Regression.learn(of(["1.5", cell, "2"]))
    assert advice in refused.value.advice


def test_numbers_that_are_all_the_same_are_refused():
    with pytest.raises(DataError, match="has the number 3"):
        Regression.learn(of(["3", "3.0"]))


def test_targets_and_answers_are_each_others_inverse():
    task = Regression.learn(of([100, 120, 140]))
    targets = task.targets(of([100, 120, 140]))
    assert targets.mean() == pytest.approx(0, abs=1e-6)
    assert targets.std() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(task.decode(of([1, 2, 3]), targets).values, [100, 120, 140], rtol=1e-6)


def test_scores_are_those_of_scipy_and_scikit_learn():
    from sklearn.metrics import mean_absolute_error, r2_score

    rng = np.random.default_rng(0)
    true = np.round(rng.normal(1000, 2, 300), 1)  # a large mean, and ties
    said = true + rng.normal(0, 1, 300)
    task = Regression(Scale(float(true.mean()), float(true.std())), half_width=1.0)
    examples = of(true.tolist())
    scores = evaluate(task.statistics(examples, Values(examples.row, said, said - 1, said + 1)), task.scores).scores
    assert scores["r2"].value == pytest.approx(r2_score(true, said))
    assert scores["pearson"].value == pytest.approx(stats.pearsonr(true, said)[0])
    assert scores["spearman"].value == pytest.approx(stats.spearmanr(true, said)[0])
    assert scores["rmse"].value == pytest.approx(np.sqrt(np.mean((true - said) ** 2)))
    assert scores["mae"].value == pytest.approx(mean_absolute_error(true, said))
    assert scores["coverage"].value == pytest.approx(np.mean(np.abs(true - said) <= 1))


def test_spearman_of_a_resample_is_that_of_the_rows_drawn():
    rng = np.random.default_rng(1)
    true, said = rng.integers(0, 6, 50).astype(float), rng.normal(size=50)
    drawn = rng.integers(0, 50, 50)
    weights = np.bincount(drawn, minlength=50)[None].astype(float)
    from superfine.metrics import spearman

    assert spearman(true, said, weights)[0] == pytest.approx(stats.spearmanr(true[drawn], said[drawn])[0])


def test_the_interval_holds_95_per_cent_of_further_rows():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(200):
        true, outputs = rng.normal(size=200), np.zeros((200, 1))
        task = Regression(Scale(0.0, 1.0)).adjusted(of(true.tolist()), outputs)
        covered.append((np.abs(rng.normal(size=500)) <= task.half_width).mean())
    assert np.mean(covered) == pytest.approx(0.95, abs=0.005)


@pytest.mark.parametrize("labels", [["0.1"] * 60, ["1e300", "1"], ["1e999", "1"]])
def test_constants_and_numbers_beyond_all_measure_are_refused(labels):
    with pytest.raises(DataError):
        Regression.learn(of(labels))


def test_coverage_is_not_told_of_answers_without_an_interval():
    examples = of([1.0, 2.0, 3.0])
    answers = Values(examples.row, np.array([1.0, 2.0, 2.5]), np.full(3, -np.inf), np.full(3, np.inf))
    task = Regression(Scale(2.0, 1.0), half_width=1.0)
    assert "coverage" not in evaluate(task.statistics(examples, answers), task.scores).scores


def test_parity_of_numbers_is_told_in_units_of_their_spread():
    from superfine.recipes.parity import BOUND, allowed

    assert allowed(np.array([[0.2], [0.4]]), "softmax") == BOUND
    salaries = np.random.default_rng(0).normal(250_000, 100_000, (50, 1))
    assert 5 < allowed(salaries, "none") < 20


def test_few_validation_rows_give_no_interval():
    task = Regression(Scale(0.0, 1.0)).adjusted(of(list(range(15))), np.zeros((15, 1)))
    answers = task.decode(of([1]), np.zeros((1, 1)))
    assert (answers.low[0], answers.high[0]) == (-np.inf, np.inf)
    assert answers.to_objects()[0]["low"] is None


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_plain_transformers_gives_the_numbers_and_a_head_without_bias_says_its_shift(family, tiny_model, tmp_path):
    from transformers import pipeline

    rows = [(text, f"{50 + 10 * (kind == 'good') + 0.1 * len(text):.1f}") for text, kind in make_rows(120)]
    data = write_csv(tmp_path / "t.csv", rows)
    settings = FAST | {"training.epochs": 2}
    run = superfine.train(data, model=str(tiny_model(family)), out=tmp_path / "o", progress=False, settings=settings)
    assert run.metrics["parity"]["problems"] == []
    facts = json.loads((run.folder / "model" / "superfine.json").read_text(encoding="utf-8"))["task"]
    assert (facts["centre"] == 0) == (family == "bert")
    assert facts["factor"] == 1
    ask = pipeline("text-classification", model=str(run.folder / "model"), function_to_apply="none")
    texts = [text for text, _ in rows[:3]]
    plain = np.array([found["score"] for found in ask(texts)]) + facts["centre"]
    np.testing.assert_allclose(superfine.load(run.folder).predict(texts).values, plain, atol=1e-3)
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert ("cannot be shifted" in card) == (family == "gpt2")


def test_numbers_are_read_from_the_table_as_they_stand(tmp_path):
    table = read_table(write_csv(tmp_path / "t.csv", [("a b", "1e-3"), ("c d", "+2."), ("e f", "-.5")]))
    assert Regression.learn(of(table.columns["label"])).scale.mean == pytest.approx((0.001 + 2 - 0.5) / 3)
