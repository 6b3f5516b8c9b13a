"""Comma-separated and tab-separated values: the dialect found, a broken record named, the rows after it still read."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

import numpy as np

from superfine.data.encodings import Encoding, holds_broken_bytes
from superfine.data.files import File
from superfine.data.formats.dialect import DELIMITERS, QUOTE, Dialect, find_dialect
from superfine.data.table import BadRow, BadRows, ReadOptions, Table, header_of
from superfine.errors import DataError

SAMPLE_LINES = 200
MOST_CHARACTERS = 1 << 26
"""A record that goes on for longer is broken, whatever it is."""
ROWS_TO_JUDGE_BY = 10
SIMILAR = 0.8
"""Lines inside an open quotation mark are rows where this share of them looks like the rows before."""
FEW_VALUES = 0.5
"""A column with at most this share of different values says what rows look like."""
LINES_OF_A_SUSPECT = 4
NOT_UTF8 = "holds bytes that are not UTF-8"
CLOSE_QUOTES = "A stray quotation mark swallows the rows after it: close it, or double it inside a quoted text."


def read_csv(file: File, options: ReadOptions) -> Table:
    """Delimited text with a header; the delimiter is found, or `options.delimiter`."""
    return _read(file, options, usual=",")


def read_tsv(file: File, options: ReadOptions) -> Table:
    """The same, with tabs where nothing speaks for another delimiter."""
    return _read(file, options, usual="\t")


def csv_pieces(file: File, options: ReadOptions, size: int) -> Iterator[Table]:
    """`read_csv` in tables of at most `size` rows, one at least."""
    return _pieces(file, options, ",", size)


def tsv_pieces(file: File, options: ReadOptions, size: int) -> Iterator[Table]:
    """`read_tsv` in tables of at most `size` rows, one at least."""
    return _pieces(file, options, "\t", size)


def _read(file: File, options: ReadOptions, usual: str) -> Table:
    (table,) = _pieces(file, options, usual, None)
    return table


def _pieces(file: File, options: ReadOptions, usual: str, size: int | None) -> Iterator[Table]:
    encoding = file.encoding(options)
    notes = encoding_notes(encoding, file.source, options)
    with file.lines(encoding, options.on_bytes) as lines:
        for table in pieces_of_lines(file.source, lines, options, usual, size, damaged=encoding.damaged):
            yield table.noting(*notes)
            notes = []


def encoding_notes(encoding: Encoding, source: str, options: ReadOptions) -> list[str]:
    """What to say of an encoding that was detected and is not UTF-8."""
    if options.encoding is not None or encoding.name == "UTF-8":
        return []
    if encoding.doubt:
        return [
            f"{source} is read as {encoding.name}, but that is uncertain: {encoding.doubt}. Name the right one: --encoding NAME"
        ]
    return [f"{source} is read as {encoding.name}; another encoding: --encoding NAME"]


def pieces_of_lines(
    source: str, stream: Iterable[str], options: ReadOptions, usual: str, size: int | None, *, damaged: bool = False
) -> Iterator[Table]:
    """Delimited text from its lines, which keep their line ends, in tables of at most `size` rows (None: in one), one at least.

    damaged: lone surrogates in the lines are broken bytes. Notes come with the first table, bad rows with the next one.
    """
    lines = Lines(stream)
    lines.skip_preamble()
    sample = lines.peek(SAMPLE_LINES)
    dialect = find_dialect(sample, usual, options)
    bad = BadRows(options)
    records = _Records(source, lines, dialect, bad)
    if options.has_header:
        shape = _Shape(source, _header(source, records, bad, damaged), sample, dialect)
    else:
        shape = _Shape.by_number(source, sample, dialect)
    records.shape = shape
    notes = _dialect_notes(source, dialect, usual, options)
    for row, line, raw in records:
        record = shape.fit(raw)
        reason = _what_is_wrong(record, shape.width, damaged)
        if reason:
            advice = _advice(dialect) if "fields" in reason else ""
            bad.report(BadRow(source, row, line, reason, dialect.delimiter.join(record)[:80]), advice)
            continue
        if len(shape.rows) == size:
            yield shape.take(notes + records.take_notes(), bad)
            notes = ()
        shape.add(row, record)
    yield shape.take(notes + records.take_notes(), bad)


def _header(source: str, records: _Records, bad: BadRows, damaged: bool) -> list[str]:
    _, _, first = next(records, (0, 0, []))
    reason = bad.found[0].reason if bad.found else _what_is_wrong(first, len(first), damaged)
    if reason:
        raise DataError(f"{source}: the header {reason}.", CLOSE_QUOTES if bad.found else "")
    return first


def _dialect_notes(source: str, dialect: Dialect, usual: str, options: ReadOptions) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if dialect.delimiter != usual and not options.delimiter:
        notes = (f"{source}: fields parted by {DELIMITERS[dialect.delimiter]}",)
    if dialect.escape and not options.escape:
        notes += (f"{source}: quotation marks inside a text are escaped by {dialect.escape}; another sign: --escape",)
    return notes


class _Shape:
    """What records must look like, and the rows that were read, column by column."""

    def __init__(self, source: str, header: list[str], sample: list[str], dialect: Dialect) -> None:
        self.source, self.names = source, header_of(source, header)
        self.width = len(self.names)
        self.columns: list[list[str]] = [[] for _ in self.names]
        self.rows: list[int] = []
        filled = [0] * self.width
        for line in sample[1:]:
            for i, value in enumerate(dialect.fields(line)[: self.width]):
                filled[i] += bool(value.strip())
        # Spreadsheets and databases leave out the last fields of a record where they are empty.
        optional = [not header[i].strip() or not filled[i] for i in range(self.width)]
        self._needed = max((i + 1 for i in range(self.width) if not optional[i]), default=self.width)

    @classmethod
    def by_number(cls, source: str, sample: list[str], dialect: Dialect) -> _Shape:
        """Of a file without a header: its columns are called 1, 2, and so on."""
        width = max((len(dialect.fields(line)) for line in sample[:1]), default=0)
        return cls(source, [str(i) for i in range(1, width + 1)], [], dialect)._all_needed()

    def _all_needed(self) -> _Shape:
        self._needed = self.width
        return self

    def fit(self, record: list[str]) -> list[str]:
        """The record with empty fields at its end added or taken away, where that makes it as wide as the header."""
        if len(record) == self.width:
            return record
        if len(record) > self.width:
            return record if any(value.strip() for value in record[self.width :]) else record[: self.width]
        return record + [""] * (self.width - len(record)) if len(record) >= self._needed else record

    def add(self, row: int, record: list[str]) -> None:
        self.rows.append(row)
        for column, value in zip(self.columns, record, strict=True):
            column.append(value)

    def take(self, notes: tuple[str, ...], bad: BadRows) -> Table:
        """The rows since the last call."""
        columns, rows = self.columns, np.array(self.rows, dtype=np.int64)
        self.columns, self.rows = [[] for _ in self.names], []
        return Table(self.source, dict(zip(self.names, columns, strict=True)), rows, notes, bad.take())

    def looks_like_rows(self, lines: list[str], dialect: Dialect) -> bool:
        """Whether lines are rows rather than the inside of a text: nearly all have the header's width, and in the columns that
        have few values, these."""
        judged = [dialect.fields(line) for line in lines[:SAMPLE_LINES] if line.strip()]
        fitting = [record for record in judged if len(record) == self.width]
        if not judged or len(fitting) < SIMILAR * len(judged):
            return False
        recent = [column[-2000:] for column in self.columns]
        if len(recent[0]) >= ROWS_TO_JUDGE_BY:
            usual = {i: set(column) for i, column in enumerate(recent) if len(set(column)) <= FEW_VALUES * len(column)}
            return not usual or all(sum(r[i] in seen for r in fitting) >= SIMILAR * len(fitting) for i, seen in usual.items())
        if len(fitting) >= ROWS_TO_JUDGE_BY:
            return any(len({record[i] for record in fitting}) <= FEW_VALUES * len(fitting) for i in range(self.width))
        return True


def _what_is_wrong(record: list[str], n_fields: int, damaged: bool) -> str:
    if len(record) != n_fields:
        return f"has {len(record)} fields, the header has {n_fields}"
    if any("\0" in value for value in record):
        return "holds a NUL byte"
    if damaged and any(holds_broken_bytes(value) for value in record):
        return NOT_UTF8
    return ""


def _advice(dialect: Dialect) -> str:
    if dialect.quote is None:
        return "A text with a tab or a line break stands in quotation marks, or in a CSV file."
    return "Put texts that hold the delimiter or a line break in double quotes."


class Lines(Iterator[str]):
    """Lines of a stream that can be looked at beforehand and taken back. `number` is of the line given last."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._stream = iter(stream)
        self._ahead: list[str] = []
        self.taken: list[str] = []
        self._characters = 0
        self.number = 0
        self.skipped = 0

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else next(self._stream)
        self.number += 1
        self.taken.append(line)
        self._characters += len(line)
        if self._characters > MOST_CHARACTERS and len(self.taken) > 1:
            raise csv.Error(f"goes on for over {MOST_CHARACTERS >> 20} million characters")
        return line

    def peek(self, n: int) -> list[str]:
        """Up to `n` lines that come next."""
        missing = list(islice(self._stream, max(0, n - len(self._ahead))))
        self._ahead[:0] = missing[::-1]
        return self._ahead[::-1][:n]

    def skip_preamble(self) -> None:
        """Pass over blank lines and a spreadsheet's `sep=;` before the header."""
        while ahead := self.peek(1):
            line = ahead[0]
            is_mark = line.lower().startswith("sep=")
            if line.strip() and not is_mark:
                return
            next(self)
            # A spreadsheet shows blank lines as rows, but not its own mark.
            self.skipped += not is_mark

    def begin_record(self) -> None:
        """What is taken from here on can be taken back."""
        self.taken.clear()
        self._characters = 0

    def take_back_all_but_first(self) -> None:
        """Put the lines of this record back, but for its first one."""
        first, *others = self.taken
        self._ahead += others[::-1]
        self.number -= len(others)
        self.taken = [first]


