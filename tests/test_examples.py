"""The example data are what they claim to be."""

import csv
import runpy
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHECKER = runpy.run_path(str(ROOT / "examples" / "check_reviews.py"))


def test_the_reviews_are_many_three_classed_and_without_near_duplicates():
    assert CHECKER["problems"]() == []


def test_the_classes_are_balanced_like_life():
    with open(ROOT / "examples" / "data" / "reviews_en.csv", encoding="utf-8", newline="") as file:
        counts = Counter(row["sentiment"] for row in csv.DictReader(file))
    assert counts["positive"] > counts["negative"] > counts["neutral"] > 200


def test_the_check_sees_a_template(tmp_path):
    path = tmp_path / "made.csv"
    rows = [
        f"p,The {thing} arrived quickly and works exactly as described,positive" for thing in ("pan", "mug", "fan", "lamp", "rug")
    ]
    path.write_text("product,review,sentiment\n" + "\n".join(rows) + "\n", encoding="utf-8")
    said = "\n".join(CHECKER["problems"](path))
    assert "near-duplicates" in said
    assert "works exactly as described" in said
