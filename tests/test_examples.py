"""The example data are what they claim to be."""

import csv
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import needs_embedded_model, needs_multilingual_model

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "examples"))
import check_data  # noqa: E402


@pytest.mark.parametrize("table", check_data.TABLES, ids=lambda table: table.file)
def test_the_example_data_are_many_and_without_near_duplicates_or_templates(table):
    assert check_data.problems(table) == []


def test_the_english_reviews_are_balanced_like_life():
    with open(ROOT / "examples" / "data" / "reviews_en.csv", encoding="utf-8", newline="") as file:
        counts = Counter(row["sentiment"] for row in csv.DictReader(file))
    assert counts["positive"] > counts["negative"] > counts["neutral"] > 200


@pytest.mark.parametrize("table", check_data.TABLES, ids=lambda table: table.file)
def test_text_and_label_of_the_example_data_are_found_by_content(table):
    from superfine.data.columns import choose_columns
    from superfine.data.read import read_table

    choice = choose_columns(read_table(ROOT / "examples" / "data" / table.file))
    assert (choice.text, choice.label) == ((table.text,), (table.label,))


def test_the_check_sees_a_template(tmp_path):
    rows = [
        f"p,The {thing} arrived quickly and works exactly as described,positive" for thing in ("pan", "mug", "fan", "lamp", "rug")
    ]
    (tmp_path / "reviews_en.csv").write_text("product,review,sentiment\n" + "\n".join(rows) + "\n", encoding="utf-8")
    said = "\n".join(check_data.problems(check_data.TABLES[0], tmp_path))
    assert "near-duplicates" in said
    assert "works exactly as described" in said


SAYS = {
    "sentiment.py": ["accuracy 0.", "tfidf: ", "; transformers: ", "Stopped working after a week."],
    "spam.py": ["spam: precision", "good mails taken for spam"],
    "topics.py": ["model: multilingual-e5-small-q4", "unknown tokens: 0.", "against TF-IDF: "],
    "questions.py": ["this model: F1", "similar_sentence: F1", "without_question: F1", "What is the licence?", "confidence"],
    "search.py": ["TF-IDF: 0.", "Superfine: 0."],
    "command_line.sh": ["prediction,confidence,p:negative"],
}


@pytest.mark.slow
@needs_embedded_model
@needs_multilingual_model
@pytest.mark.parametrize("name", SAYS)
def test_every_example_runs_and_says_what_it_is_there_to_show(name, tmp_path):
    command = ["bash"] if name.endswith(".sh") else [sys.executable]
    environment = os.environ | {"SUPERFINE_EXAMPLE_EPOCHS": "1", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*command, str(ROOT / "examples" / name)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for words in SAYS[name]:
        assert words in done.stdout
