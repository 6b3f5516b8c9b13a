"""`superfine predict`: a file or standard input in, a table with predictions out, in the input's order."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from superfine.data.columns import to_examples
from superfine.data.files import File
from superfine.data.formats.delimited import find_dialect
from superfine.data.read import STANDARD_INPUT, Source, read_file, read_table, standard_input
from superfine.data.table import ReadOptions, Table
from superfine.errors import DataError, OutputError
from superfine.predictors.bundle import Manifest, Precision, open_bundle, open_predictor
from superfine.recipes.evaluate import columns_for
from superfine.recipes.outputs import write_predictions
from superfine.records import Examples, Predictions


@dataclass(frozen=True)
class Predicted:
    """The rows, what was predicted of them, the columns that were read, and the table they stand in."""

    examples: Examples
    predictions: Predictions
    columns: str
    table: Table


def predict(
    folder: Path,
    data: Source,
    out: Path | None,
    text: list[str] | None = None,
    text_pair: str | None = None,
    options: ReadOptions | None = None,
    precision: Precision | None = None,
) -> Predicted:
    """Predict every row of `data` ("-" is standard input) and write a table to `out`, or nowhere when it is None.

    Rows without text are predicted as they are: the output has a row for every row of the input.
    """
    bundle = open_bundle(folder)
    options = options or ReadOptions()
    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise OutputError(f"{out} is a folder, or its folder does not exist.", "Name a file in an existing folder with --out.")
    if data == "-":
        table = _standard_input(standard_input(), bundle.manifest, options, named=bool(text))
    else:
        table = read_table(data, options)
    choice = columns_for(bundle.manifest, table, text, text_pair, None, needs_label=False)
    examples, _ = to_examples(table, choice, keep_all=True)
    predictions = open_predictor(folder, precision).predict_examples(examples)
    if out is not None:
        try:
            write_predictions(out, examples, predictions)
        except OSError as error:
            raise OutputError(f"{out} cannot be written: {error.strerror}.") from None
    return Predicted(examples, predictions, choice.describe(), table)


def _standard_input(file: File, manifest: Manifest, options: ReadOptions, *, named: bool) -> Table:
    """A table from standard input: a format with columns, CSV with the text column in its header, or else one text per line."""
    if file.ending != ".csv" or named:
        return read_file(file, options)
    encoding = file.encoding(options)
    with file.text(encoding) as stream:
        text = stream.read()
    first_line = text.lstrip("\r\n").split("\n", maxsplit=1)[0]
    dialect = find_dialect([first_line], ",", options.delimiter)
    header = next(csv.reader([first_line], delimiter=dialect.delimiter), [])
    if {name.strip().casefold() for name in header} & {name.casefold() for name in manifest.text}:
        return read_file(file, options)
    if manifest.text_pair is not None:
        raise DataError(
            "The model takes pairs of texts, and standard input has no header that names them.",
            f"Give CSV with the columns {', '.join(manifest.text)} and {manifest.text_pair}.",
        )
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    return Table(STANDARD_INPUT, {manifest.text[0]: lines}, np.arange(1, len(lines) + 1, dtype=np.int64))
