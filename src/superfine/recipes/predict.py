"""`superfine predict`: a file or standard input in, a table with predictions out, in the input's order."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from superfine.data.columns import choose_columns, to_examples
from superfine.data.read import Table, parse_text, read_standard_input, read_table
from superfine.errors import DataError, OutputError
from superfine.predictors.bundle import Bundle, open_bundle, open_predictor
from superfine.recipes.outputs import prediction_header, prediction_rows
from superfine.records import Examples, Predictions

JSON_ENDINGS = (".jsonl", ".ndjson")


def predict(folder: Path, data: str, out: Path | None, text: list[str] | None = None) -> tuple[Examples, Predictions]:
    """Predict every row of `data` ("-" is standard input) and write a table to `out`, or nowhere when it is None.

    The rows without text are kept and predicted as they are: the output has a row for every row of the input.
    """
    bundle = open_bundle(folder)
    if out is not None and out.exists() and out.is_dir():
        raise OutputError(f"{out} is a folder.", "Name a file with --out.")
    table = _standard_input(bundle) if data == "-" else read_table(data)
    examples = _examples(table, bundle, text)
    predictions = open_predictor(folder).predict_examples(examples)
    if out is not None:
        try:
            with open(out, "w", encoding="utf-8", newline="") as stream:
                write_table(stream, examples, predictions, as_json=out.suffix.lower() in JSON_ENDINGS)
        except OSError as error:
            raise OutputError(f"{out} cannot be written: {error.strerror}.") from None
    return examples, predictions


def write_table(stream: IO[str], examples: Examples, predictions: Predictions, *, as_json: bool) -> None:
    """The input's columns and the predictions, as CSV or as one JSON object per line."""
    if as_json:
        for record in json_records(examples, predictions):
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        return
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(prediction_header(list(examples.columns), predictions.labels))
    writer.writerows(prediction_rows(examples, predictions))


def json_records(examples: Examples, predictions: Predictions) -> Iterator[dict[str, Any]]:
    """One mapping per example: its columns, prediction, confidence and probabilities."""
    for i, label in enumerate(predictions.label):
        inputs = {name: column[i] for name, column in examples.columns.items()}
        probabilities = dict(zip(predictions.labels, predictions.probabilities[i].tolist(), strict=True))
        yield {**inputs, "prediction": label, "confidence": float(predictions.confidence[i]), "probabilities": probabilities}


def _examples(table: Table, bundle: Bundle, text: list[str] | None) -> Examples:
    manifest = bundle.manifest
    known = all(name in table.columns for name in manifest.text)
    choice = choose_columns(table, text or (manifest.text if known else None), manifest.text_pair, needs_label=False)
    return to_examples(table, choice, keep_all=True)[0]


def _standard_input(bundle: Bundle) -> Table:
    """A table from standard input: JSONL, CSV with the model's text column in its header, or else one text per line."""
    text = read_standard_input()
    if text.lstrip().startswith("{"):
        return parse_text("standard input", text, ".jsonl")
    header = text.lstrip().splitlines()[0]
    if any(name in next(csv.reader([header])) for name in bundle.manifest.text):
        return parse_text("standard input", text, ".csv")
    if bundle.manifest.text_pair is not None:
        raise DataError(
            "The model takes pairs of texts, and standard input has no header that names them.",
            f"Give CSV with the columns {', '.join(bundle.manifest.text)} and {bundle.manifest.text_pair}.",
        )
    lines = text.splitlines()
    return Table("standard input", {bundle.manifest.text[0]: lines}, np.arange(1, len(lines) + 1, dtype=np.int64))


def write_to_standard_output(examples: Examples, predictions: Predictions) -> None:
    """The table as CSV on standard output."""
    write_table(sys.stdout, examples, predictions, as_json=False)
