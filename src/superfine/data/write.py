"""Tables out, the mirror of `read`: predictions as CSV, tab-separated values or JSON Lines, and the records that were left
out."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import IO, Any

from superfine.atomic import open_whole
from superfine.data.table import BadRow
from superfine.errors import OutputError
from superfine.records import Answers, Examples, IntArray
from superfine.records.answers import written

FORMULA_BEGINS = frozenset("=+-@\t\r")
NUMBER = re.compile(r"[+-][0-9]+([.,][0-9]+)?")
CSV_END = "\r\n"
JSON_ENDINGS = (".jsonl", ".ndjson")
OTHER_ENDINGS = (".json", ".xlsx", ".xls", ".parquet", ".gz", ".zst", ".zip")
"""A file of such a name would be taken for what it is not."""


def unused_names(taken: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The wanted names, each with a suffix where it is taken already."""
    seen, names = set(taken), []
    for name in wanted:
        unique, n = name, 2
        while unique in seen:
            unique, n = f"{name}_{n}", n + 1
        seen.add(unique)
        names.append(unique)
    return names


class _Rows:
    """Takes rows as `csv` ends them, and ends them by a line feed."""

    def __init__(self, stream: IO[str] | io.TextIOBase) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(f"{row.removesuffix(CSV_END)}\n")


def csv_writer(stream: IO[str] | io.TextIOBase, delimiter: str = ",") -> Any:
    """A writer of rows that end with a line feed; cells with any kind of line end are quoted, which `csv` of Python 3.11 does for
    those of its own line ends alone."""
    return csv.writer(_Rows(stream), delimiter=delimiter, lineterminator=CSV_END)


class PredictionWriter:
    """Writes the input's columns and the answers, piece by piece: CSV, tab-separated values, or JSON Lines."""

    def __init__(
        self,
        stream: IO[str] | io.TextIOBase,
        columns: Sequence[str],
        answers: Sequence[str],
        ending: str = ".csv",
        *,
        excel_safe: bool = False,
    ) -> None:
        """columns: of every piece of the input. answers: the columns of every answer. ending: of the file's name, in lower
        case. excel_safe: put an apostrophe before cells that a spreadsheet would take for formulas; else they are counted."""
        self._stream, self._as_json, self._excel_safe = stream, ending in JSON_ENDINGS, excel_safe
        self._csv = csv_writer(stream, "\t" if ending == ".tsv" else ",")
        self.n_formulas = 0
        """Cells so far that a spreadsheet would take for formulas."""
        if not self._as_json:
            self._csv.writerow(self._safe([*columns, *unused_names(columns, answers)]))

    def write(self, examples: Examples, answers: Answers, answered: IntArray | None = None) -> None:
        """The next rows. answered: the positions of those that the answers are of, ascending, where that is not all."""
        if self._as_json:
            records = prediction_records(examples, answers, answered)
            self._stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            return
        inputs = zip(*examples.columns.values(), strict=True) if examples.columns else iter([()] * len(examples))
        columns = [
            spread([written(value) for value in column], answered, len(examples), "") for column in answers.to_columns().values()
        ]
        self._csv.writerows(self._safe((*given, *said)) for given, said in zip(inputs, zip(*columns, strict=True), strict=True))

    def _safe(self, row: Sequence[Any]) -> Sequence[Any]:
        """owasp.org/www-community/attacks/CSV_Injection; numbers with a sign are numbers."""
        formulas = [isinstance(cell, str) and cell[:1] in FORMULA_BEGINS and not NUMBER.fullmatch(cell) for cell in row]
        if not any(formulas):
            return row
        self.n_formulas += sum(formulas)
        return [f"'{cell}" if risky and self._excel_safe else cell for cell, risky in zip(row, formulas, strict=True)]


def spread(values: list[Any], places: IntArray | None, n: int, empty: Any) -> list[Any]:
    """The values at these places among n, and `empty` at all others. places: None is all, in order."""
    if places is None or len(places) == n:
        return values
    found = [empty] * n
    for place, value in zip(places.tolist(), values, strict=True):
        found[place] = value
    return found


def prediction_records(examples: Examples, answers: Answers, answered: IntArray | None = None) -> Iterator[dict[str, Any]]:
    """One mapping per row: its columns and the answer as an object; a name that clashes gets a suffix. Of rows that are not
    among `answered` the prediction is None."""
    columns = examples.columns
    for i, answer in enumerate(spread(answers.to_objects(), answered, len(examples), {"prediction": None})):
        names = unused_names(list(columns), list(answer))
        inputs = {name: column[i] for name, column in columns.items()}
        yield inputs | dict(zip(names, answer.values(), strict=True))


def write_predictions(path: Path, examples: Examples, answers: Answers) -> None:
    """The input's columns and the answers in the input's order: CSV, or JSON lines where the name says so."""
    with open_predictions(path, list(examples.columns), list(answers.to_columns())) as writer:
        writer.write(examples, answers)


@contextmanager
def open_predictions(
    path: Path, columns: Sequence[str], answers: Sequence[str], encoding: str = "utf-8", *, excel_safe: bool = False
) -> Iterator[PredictionWriter]:
    """A writer to a file that is there whole afterwards, or not at all. What is no regular file (a pipe, a device) is written
    straight."""
    if path.exists() and not path.is_file():
        with open(path, "w", encoding=encoding, newline="") as stream:
            yield PredictionWriter(stream, columns, answers, path.suffix.lower(), excel_safe=excel_safe)
        return
    with open_whole(path, encoding, newline="") as stream:
        yield PredictionWriter(stream, columns, answers, path.suffix.lower(), excel_safe=excel_safe)


def refuse_unwritable(path: Path, *, force: bool = False) -> None:
    """Raises OutputError for a table that cannot be written there."""
    if path.suffix.lower() in OTHER_ENDINGS:
        raise OutputError(f"Tables are not written as {path.suffix}: {path}.", "Name a file that ends in .csv, .tsv or .jsonl.")
    if path.is_dir() or not path.parent.is_dir():
        raise OutputError(f"{path} is a folder, or its folder does not exist.", "Name a file in an existing folder.")
    if path.exists() and not force:
        raise OutputError(f"{path} exists already.", "Replace it with --force, or name another file.")


def write_table(path: Path, columns: Mapping[str, list[str]]) -> None:
    """Columns of text as CSV, tab-separated values, or JSON Lines, whole or not at all. Raises OutputError."""
    rows = zip(*columns.values(), strict=True)
    try:
        with open_whole(path, newline="", errors="surrogatepass") as stream:
            if path.suffix.lower() in JSON_ENDINGS:
                stream.writelines(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)
                return
            writer = csv_writer(stream, "\t" if path.suffix.lower() == ".tsv" else ",")
            writer.writerow(columns)
            writer.writerows(rows)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None


def write_bad_rows(path: Path, bad_rows: Sequence[BadRow]) -> None:
    """The records that were left out: file, row, line, reason, and how each begins."""
    with open_whole(path, newline="", errors="backslashreplace") as stream:
        writer = csv_writer(stream)
        writer.writerow(field.name for field in fields(BadRow))
        writer.writerows(astuple(bad) for bad in bad_rows)
