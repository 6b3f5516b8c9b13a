"""`superfine predict`: a file or standard input in, a table with predictions out, in the input's order.

A first pass over the input finds what cannot be read before any time is spent on predicting; a second one reads, predicts and
writes piece by piece, so that memory does not grow with the input.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from superfine.data.columns import ColumnChoice, to_examples
from superfine.data.encodings import codec_of
from superfine.data.files import File
from superfine.data.formats.delimited import encoding_notes
from superfine.data.formats.dialect import find_dialect
from superfine.data.personal import redacted_examples
from superfine.data.read import STANDARD_INPUT, DataSource, cut, read_file, read_pieces, standard_input
from superfine.data.table import BadRow, ReadOptions, Table
from superfine.data.write import OTHER_ENDINGS, open_predictions, unused_names
from superfine.errors import DataError, OutputError
from superfine.paths import expanded, same_file
from superfine.predictors.bundle import Manifest, open_bundle, open_predictor
from superfine.predictors.drift import Drift, Reference, chosen_rows, features_of
from superfine.recipes.evaluate import columns_for
from superfine.recipes.reporter import Counter, Reporter
from superfine.records import Answers, Examples, FloatArray, IntArray, Precision

PIECE = 20_000
"""Rows that are held in memory at a time."""


@dataclass(frozen=True)
class Survey:
    """What the first pass found: the columns of all rows, the ones that are read, and what to tell the user."""

    columns: tuple[str, ...]
    choice: ColumnChoice
    n_rows: int
    notes: tuple[str, ...]
    bad_rows: tuple[BadRow, ...]


class PredictJob:
    """A model and an input, surveyed. `pieces` predicts the rows, `write` writes them."""

    def __init__(
        self,
        folder: Path,
        data: DataSource,
        text: list[str] | None = None,
        text_pair: str | None = None,
        options: ReadOptions | None = None,
        precision: Precision | None = None,
        baseline: str | None = None,
        device: str | None = None,
    ) -> None:
        """data: what `train` reads, or "-" for standard input. baseline: of the run, to answer instead of the model. device: on
        which the model computes.

        Raises a SuperfineError for what cannot be used.
        """
        self._folder, self._data, self._options = folder, data, options or ReadOptions()
        self._precision, self._baseline, self._device = precision, baseline, device or "auto"
        manifest = open_bundle(folder, baseline).manifest
        task = manifest.open_task()
        self.labels = task.labels
        self.answer_columns = task.answer_columns()
        self._given: Table | None = None
        if isinstance(data, str) and data == "-":
            self._given = _lines_or_table(standard_input(), manifest, self._options, named=bool(text))
        elif isinstance(data, str | Path) and Path(data).suffix.lower() == ".txt" and expanded(data).is_file():
            self._given = _lines_or_table(File.on_disk(expanded(data)), manifest, self._options, named=bool(text))
        columns: dict[str, None] = {}
        notes: list[str] = []
        bad: list[BadRow] = []
        n_rows = 0
        first: Table | None = None
        for piece in self._tables():
            first = piece if first is None else first
            columns |= dict.fromkeys(piece.columns)
            notes += piece.notes
            bad += piece.bad_rows
            n_rows += len(piece)
        assert first is not None  # every input comes in one piece at least
        choice = columns_for(manifest, _with_columns(first, columns), text, text_pair, None, needs_label=False)
        own = unused_names(tuple(columns), self.answer_columns)
        renamed = [
            f'"{name}" is in "{written}"' for name, written in zip(self.answer_columns, own, strict=True) if name != written
        ]
        if renamed:
            notes.append(f"The input has columns of these names already, so of the answers {', '.join(renamed)}.")
        self.survey = Survey(tuple(columns), choice, n_rows, tuple(notes), tuple(bad))
        self.n_blank = 0
        """Rows without a text so far, which get no answer."""
        self._reference = Reference.of_bundle(open_bundle(folder, baseline).folder)
        self._features: list[FloatArray] = []

    def _tables(self) -> Iterator[Table]:
        return cut(self._given, PIECE) if self._given is not None else read_pieces(self._data, self._options, PIECE)

    def pieces(self, reporter: Reporter | None = None) -> Iterator[tuple[Examples, Answers, IntArray]]:
        """Rows, in the input's order, the predictions for those that have a text, and their positions in the piece."""
        predictor = open_predictor(self._folder, self._precision, self._baseline, self._device)
        compared, n_read = chosen_rows(self.survey.n_rows), 0
        on_batch = Counter(reporter or Reporter(), self.survey.n_rows)
        for table in self._tables():
            examples, _ = to_examples(_with_columns(table, self.survey.columns), self.survey.choice, keep_all=True)
            texts = zip(examples.text, examples.text_pair or [""] * len(examples), strict=True)
            answered = np.flatnonzero(np.array([bool(text.strip() or pair.strip()) for text, pair in texts], dtype=bool))
            n_blank = len(examples) - len(answered)
            self.n_blank += n_blank
            if n_blank:
                on_batch(n_blank)
            asked = examples.take(answered) if n_blank else examples
            answers = predictor.predict_examples(asked, on_batch)
            if self._reference is not None:
                some = np.flatnonzero(np.isin(n_read + answered, compared))
                read = redacted_examples(asked.take(some)) if predictor.redacts else asked.take(some)
                features = features_of(read, answers.take(some))
                self._features += [] if features is None else [features]
            n_read += len(examples)
            yield examples, answers, answered

    @property
    def drift(self) -> Drift | None:
        """How the rows that were predicted differ from those that the model was calibrated on; None where nothing tells."""
        if self._reference is None or not self._features:
            return None
        return self._reference.drift_of(np.concatenate(self._features))

    def _refuse_input(self, out: Path) -> None:
        """Raises OutputError where writing would destroy what is read."""
        parts = self._data if isinstance(self._data, list | tuple) else [self._data]
        if any(isinstance(part, str | Path) and same_file(out, part) for part in parts):
            raise OutputError(f"{out} is the file that is read.", "Name another file with --out.")

    def write(
        self,
        out: Path,
        reporter: Reporter | None = None,
        encoding: str = "utf-8",
        *,
        excel_safe: bool = False,
        force: bool = False,
    ) -> int:
        """A table of all predictions to `out`, whole or not at all. Raises OutputError where it cannot be written.

        excel_safe: no cell is a formula for a spreadsheet. force: a file of that name is replaced. Returns how many cells would
        be formulas (or were made safe).
        """
        codec = codec_of(encoding)
        if out.suffix.lower() in OTHER_ENDINGS:
            raise OutputError(
                f"Predictions are not written as {out.suffix}: {out}.", "Name a file that ends in .csv, .tsv or .jsonl."
            )
        if _is_no_file(out):
            raise OutputError(
                f"{out} is a folder, or its folder does not exist.", "Name a file in an existing folder with --out."
            )
        self._refuse_input(out)
        if out.is_file() and not force:
            raise OutputError(f"{out} exists already.", "Replace it with --force, or name another file with --out.")
        try:
            with open_predictions(out, self.survey.columns, self.answer_columns, codec, excel_safe=excel_safe) as writer:
                for examples, predictions, answered in self.pieces(reporter):
                    writer.write(examples, predictions, answered)
                return writer.n_formulas
        except UnicodeEncodeError as error:
            raise OutputError(
                f'The encoding {encoding} has no "{error.object[error.start]}", which is to be written.',
                "Choose another with --out-encoding, for example utf-8-sig.",
            ) from None
        except OSError as error:
            raise OutputError(f"{out} cannot be written: {error.strerror}.") from None


