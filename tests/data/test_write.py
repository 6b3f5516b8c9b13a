"""What is written is the input's columns and then the answers, in one order, under names that do not clash."""

import csv
import json
from io import StringIO

import numpy as np

from superfine.data.write import PredictionWriter, unused_names, write_predictions
from superfine.records import Choices, Examples

ANSWERS = Choices(np.array([2, 3]), ("a", "b"), np.array([[0.25, 0.75], [0.6, 0.4]]))
ROWS = Examples(row=np.array([2, 3]), text=["x", "y"], columns={"text": ["x", "y"], "prediction": ["p", "q"], "p:a": ["1", "2"]})


def test_columns_whose_names_clash_get_a_suffix():
    assert unused_names(["text", "prediction", "p:a"], ["prediction", "confidence", "p:a", "p:b"]) == [
        "prediction_2",
        "confidence",
        "p:a_2",
        "p:b",
    ]


def test_a_table_holds_the_input_and_then_the_answers():
    stream = StringIO()
    writer = PredictionWriter(stream, list(ROWS.columns), list(ANSWERS.to_columns()))
    writer.write(ROWS, ANSWERS)
    rows = list(csv.reader(StringIO(stream.getvalue())))
    assert rows == [
        ["text", "prediction", "p:a", "prediction_2", "confidence", "p:a_2", "p:b"],
        ["x", "p", "1", "b", "0.750000", "0.250000", "0.750000"],
        ["y", "q", "2", "a", "0.600000", "0.600000", "0.400000"],
    ]


def test_json_lines_hold_the_probabilities_by_class(tmp_path):
    write_predictions(tmp_path / "out.jsonl", ROWS, ANSWERS)
    first = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first == {
        "text": "x",
        "prediction": "p",
        "p:a": "1",
        "prediction_2": "b",
        "confidence": 0.75,
        "probabilities": {"a": 0.25, "b": 0.75},
    }


def test_rows_without_columns_are_written_too():
    stream = StringIO()
    PredictionWriter(stream, [], list(ANSWERS.to_columns())).write(Examples.of_texts(["x", "y"]), ANSWERS)
    assert stream.getvalue().splitlines()[1:] == ["b,0.750000,0.250000,0.750000", "a,0.600000,0.600000,0.400000"]
