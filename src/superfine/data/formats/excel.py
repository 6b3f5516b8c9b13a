"""Workbooks of Excel and LibreOffice: the first visible sheet that holds a table, or the one that is named.

What calamine reads as an empty or an enormous sheet is looked for in the file beforehand: cells so far apart that a rectangle
around them fits no memory, and formulas whose values were never computed.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from superfine.data.files import File
from superfine.data.table import ReadOptions, Table, as_text, header_of
from superfine.errors import DataError, first_line
from superfine.extras import require

MOST_CELLS = 50_000_000
"""A rectangle of more cells is refused where nearly all of them are empty."""
FILLED_SHARE = 0.01
JUDGED_ROWS = 200
AS_WIDE = 0.6
"""A header fills this share of the cells that its rows fill. What stands above it is a title."""
CHUNK = 1 << 22
CELL = re.compile(rb'<c\b[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
UNCOMPUTED = re.compile(
    rb'<c\b[^>]*?\br="([A-Z]{1,3}[0-9]{1,7})"[^>]*>\s*<f\b(?:[^>]*/>|[^>]*>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>'
)
LONGEST_CELL = 1 << 16
"""So many bytes of a chunk are read again with the next one, so that no formula is cut."""


def read_excel(file: File, options: ReadOptions) -> Table:
    """`row` is the number that the spreadsheet shows. The header is the first row that is as wide as the table."""
    calamine = require("files", "python_calamine")
    with file.binary() as stream:
        uncomputed = _look_at_cells(file.source, stream)
        stream.seek(0)
        try:
            book = calamine.CalamineWorkbook.from_filelike(stream)
            sheet = _choose_sheet(book, file, options)
        except BaseException as error:
            _refuse_unreadable(file.source, error)
            raise
    notes: tuple[str, ...] = ()
    if sheet.others and not options.sheet:
        notes = (f'{file.source}: sheet "{sheet.name}" is read, not {", ".join(sheet.others)}; another one: --sheet NAME',)
    if uncomputed:
        notes += (
            f"{file.source}: {uncomputed[0]} holds a formula whose value was never computed, and is read as empty: "
            "open the workbook in a spreadsheet and save it.",
        )
    return _table(file.source, sheet, notes, has_header=options.has_header)


def _refuse_unreadable(source: str, error: BaseException) -> None:
    """Raises DataError for what calamine, or Rust below it, says of a workbook that cannot be read."""
    kind = type(error).__name__
    if kind == "PasswordError" or "password" in str(error).lower():
        raise DataError(f"{source} is protected by a password.", "Save a copy without one.") from None
    if kind == "PanicException" or (isinstance(error, Exception) and not isinstance(error, DataError | OSError | MemoryError)):
        raise DataError(f"{source} is no workbook that can be read: {first_line(error)}.", "Save it again, or as CSV.") from None


@dataclass
class _Sheet:
    """Its name, its cells as text, those of other visible sheets with something in them, and how far down single values reach."""

    name: str
    cells: list[list[str]]
    others: list[str] = field(default_factory=list)
    merged: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def filled(self) -> list[int]:
        """The rows that hold something."""
        return [i for i, row in enumerate(self.cells) if any(value.strip() for value in row)]

    @property
    def is_table(self) -> bool:
        """Whether two rows have two values at least."""
        return sum(_width(row) > 1 for row in self.cells) > 1


def _width(row: Sequence[str]) -> int:
    return sum(bool(value.strip()) for value in row)


def _table(source: str, sheet: _Sheet, notes: tuple[str, ...], *, has_header: bool) -> Table:
    rows = sheet.filled
    if not rows:
        return Table(source, {}, np.zeros(0, dtype=np.int64))
    head = _header_row(sheet, rows) if has_header else rows[0]
    if head != rows[0]:
        above = ", ".join(str(r + 1) for r in rows[: rows.index(head)][:5])
        notes += (f"{source}: the header is row {head + 1}; what stands above it, in row {above}, is left out",)
    _fill_down(sheet, head)
    rows = [r for r in sheet.filled if r >= head]
    # Columns that hold nothing at all, as spreadsheets have them at their right, are no columns.
    kept = [c for c in range(len(sheet.cells[0])) if any(sheet.cells[r][c].strip() for r in rows)]
    names = [sheet.cells[head][c] for c in kept] if has_header else [str(i) for i in range(1, len(kept) + 1)]
    rows = rows[1:] if has_header else rows
    columns = {name: [sheet.cells[r][c] for r in rows] for name, c in zip(header_of(source, names), kept, strict=True)}
    return Table(source, columns, np.array([r + 1 for r in rows], dtype=np.int64), notes)


def _header_row(sheet: _Sheet, rows: list[int]) -> int:
    """The first row nearly as wide as most rows are."""
    widths = Counter(_width(sheet.cells[r]) for r in rows[:JUDGED_ROWS])
    usual = max(widths, key=lambda width: (widths[width], width))
    return next((r for r in rows if _width(sheet.cells[r]) >= max(min(2, usual), AS_WIDE * usual)), rows[0])


def _fill_down(sheet: _Sheet, head: int) -> None:
    """The value of a cell that was merged with those below it stands in all of them."""
    for column, first, last in sheet.merged:
        for row in range(max(first, head) + 1, min(last, len(sheet.cells) - 1) + 1):
            if first > head and not sheet.cells[row][column].strip():
                sheet.cells[row][column] = sheet.cells[first][column]


def _choose_sheet(book: Any, file: File, options: ReadOptions) -> _Sheet:
    """The named sheet, or the first visible one that holds a table, or else something."""
    if options.sheet is not None:
        if options.sheet not in book.sheet_names:
            raise DataError(f'{file.source} has no sheet "{options.sheet}".', f"Its sheets are: {', '.join(book.sheet_names)}.")
        return _open(book, options.sheet)
    visible = [
        sheet.name for sheet in book.sheets_metadata if str(sheet.visible).endswith(".Visible") and "WorkSheet" in str(sheet.typ)
    ]
    names = visible or list(book.sheet_names)
    if not names:
        raise DataError(f"{file.source} is a workbook without sheets.", "Save it again, or as CSV.")
    something: _Sheet | None = None
    for name in names:
        sheet = _open(book, name)
        sheet.others = [other for other in names if other != name]
        if sheet.is_table:
            return sheet
        if something is None and sheet.filled:
            something = sheet
    return something or _Sheet(names[0], [])


def _open(book: Any, name: str) -> _Sheet:
    sheet = book.get_sheet_by_name(name)
    cells = [[as_text(value) for value in row] for row in sheet.to_python(skip_empty_area=False)]
    ranges = sheet.merged_cell_ranges or []
    down = [(c, top, bottom) for (top, left), (bottom, right) in ranges if bottom > top for c in range(left, right + 1)]
    return _Sheet(name, cells, merged=down)


def _look_at_cells(source: str, stream: IO[bytes]) -> list[str]:
    """Cells with a formula and no value, in a workbook of XML. Raises DataError where cells stand too far apart to be a table."""
    uncomputed: list[str] = []
    try:
        with zipfile.ZipFile(stream) as archive:
            for name in archive.namelist():
                if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                    with archive.open(name) as sheet:
                        uncomputed += _look_at_sheet(source, sheet)
    except DataError:
        raise
    except Exception:  # of another kind, or broken, for which zipfile has a dozen errors: the reader will say so
        pass
    return uncomputed


def _look_at_sheet(source: str, sheet: IO[bytes]) -> list[str]:
    found: dict[str, None] = {}
    count, bottom, right, corner = 0, 0, 0, ""
    for chunk in _overlapping(sheet):
        found |= dict.fromkeys(name.decode() for name in UNCOMPUTED.findall(chunk))
        for letters, digits in CELL.findall(chunk):
            row, column = int(digits), _column_number(letters)
            count += 1
            if row * column > bottom * right:
                corner = (letters + digits).decode()
            bottom, right = max(bottom, row), max(right, column)
    if bottom * right > MOST_CELLS and count < FILLED_SHARE * bottom * right:
        raise DataError(
            f"{source}: a cell stands far away from the table, at {corner}, and all between is empty.",
            "Delete the rows and columns outside of the table, or save it as CSV.",
        )
    return list(found)


def _overlapping(stream: IO[bytes]) -> Iterator[bytes]:
    """The stream in chunks that overlap, so that what is looked for is whole in one of them."""
    kept = b""
    while block := stream.read(CHUNK):
        yield kept + block
        kept = (kept + block)[-LONGEST_CELL:]


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number
