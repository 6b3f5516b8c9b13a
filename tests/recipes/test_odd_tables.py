"""Tables that are unusual but not wrong go through the whole recipe, and the model predicts them again."""

import csv

import pytest

import superfine
from superfine.cli.main import cli, run
from tests.conftest import FAST, make_rows, write_csv

TABLES = {
    "a class with one row": [*make_rows(60), ("a class of its own", "rare")],
    "a row of 10 MB": [*make_rows(60), ("long " * 2_000_000, "good")],
    "emoji and white space": [
        *make_rows(60),
        *[("😀😀", "good"), ("🎉", "bad"), ("👍" * 50, "good")],
        *[("  ", "bad")] * 5,
    ],
    "booleans": [(text, str(label == "good")) for text, label in make_rows(60)],
    "numbers that differ only in spelling": [
        (text, ("1", "2", "1.0", "2.0")[i % 4]) for i, (text, _) in enumerate(make_rows(60))
    ],
    "thousands of duplicates": make_rows(60) * 50,
}


@pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)
def test_an_unusual_table_is_trained_on_and_predicted(rows, tiny_model, tmp_path):
    data = write_csv(tmp_path / "data.csv", rows)
    trained = superfine.train(
        data, model=str(tiny_model("bert")), out=tmp_path / "run", settings=FAST | {"training.epochs": 1}, progress=False
    )
    labels = set(trained.metrics["labels"])
    assert labels == {label.removesuffix(".0") for _, label in rows}
    assert (trained.folder / "report.html").stat().st_size < 2_000_000, "one long text does not swell the report"
    out = tmp_path / "out.csv"
    assert run(lambda: cli.main(["predict", str(trained.folder), str(data), "--out", str(out)], standalone_mode=False)) == 0
    csv.field_size_limit(2**31 - 1)
    with open(out, encoding="utf-8", newline="") as file:
        predicted = list(csv.DictReader(file))
    assert [row["text"] for row in predicted] == [text for text, _ in rows]
    assert {row["prediction"] for row in predicted if row["text"].strip()} <= labels


@pytest.mark.slow
def test_five_thousand_classes_are_trained_on_within_memory(tiny_model, tmp_path):
    rows = [(f"text number {i} of many, of kind {i // 2} and no other", f"class {i // 2}") for i in range(10_000)]
    trained = superfine.train(
        write_csv(tmp_path / "data.csv", rows),
        model=str(tiny_model("bert")),
        out=tmp_path / "run",
        settings=FAST | {"training.epochs": 1},
        progress=False,
    )
    assert len(trained.metrics["labels"]) == 5_000
    assert trained.metrics["baselines"]["tfidf"]["title"] == "TF-IDF + class means"
    assert (
        trained.metrics["baselines"]["tfidf"]["accuracy"]["value"] > trained.metrics["baselines"]["majority"]["accuracy"]["value"]
    )
    assert trained.metrics["training"]["peak_memory_mb"] < 4_000
    assert (trained.folder / "report.html").stat().st_size < 5_000_000
