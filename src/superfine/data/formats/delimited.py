"""Comma-separated and tab-separated values: the delimiter found, a broken record named, the rows after it still read."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from superfine.data.encodings import Encoding, holds_broken_bytes
from superfine.data.files import File
from superfine.data.table import BadRow, BadRows, ReadOptions, Table, header_of
from superfine.errors import DataError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE_LINES = 200
MAX_LINES_IN_FIELD = 1000
"""A field with more line breaks is taken for the work of a stray quotation mark."""
QUOTED = re.compile(r'"([^"]|"")*"')
END_MARK = "\ue000end of file\ue000"
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
    with file.text(encoding, options.on_bytes) as stream:
        for table in pieces_of_lines(file.source, stream, options, usual, size, damaged=encoding.damaged):
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


@dataclass(frozen=True)
class Dialect:
    """How fields are parted, and whether quotation marks hold them together."""

    delimiter: str
    quoted: bool

    def reader(self, lines: Iterable[str]) -> csv._reader:  # type: ignore[name-defined,unused-ignore]
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=self.delimiter, quoting=quoting)


def pieces_of_lines(
    source: str, stream: Iterable[str], options: ReadOptions, usual: str, size: int | None, *, damaged: bool = False
) -> Iterator[Table]:
    """Delimited text from its lines, which keep their line ends, in tables of at most `size` rows (None: in one), one at least.

    damaged: lone surrogates in the lines are broken bytes. Notes come with the first table, bad rows with the next one.
    """
    csv.field_size_limit(2**31 - 1)
    lines = Lines(stream)
    lines.skip_preamble()
    sample = lines.peek(SAMPLE_LINES)
    dialect = find_dialect(sample, usual, options.delimiter)
    bad = BadRows(options)
    records = _records(source, lines, dialect, bad)
    _, _, first = next(records, (0, 0, []))
    reason = bad.found[0].reason if bad.found else _what_is_wrong(first, len(first), damaged)
    if reason:
        raise DataError(f"{source}: the header {reason}.", CLOSE_QUOTES if bad.found else "")
    header = header_of(source, first)
    is_usual = dialect.delimiter == usual or options.delimiter
    notes = () if is_usual else (f"{source}: fields parted by {DELIMITERS[dialect.delimiter]}",)
    columns: list[list[str]] = [[] for _ in header]
    numbers: list[int] = []
    for row, line, record in records:
        reason = _what_is_wrong(record, len(header), damaged)
        if reason:
            advice = _advice(dialect) if "fields" in reason else ""
            bad.report(BadRow(source, row, line, reason, dialect.delimiter.join(record)[:80]), advice)
            continue
        if len(numbers) == size:
            yield _table(source, header, columns, numbers, notes, bad)
            columns, numbers, notes = [[] for _ in header], [], ()
        numbers.append(row)
        for column, value in zip(columns, record, strict=True):
            column.append(value)
    yield _table(source, header, columns, numbers, notes, bad)


def _table(
    source: str, header: list[str], columns: list[list[str]], numbers: list[int], notes: tuple[str, ...], bad: BadRows
) -> Table:
    return Table(source, dict(zip(header, columns, strict=True)), np.array(numbers, dtype=np.int64), notes, bad.take())


def _what_is_wrong(record: list[str], n_fields: int, damaged: bool) -> str:
    if len(record) != n_fields:
        return f"has {len(record)} fields, the header has {n_fields}"
    if any("\0" in value for value in record):
        return "holds a NUL byte"
    if damaged and any(holds_broken_bytes(value) for value in record):
        return NOT_UTF8
    return ""


def _advice(dialect: Dialect) -> str:
    if dialect.delimiter == "\t":
        return "A text with a tab or a line break stands in quotation marks, or in a CSV file."
    return "Put texts that hold the delimiter or a line break in double quotes."


class Lines(Iterator[str]):
    """Lines of a stream that can be looked at beforehand and taken back. `number` is of the line given last."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._stream = iter(stream)
        self._ahead: list[str] = []
        self._taken: list[str] = []
        self.number = 0
        self.skipped = 0

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else next(self._stream)
        self.number += 1
        self._taken.append(line)
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
        self._taken.clear()

    @property
    def in_record(self) -> int:
        return len(self._taken)

    def take_back_all_but_first(self) -> str:
        """Put the lines of this record back, but for its first one, which is returned."""
        first, *others = self._taken
        self._ahead += others[::-1]
        self.number -= len(others)
        self._taken = [first]
        return first


class _RunawayError(Exception):
    """A record goes on for so many lines that a quotation mark must be unbalanced."""


def _bounded(lines: Lines) -> Iterator[str]:
    """The lines, and one more that becomes a record of its own, unless a quotation mark is still open."""
    for line in lines:
        if lines.in_record > MAX_LINES_IN_FIELD:
            raise _RunawayError
        yield line
    yield END_MARK


def _records(source: str, lines: Lines, dialect: Dialect, bad: BadRows) -> Iterator[tuple[int, int, list[str]]]:
    """(row, line, fields) of every record that is not blank.

    A record that never ends is reported, and reading goes on with the line after its first one.
    """
    row = lines.skipped
    reader = dialect.reader(_bounded(lines))
    while True:
        lines.begin_record()
        line, row, reason = lines.number + 1, row + 1, ""
        record: list[str] = []
        try:
            record = next(reader)
        except StopIteration:
            return
        except _RunawayError:
            reason = f"holds a field of over {MAX_LINES_IN_FIELD} lines"
        except csv.Error as error:
            raise DataError(f"{source}: line {lines.number} cannot be read: {error}.") from None
        if record == [END_MARK]:
            return
        if record and record[-1].endswith(END_MARK):
            reason = "opens a quotation mark that is never closed"
        if reason:
            first = lines.take_back_all_but_first()
            bad.report(BadRow(source, row, line, reason, first[:80].rstrip()), CLOSE_QUOTES)
            reader = dialect.reader(_bounded(lines))
        elif record:
            yield row, line, record


def find_dialect(sample: list[str], usual: str, delimiter: str | None = None) -> Dialect:
    """From the first lines: the delimiter that parts them into the same number of fields most often, `usual` if in doubt."""
    if delimiter is not None:
        return Dialect(delimiter, delimiter != "\t" or _quotes_pair_up(sample))
    candidates = [usual, *(d for d in DELIMITERS if d != usual)]
    best = max(candidates, key=lambda d: _consistency(sample, d))
    # Tab-separated files seldom quote: a lone quotation mark in a text must not swallow the rows after it.
    return Dialect(best, best != "\t" or _quotes_pair_up(sample))


def _consistency(sample: list[str], delimiter: str) -> tuple[float, bool]:
    """The share of records with as many fields as the header, which has two at least; and that a header has names, not prose."""
    counts = [len(record) for record in csv.reader(sample, delimiter=delimiter) if record]
    if not counts or counts[0] < 2:
        return (0.0, False)
    header = next(csv.reader(sample[:1], delimiter=delimiter), [])
    return (round(counts.count(counts[0]) / len(counts), 1), all(name.strip() for name in header))


def _quotes_pair_up(sample: list[str]) -> bool:
    """Whether every tab-separated field that begins with a quotation mark is quoted as CSV quotes, and some are."""
    fields = [field for line in sample for field in line.rstrip("\r\n").split("\t")]
    opened = [field for field in fields if field.startswith('"')]
    return bool(opened) and all(QUOTED.fullmatch(field) for field in opened)
