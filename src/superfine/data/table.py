"""What every format becomes: columns of text, and the row that each record has in the user's file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from superfine.errors import DataError
from superfine.records import IntArray

MOST_NAMED = 20
"""A message names so many columns at most."""


@dataclass(frozen=True)
class BadRow:
    """A record that could not be read: its row, the line it begins in, why, and how it begins."""

    source: str
    row: int
    line: int
    reason: str
    begins: str


@dataclass(frozen=True)
class Table:
    """Columns of text as they were read, all of length n.

    `row` (n,) counts records from the header, which is row 1 (JSON Lines: lines from 1; other formats without a header: records
    from 1). `notes` are choices made in reading that the user should know; `bad_rows` are the records left out on request;
    `nested` says of columns with lists of several values where the first one is: they cannot be read as texts or classes.
    """

    source: str
    columns: dict[str, list[str]]
    row: IntArray
    notes: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()
    nested: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row)

    def rows(self, start: int, stop: int) -> Self:
        """A range of the rows, without notes and bad rows."""
        columns = {name: column[start:stop] for name, column in self.columns.items()}
        return replace(self, columns=columns, row=self.row[start:stop], notes=(), bad_rows=())

    def spelled_like(self, names: Iterable[str]) -> Self:
        """The table with columns named as in `names` where they differ only in case. Raises DataError where none is alike."""
        folded = {name.casefold(): name for name in names}
        columns = {folded.get(name.casefold(), name): column for name, column in self.columns.items()}
        if not columns.keys() & set(folded.values()) or len(columns) < len(self.columns):
            raise DataError(
                f"{self.source} has other columns than the file before: {listed(self.columns)} instead of {listed(names)}.",
                "Files that are read together need the same header.",
            )
        nested = {folded.get(name.casefold(), name): what for name, what in self.nested.items()}
        return replace(self, columns=columns, nested=nested)

    def noting(self, *notes: str) -> Self:
        return replace(self, notes=(*notes, *self.notes))


@dataclass(frozen=True)
class ReadOptions:
    """How a file is to be read where the user says so. Absent: detected.

    sheet: of a workbook, or the key of a part of a JSON file. has_header: else columns are called by their numbers, from 1. part:
    what the table is for ("train", "validation", "test"), for files that hold several parts. on_bytes is called with how many
    bytes of how many are read.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    sheet: str | None = None
    has_header: bool = True
    part: str | None = None
    skip_bad_rows: bool = False
    on_bytes: Callable[[int, int], None] | None = None


def read_options(given: Mapping[str, Any]) -> ReadOptions:
    """From the section `data` of a configuration, or from options of the command line. What is absent or None is detected."""
    named = {key: given[key] for key in ("encoding", "delimiter", "quote", "escape", "sheet") if given.get(key) is not None}
    return ReadOptions(**named, has_header=given.get("header") is not False, skip_bad_rows=given.get("bad_rows") == "skip")


class BadRows:
    """Where readers report records they cannot read: refused at once, or counted and listed."""

    def __init__(self, options: ReadOptions) -> None:
        self._skip = options.skip_bad_rows
        self.found: list[BadRow] = []

    def report(self, bad: BadRow, advice: str) -> None:
        """Raises DataError unless bad rows are skipped."""
        if not self._skip:
            place = f"row {bad.row}" if bad.row == bad.line else f"row {bad.row} (line {bad.line})"
            raise DataError(
                f"{bad.source}: {place} {bad.reason}.", f"{advice} To leave such rows out and list them: --bad-rows skip"
            )
        self.found.append(bad)

    def take(self) -> tuple[BadRow, ...]:
        """What was found since it was last asked for."""
        found, self.found = tuple(self.found), []
        return found


def listed(names: Iterable[str]) -> str:
    """The first of them, in a row."""
    every = list(names)
    return ", ".join(every[:MOST_NAMED]) + (f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else "")


def header_of(source: str, names: list[str]) -> list[str]:
    """Column names, trimmed; one without a name is called by its place. Raises DataError for a name that comes twice."""
    header = [name.strip() or f"column_{i}" for i, name in enumerate(names, start=1)]
    counts = Counter(header)
    doubled = sorted(name for name in counts if counts[name] > 1)
    if doubled:
        named = ", ".join(doubled[:5]) + (" and others" if len(doubled) > 5 else "")
        raise DataError(f"{source}: the header names {named} more than once.", "Rename one of the columns.")
    return header


def concatenate(tables: list[Table]) -> Table:
    """Several tables as one. A column that some lack is empty there; rows are numbered on from file to file, as a note says."""
    tables = [table for table in tables if len(table)] or tables[:1]
    if len(tables) == 1:
        return tables[0]
    tables = [tables[0], *(table.spelled_like(tables[0].columns) for table in tables[1:])]
    names = list(dict.fromkeys(name for table in tables for name in table.columns))
    columns: dict[str, list[str]] = {name: [] for name in names}
    rows: list[IntArray] = []
    notes: list[str] = []
    bad: list[BadRow] = []
    offset = 0
    for table in tables:
        for name in names:
            columns[name] += table.columns.get(name) or [""] * len(table)
        rows.append(table.row + offset)
        bad += [replace(b, row=b.row + offset) for b in table.bad_rows]
        notes += table.notes
        if lacking := [name for name in names if name not in table.columns]:
            notes.append(f"{table.source} lacks the columns {', '.join(lacking)}: they are empty there.")
        notes.append(f"{table.source}: rows {table.row[0] + offset} to {table.row[-1] + offset}")
        offset += int(max([table.row[-1], *(b.row for b in table.bad_rows)]))
    nested = {name: f"{table.source}: {what}" for table in reversed(tables) for name, what in table.nested.items()}
    return Table(", ".join(t.source for t in tables), columns, np.concatenate(rows), tuple(notes), tuple(bad), nested)


def is_missing(value: object) -> bool:
    """Whether a value of Python stands for none: None, nan, pandas' NA and NaT."""
    if value is None:
        return True
    try:
        return bool(value != value)  # noqa: PLR0124
    except (TypeError, ValueError):  # pandas' NA refuses to be true or false
        return True


def as_text(value: object) -> str:
    """A cell as text: whole numbers without a decimal point, nothing for what stands for a missing value."""
    if isinstance(value, str):
        # Half of a surrogate pair, as cut tweets have them in JSON, is no character.
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if is_missing(value):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
