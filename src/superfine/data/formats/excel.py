"""Workbooks of Excel and LibreOffice: the first sheet that holds something, or the one that is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from superfine.data.files import File
from superfine.data.table import ReadOptions, Table, as_text, header_of
from superfine.errors import DataError
from superfine.extras import require


def read_excel(file: File, options: ReadOptions) -> Table:
    """`row` is the number that the spreadsheet shows; the header is the first row that holds something."""
    calamine = require("files", "python_calamine")
    with file.binary() as stream:
        try:
            book = calamine.CalamineWorkbook.from_filelike(stream)
            name, sheet = _first_filled(book, _names(book, file, options))
        except calamine.CalamineError as error:
            raise DataError(f"{file.source} is no workbook that can be read: {error}.", "Save it again, or as CSV.") from None
    cells = [[as_text(value) for value in row] for row in sheet]
    rows = [i for i, row in enumerate(cells) if _filled(row)]
    if not rows:
        return Table(file.source, {}, np.zeros(0, dtype=np.int64))
    # Columns that hold nothing at all, as spreadsheets have them at their right, are no columns.
    kept = [c for c in range(len(cells[0])) if any(cells[r][c].strip() for r in rows)]
    header = header_of(file.source, [cells[rows[0]][c] for c in kept])
    columns = {name: [cells[r][c] for r in rows[1:]] for name, c in zip(header, kept, strict=True)}
    others = [other for other in book.sheet_names if other != name]
    notes = (f'{file.source}: sheet "{name}" is read, not {", ".join(others)}; another one: --sheet NAME',) if others else ()
    return Table(file.source, columns, np.array([r + 1 for r in rows[1:]], dtype=np.int64), () if options.sheet else notes)


def _first_filled(book: Any, names: list[str]) -> tuple[str, list[list[object]]]:
    """Name and cells of the first sheet that holds something, or of the first one; the sheets behind it are not read."""
    for name in names:
        cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
        if any(_filled(row) for row in cells):
            return name, cells
    return names[0], []


def _names(book: object, file: File, options: ReadOptions) -> list[str]:
    names: list[str] = book.sheet_names  # type: ignore[attr-defined]
    if options.sheet is None:
        return names
    if options.sheet not in names:
        raise DataError(f'{file.source} has no sheet "{options.sheet}".', f"Its sheets are: {', '.join(names)}.")
    return [options.sheet]


def _filled(row: Sequence[object]) -> bool:
    return any(str(value).strip() for value in row if value is not None)