def _is_no_file(out: Path) -> bool:
    try:
        return out.is_dir() or not out.absolute().parent.is_dir()
    except OSError:  # a name too long, a folder that must not be entered: writing will say so
        return False


def _with_columns(table: Table, names: Iterable[str]) -> Table:
    """The table with all these columns; those that it lacks, as a piece of JSON Lines may, are empty."""
    return replace(table, columns={name: table.columns.get(name) or [""] * len(table) for name in names})


def _lines_or_table(file: File, manifest: Manifest, options: ReadOptions, *, named: bool) -> Table:
    """Standard input or a .txt file: a format with columns, CSV with the text column in its header, or else a text per line."""
    if file.ending not in {".csv", ".txt"} or named:
        return read_file(file, options)
    encoding = file.encoding(options)
    text = file.whole_text(replace(encoding, damaged=False))
    first_line = text.lstrip("\r\n").split("\n", maxsplit=1)[0]
    header = find_dialect([first_line], ",", options).fields(first_line)
    if {name.strip().casefold() for name in header} & {name.casefold() for name in manifest.text}:
        return read_file(file, options)
    if manifest.text_pair is not None:
        raise DataError(
            f"The model takes pairs of texts, and {file.source} has no header that names them.",
            f"Give CSV with the columns {', '.join(manifest.text)} and {manifest.text_pair}.",
        )
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    notes = tuple(encoding_notes(encoding, file.source, options))
    if file.source != STANDARD_INPUT:
        notes += (f"{file.source}: one text per line; a table: name its text column with --text",)
    return Table(file.source, {manifest.text[0]: lines}, np.arange(1, len(lines) + 1, dtype=np.int64), notes)
