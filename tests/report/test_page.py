"""The report and the card show the measured numbers, escape what data holds, and need nothing from outside."""

import copy
import re

from superfine.report.card import render_card
from superfine.report.page import render_page


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
    metrics["test"]["confusion"] = [[5 * (i == j) + 7 * (i == 3 and j == 4) for j in range(30)] for i in range(30)]
    page = render_page(metrics, [])
    assert 'class="matrix"' not in page
    assert '<td>class 3</td><td>class 4</td><td class="n">7</td>' in page


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
    }, english


def test_the_card_holds_the_measured_score_and_the_metadata(trained):
    card = render_card(trained.metrics)
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert f"{100 * trained.metrics['test']['accuracy']['value']:.1f} %" in card
    assert "bad, good" in card
