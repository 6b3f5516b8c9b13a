"""Intervals are honest: they cover as often as they say, shrink with more rows, and know that all right is not certain."""

import re
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from superfine.evaluation import N_RESAMPLES
from superfine.evaluation.evaluate import evaluate
from superfine.evaluation.intervals import percentile_interval, wilson
from superfine.evaluation.units import Cells, Units, row_weights
from superfine.tasks.classification import _one_hot
from tests.evaluation.tables import table


def scored(true, said, k=None, groups=None, only=None, **options):
    statistics, scores = table(true, said, k)
    return evaluate(statistics, scores if only is None else {only: scores[only]}, groups, **options)


def test_the_95_percent_interval_lies_inside_the_99_percent_one():
    samples = np.random.default_rng(0).normal(size=2000)
    narrow, wide = (percentile_interval(0.0, samples, n=100, bounds=(-9.0, 9.0), coverage=c) for c in (0.95, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_percentiles_are_not_moved_by_the_mean_of_the_resamples():
    samples = np.linspace(0.2, 0.4, 1001)
    interval = percentile_interval(0.35, samples, n=100, bounds=(0.0, 1.0))
    assert (interval.low, interval.high) == pytest.approx((0.205, 0.395))


def test_wilsons_interval_is_the_known_one():
    low, high = wilson(np.array([0.8, 1.0, 0.0]), np.array([10, 4, 4]))
    assert low == pytest.approx([0.4901625, 0.5101092, 0.0], abs=1e-6)
    assert high == pytest.approx([0.9433178, 1.0, 0.4898908], abs=1e-6)


def test_the_interval_of_accuracy_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        true = rng.integers(0, 2, 150)
        accuracy = scored(true, np.where(rng.random(150) < 0.8, true, 1 - true), only="accuracy").scores["accuracy"]
        covered += accuracy.low <= 0.8 <= accuracy.high
    assert 366 <= covered <= 396


def test_more_rows_give_a_narrower_interval():
    rng = np.random.default_rng(2)
    widths = []
    for n in (100, 2500):
        true = rng.integers(0, 2, n)
        score = scored(true, np.where(rng.random(n) < 0.8, true, 1 - true)).scores["accuracy"]
        widths.append(score.high - score.low)
    assert widths[1] < widths[0] / 3


def test_resampling_cells_is_resampling_rows():
    sums = {"x": np.repeat([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [30, 50, 20], axis=0)}
    cells = Cells.of(sums)
    assert sorted(cells.counts.tolist()) == [20, 30, 50]
    draws = np.concatenate([totals["x"] for totals in cells.resampled_totals(4000, seed=3)])
    np.testing.assert_allclose(draws.mean(axis=0), [30, 50], atol=0.5)
    np.testing.assert_allclose(draws.var(axis=0), [21, 25], rtol=0.1)


def test_an_interval_holds_its_score_even_with_two_texts_a_class():
    rng = np.random.default_rng(8)
    true = np.repeat(np.arange(150), 2)
    said = np.where(rng.random(300) < 0.6, true, rng.integers(0, 150, 300))
    for name, score in scored(true, said, 150).scores.items():
        assert score.low < score.value < score.high, name


def test_all_right_is_not_certainty():
    true = np.array([0, 1] * 10)
    evaluation = scored(true, true)
    accuracy = evaluation.scores["accuracy"]
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert abs(accuracy.low - 20 / (20 + 1.959964**2)) < 1e-6, "Wilson's lower end for 20 of 20"
    assert evaluation.by_label["class 0000"]["recall"].low < accuracy.low, "ten texts say less than twenty"
    assert evaluation.scores["macro_f1"].low < 0.9
    wrong = scored(true, 1 - true).scores["accuracy"]
    assert (wrong.low, wrong.value) == (0.0, 0.0)
    assert wrong.high > 0.1


def test_a_class_with_few_texts_has_wilsons_interval_and_one_without_any_has_none():
    true = np.array([0] * 4 + [1] * 5 + [2] * 40)
    said = true.copy()
    said[4:6] = 2
    classes = scored(true, said, 4).by_label
    assert classes["class 0000"]["recall"].low == pytest.approx(0.5101, abs=1e-4), "4 of 4 is not certain"
    assert classes["class 0001"]["recall"].low == pytest.approx(0.2307, abs=1e-4), "3 of 5"
    assert classes["class 0001"]["recall"].high == pytest.approx(0.8824, abs=1e-4)
    assert classes["class 0003"] == {"precision": None, "recall": None, "f1": None, "support": 0}


def test_a_class_that_is_never_said_has_a_recall_and_no_precision():
    classes = scored(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0]), 2).by_label
    assert classes["class 0001"]["precision"] is None
    assert classes["class 0001"]["recall"].value == 0
    assert classes["class 0001"]["f1"].value == 0


@pytest.mark.parametrize("n_classes", [6, 50])
def test_the_interval_of_macro_f1_covers_where_classes_have_few_texts(n_classes):
    """As `benchmarks.coverage` measures at length: six classes with the smallest at 1 % of 300 texts, fifty among 500."""
    rng = np.random.default_rng(0)
    shares, n = (np.array([0.4, 0.25, 0.2, 0.1, 0.04, 0.01]), 300) if n_classes == 6 else (np.full(50, 0.02), 500)
    mistakes = rng.dirichlet(np.full(n_classes, 0.3), n_classes) * (1 - np.eye(n_classes))
    cells = shares[:, None] * (0.2 * mistakes / mistakes.sum(axis=1, keepdims=True) + 0.8 * np.eye(n_classes))
    truth = (2 * np.diag(cells) / (cells.sum(0) + cells.sum(1))).mean()
    trials, covered = 150, 0
    for _ in range(trials):
        drawn = rng.choice(n_classes**2, n, p=cells.ravel())
        found = scored(drawn // n_classes, drawn % n_classes, n_classes, only="macro_f1", n_resamples=200).scores["macro_f1"]
        covered += found.low <= truth <= found.high
    assert covered >= 0.93 * trials - 4


def grouped(rng, n_groups, size, spread=0.15):
    """Rows of groups whose accuracy differs from group to group, 0.8 on average."""
    share = np.clip(rng.beta(0.8 * 6, 0.2 * 6, n_groups), 0, 1)
    right = (rng.random((n_groups, size)) < share[:, None]).ravel()
    true = rng.integers(0, 2, n_groups * size)
    return true, np.where(right, true, 1 - true), [str(g) for g in range(n_groups) for _ in range(size)]


@pytest.mark.parametrize(("n_groups", "least"), [(15, 0.88), (60, 0.93)])
def test_groups_are_drawn_whole_and_cover(n_groups, least):
    rng = np.random.default_rng(n_groups)
    trials, covered, naive = 400, 0, 0
    for _ in range(trials):
        true, said, groups = grouped(rng, n_groups, 20)
        accuracy = scored(true, said, groups=groups, only="accuracy").scores["accuracy"]
        covered += accuracy.low <= 0.8 <= accuracy.high
        alone = scored(true, said, only="accuracy").scores["accuracy"]
        naive += alone.low <= 0.8 <= alone.high
    assert covered >= (least - 0.01) * trials
    assert naive < 0.8 * trials, "rows of a group are alike here, or the test says nothing"


def test_with_groups_every_interval_is_wider_and_says_how_many_there_were():
    true, said, groups = grouped(np.random.default_rng(3), 30, 20)
    alone, together = scored(true, said), scored(true, said, groups=groups)
    assert (alone.n_groups, together.n_groups) == (None, 30)
    for name in ("accuracy", "macro_f1", "mcc", "log_loss", "roc_auc"):
        widths = [e.scores[name].high - e.scores[name].low for e in (alone, together)]
        assert widths[1] > 1.2 * widths[0], name
        assert alone.scores[name].value == pytest.approx(together.scores[name].value)


def test_one_group_says_nothing():
    true = np.array([0, 1] * 20)
    accuracy = scored(true, np.zeros(40, dtype=int), groups=["same"] * 40).scores["accuracy"]
    assert (accuracy.low, accuracy.high) == (0.0, 1.0)


def test_what_says_nothing_is_no_number_in_json():
    import json

    true = np.array([0, 1, 0, 1, 1])
    for evaluation in (scored(true, true, 3, groups=["same"] * 5), scored(true[:1], true[:1], 3)):
        document = json.dumps(evaluation.to_json(), allow_nan=False)
        assert "log_loss" in document
        assert evaluation.scores["macro_f1"].low < 0.5
        assert evaluation.to_json()["log_loss"]["high"] is None


def test_groups_that_are_all_alike_are_as_many_as_they_are_whichever_way_they_round():
    for right in (2, 3):
        true = np.zeros(150, dtype=int)
        said = np.array([int(i % 5 >= right) for i in range(150)])
        found = scored(true, said, 2, groups=[str(i // 5) for i in range(150)], only="accuracy").scores["accuracy"]
        assert found.high - found.low == pytest.approx(0.334, abs=0.01), "thirty groups, not 150 rows"


def test_row_weights_draw_as_many_units_as_there_are():
    units = Units.of(table(np.array([0, 1] * 25), np.array([0, 1] * 25))[0])
    chunks = list(row_weights(units, 30, seed=0))
    assert sum(len(c) for c in chunks) == 30
    assert all((c.sum(axis=1) == 50).all() for c in chunks)


def test_five_thousand_classes_stay_under_100_mb_and_30_seconds():
    rng = np.random.default_rng(9)
    n, k = 10_000, 5_000
    true = rng.integers(0, k, n)
    said = np.where(rng.random(n) < 0.5, true, rng.integers(0, k, n))

    # Not from probabilities, which would take 400 MB: what is measured is the table of statistics.
    statistics, scores = table(true[:1], said[:1], k)
    sums = {
        "hits": _one_hot(true, k, where=true == said), "support": _one_hot(true, k), "predicted": _one_hot(said, k),
        "log_loss": np.ones(n), "brier": np.ones(n), "rows": np.ones(n),
    }  # fmt: skip
    columns = {"confidence": np.full(n, 0.5), "right": (true == said).astype(float)}
    statistics = type(statistics)(sums, columns, statistics.labels)
    tracemalloc.start()
    started = time.perf_counter()
    evaluation = evaluate(statistics, scores)
    seconds = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.45 < evaluation.scores["accuracy"].value < 0.55
    assert len(evaluation.by_label) == k
    assert peak < 100e6
    assert seconds < 30


def test_documentation_and_code_name_the_same_number_of_resamples():
    docs = Path(__file__).parent.parent.parent / "docs" / "explanation" / "evaluation.md"
    named = {int(number.replace(",", "")) for number in re.findall(r"([\d,]+) times", docs.read_text(encoding="utf-8"))}
    assert named == {N_RESAMPLES}
