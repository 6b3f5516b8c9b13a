"""Every format becomes one table: columns of text, and the row each record has in the user's file.

A format is a function `(path, stream) -> Table` in the table FORMATS, found by the ending of the file's name.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import numpy as np

from superfine.errors import DataError
from superfine.names import NameTable
from superfine.records import IntArray

FORMATS = NameTable(
    "file format",
    {
        ".csv": "superfine.data.read:read_csv",
        ".tsv": "superfine.data.read:read_tsv",
        ".tab": "superfine.data.read:read_tsv",
        ".jsonl": "superfine.data.read:read_jsonl",
        ".ndjson": "superfine.data.read:read_jsonl",
    },
)


MAX_LINES_IN_FIELD = 1000
"""A field with more line breaks is taken for the work of a stray quotation mark."""
END_MARK = "\ue000end of file\ue000"


@dataclass(frozen=True)
class Table:
    """Columns of text as they were read. `row` (n,) counts records from the header, which is row 1 (JSONL: lines from 1)."""

    source: str
    columns: dict[str, list[str]]
    row: IntArray

    def __len__(self) -> int:
        return len(self.row)


def read_table(path: Path | str) -> Table:
    """Read a CSV, TSV or JSONL file in UTF-8, or standard input for `-` (JSONL where it begins with `{`, else CSV)."""
    if str(path) == "-":
        text = read_standard_input()
        return parse_text("standard input", text, ".jsonl" if text.lstrip().startswith("{") else ".csv")
    path = Path(path)
    if not path.exists():
        raise DataError(f"The file {path} does not exist.", "Check the name and the folder.")
    if path.is_dir():
        raise DataError(f"{path} is a folder, not a file.", "Name one file: CSV, TSV or JSONL.")
    if path.stat().st_size == 0:
        raise DataError(f"The file {path} is empty.")
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise DataError(f'{path}: files that end in "{ending}" cannot be read.', f"Readable are: {', '.join(FORMATS)}.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            return _checked(FORMATS.load(ending)(str(path), stream))
    except UnicodeDecodeError as error:
        raise _not_utf8(str(path), error) from None
    except OSError as error:
        raise DataError(f"The file {path} cannot be read: {error.strerror}.") from None


def read_standard_input() -> str:
    """Everything on standard input as text. Raises DataError when there is nothing, or no UTF-8."""
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _not_utf8("standard input", error) from None
    if not text.strip():
        raise DataError("Nothing came in on standard input.")
    return text


def parse_text(source: str, text: str, ending: str) -> Table:
    """A table from text that is already in memory, in the format of files with that ending."""
    return _checked(FORMATS.load(ending)(source, io.StringIO(text, newline="")))


def _not_utf8(source: str, error: UnicodeDecodeError) -> DataError:
    if bytes(error.object[:2]) in {b"\xff\xfe", b"\xfe\xff"}:
        encoding = "UTF-16"
    else:
        encoding = "GB18030 (Chinese), WINDOWS-1252 (Western), or what it was saved in:"
    return DataError(
        f"{source} is not UTF-8 text (byte {error.start} is {error.object[error.start]:#04x}).",
        f"Save it as UTF-8, for example with: iconv -f ENCODING -t UTF-8 OLD > NEW, where ENCODING is {encoding.rstrip(':')}.",
    )


def _checked(table: Table) -> Table:
    if not table.columns:
        raise DataError(f"{table.source} has no columns.")
    if not len(table):
        raise DataError(f"{table.source} has a header but no rows.")
    return table


def read_csv(source: str, stream: IO[str]) -> Table:
    """Comma-separated with a header; a sniffed semicolon or tab is taken as well."""
    return _read_csv_lines(source, stream)


def read_tsv(source: str, stream: IO[str]) -> Table:
    """Tab-separated with a header."""
    return _read_delimited(source, stream, "\t")


def read_jsonl(source: str, stream: IO[str]) -> Table:
    """One JSON object per line."""
    return _read_records(source, stream)


def _read_csv_lines(source: str, lines: Iterator[str]) -> Table:
    first = next((line for line in lines if line.strip() and not line.lower().startswith("sep=")), "")
    return _read_delimited(source, _chain(first, lines), sniff_delimiter(first))


def sniff_delimiter(header: str) -> str:
    """The most frequent of comma, semicolon and tab in a header, which is short and holds no quoted prose."""
    unquoted = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=unquoted.count)


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _read_delimited(source: str, lines: Iterator[str], delimiter: str) -> Table:
    csv.field_size_limit(2**31 - 1)
    # Tab-separated files seldom quote: a lone quotation mark in a text must not swallow the rows after it.
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    records = csv.reader(_with_end_mark(lines), delimiter=delimiter, quoting=quoting)
    numbers: list[int] = []
    try:
        first = next(records, [])
        header = _header(source, [] if first == [END_MARK] else first)
        columns: list[list[str]] = [[] for _ in header]
        for number, record in enumerate(records, start=2):
            if not record or record == [END_MARK]:
                continue
            if record[-1].endswith(END_MARK + "\n"):
                raise DataError(
                    f"{source}: a quotation mark opened in row {number} is never closed.",
                    "Close it, and double the quotation marks inside quoted texts.",
                )
            if len(record) != len(header):
                raise DataError(
                    f"{source}: row {number} (line {records.line_num}) has {len(record)} fields, the header has {len(header)}.",
                    "A text with a tab or a line break cannot stand in a TSV file: use CSV."
                    if delimiter == "\t"
                    else "Put texts that hold the delimiter or a line break in double quotes.",
                )
            if any(value.count("\n") > MAX_LINES_IN_FIELD for value in record):
                raise DataError(
                    f"{source}: row {number} holds a field of over {MAX_LINES_IN_FIELD} lines, up to line {records.line_num}.",
                    "A stray quotation mark swallows the rows after it: double it, or close it.",
                )
            numbers.append(number)
            for column, value in zip(columns, record, strict=True):
                column.append(value)
    except csv.Error as error:
        raise DataError(f"{source}: line {records.line_num} cannot be read: {error}.") from None
    return Table(source, dict(zip(header, columns, strict=True)), np.array(numbers, dtype=np.int64))


def _with_end_mark(lines: Iterator[str]) -> Iterator[str]:
    """The lines, and one more that becomes a record of its own, unless a quotation mark is still open."""
    for line in lines:
        yield line.replace("\0", "")
    yield f"{END_MARK}\n"


def _header(source: str, names: list[str]) -> list[str]:
    header = [name.strip() or f"column_{i}" for i, name in enumerate(names, start=1)]
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"{source}: the header names {', '.join(doubled)} more than once.", "Rename one of the columns.")
    return header


def _read_records(source: str, lines: Iterator[str]) -> Table:
    records: list[dict[str, object]] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else "a number or a nesting in it is too large"
            raise DataError(f"{source}: line {number} is not JSON: {reason}.", "Each line is one JSON object.") from None
        if not isinstance(record, dict):
            raise DataError(
                f"{source}: line {number} is not a JSON object.", 'Each line looks like {"text": "...", "label": "..."}.'
            )
        records.append(record)
        numbers.append(number)
    names = list(dict.fromkeys(str(name) for record in records for name in record))
    columns = {name: [_as_text(record.get(name)) for record in records] for name in names}
    return Table(source, columns, np.array(numbers, dtype=np.int64))


def _as_text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    # Half of a surrogate pair, as cut tweets have them in JSON, is no character.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