@dataclass
class _Records(Iterator[tuple[int, int, list[str]]]):
    """(row, line, fields) of every record that is not blank.

    A record whose quotation marks do not pair up is reported. Its other lines are read as rows where they look like the rows
    before, and are passed over with it where they are the inside of its text.
    """

    source: str
    lines: Lines
    dialect: Dialect
    bad: BadRows
    shape: _Shape | None = None

    def __post_init__(self) -> None:
        self._row = self.lines.skipped
        self._reader = self.dialect.reader(self.lines)
        self._suspect: tuple[int, int] | None = None

    def __next__(self) -> tuple[int, int, list[str]]:
        while True:
            self.lines.begin_record()
            line = self.lines.number + 1
            self._row += 1
            try:
                record = next(self._reader)
            except csv.Error as error:
                record = self._mended(line, str(error))
                self._reader = self.dialect.reader(self.lines)
            if record:
                self._look_for_rows_inside()
                return self._row, line, record

    def _mended(self, line: int, error: str) -> list[str]:
        """The fields of a record that breaks the rules in a single line; else it is reported."""
        taken = self.lines.taken
        is_open = "unexpected end" in error
        if len(taken) == 1 and not is_open:
            return self.dialect.fields(taken[0])
        if is_open:
            reason = "opens a quotation mark that is never closed"
        elif "million" in error:
            reason = error
        else:
            reason = f"has text behind a closing quotation mark, in line {self.lines.number}"
        first = taken[0]
        self._read_to_the_end_of_the_field()
        if self.shape is None or self.shape.looks_like_rows(taken[1:], self.dialect):
            self.lines.take_back_all_but_first()
        self.bad.report(BadRow(self.source, self._row, line, reason, first[:80].rstrip()), CLOSE_QUOTES)
        return []

    def _read_to_the_end_of_the_field(self) -> None:
        """Take lines until the quotation marks of the broken record come in pairs, so that no inside of a text becomes rows."""
        quote = self.dialect.quote or QUOTE
        is_open = sum(line.count(quote) for line in self.lines.taken) % 2 == 1
        with suppress(csv.Error):
            while is_open and (line := next(self.lines, None)) is not None:
                is_open = line.count(quote) % 2 == 0

    def _look_for_rows_inside(self) -> None:
        taken = self.lines.taken
        if len(taken) < LINES_OF_A_SUSPECT or self._suspect or self.shape is None or len(self.shape.rows) < ROWS_TO_JUDGE_BY:
            return
        if self.shape.looks_like_rows(taken[1:-1], self.dialect):
            self._suspect = (self._row, len(taken))

    def take_notes(self) -> tuple[str, ...]:
        """What the user should know of the records read so far."""
        if self._suspect is None:
            return ()
        (row, n_lines), self._suspect = self._suspect, None
        return (
            f"{self.source}: row {row} spans {n_lines} lines that look like rows of their own: is a quotation mark one too many?",
        )
