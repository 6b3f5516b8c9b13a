"""Workbooks as offices write them: titles, merged cells, hidden sheets, formulas, and cells at the end of the world."""

import io

import openpyxl
import pytest

from superfine.data.files import File
from superfine.data.read import read_file
from superfine.data.table import ReadOptions
from superfine.errors import DataError

HEADER, ROWS = ["text", "label"], [["good thing", "pos"], ["bad thing", "neg"], ["fine thing", "pos"]]


def read(fill, **options):
    book = openpyxl.Workbook()
    fill(book)
    stream = io.BytesIO()
    book.save(stream)
    return read_file(File("it.xlsx", ".xlsx", content=stream.getvalue()), ReadOptions(**options))


def fill(sheet, *rows):
    for row in rows or [HEADER, *ROWS]:
        sheet.append(row)


def test_title_rows_above_the_header_are_left_out_and_said():
    def titled(book):
        fill(book.active, ["Reviews of the year"], [], ["confidential"], HEADER, *ROWS)
        book.active.merge_cells("A1:B1")

    table = read(titled)
    assert table.columns == {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]}
    assert table.row.tolist() == [5, 6, 7]
    assert table.notes == ("it.xlsx: the header is row 4; what stands above it, in row 1, 3, is left out",)


def test_merged_labels_are_filled_down():
    def merged(book):
        fill(book.active, ["label", "text"], *[["pos" if i < 3 else "neg", f"text {i}"] for i in range(6)])
        book.active.merge_cells("A2:A4")
        book.active.merge_cells("A5:A7")

    assert read(merged).columns["label"] == ["pos"] * 3 + ["neg"] * 3


def test_hidden_sheets_are_skipped_and_a_sheet_without_a_table_too():
    def several(book):
        book.active.title = "secret"
        fill(book.active, ["a", "b"], ["1", "2"], ["3", "4"])
        book.active.sheet_state = "hidden"
        fill(book.create_sheet("cover"), ["What is in here"])
        fill(book.create_sheet("data"))
        fill(book.create_sheet("more"))

    table = read(several)
    assert list(table.columns) == HEADER
    assert table.notes == ('it.xlsx: sheet "data" is read, not cover, more; another one: --sheet NAME',)
    assert read(several, sheet="secret").columns == {"a": ["1", "3"], "b": ["2", "4"]}


def test_a_workbook_without_a_header_has_columns_by_number():
    assert read(lambda book: fill(book.active, *ROWS), has_header=False).columns["2"] == ["pos", "neg", "pos"]


def test_formulas_without_a_value_are_named():
    table = read(lambda book: fill(book.active, HEADER, ["a", "=A1"], ["b", "y"]))
    assert table.columns["label"] == ["", "y"]
    assert table.notes[0].startswith("it.xlsx: B2 holds a formula whose value was never computed")


def test_a_cell_at_the_end_of_the_sheet_is_refused_with_its_place():
    def far(book):
        fill(book.active)
        book.active["XFD1048576"] = "x"

    with pytest.raises(DataError, match="far away from the table, at XFD1048576"):
        read(far)


def test_a_protected_workbook_and_one_without_sheets_are_said(monkeypatch):
    import python_calamine

    class Empty:
        sheet_names: list[str] = []
        sheets_metadata: list[object] = []

    class Locked:
        @staticmethod
        def from_filelike(_):
            raise python_calamine.PasswordError("workbook is password protected")

    content = b"\xd0\xcf\x11\xe0 of some kind"
    with pytest.raises(DataError, match=r"is no workbook that can be read|is protected"):
        read_file(File("it.xls", ".xls", content=content), ReadOptions())
    monkeypatch.setattr(python_calamine, "CalamineWorkbook", Locked)
    with pytest.raises(DataError, match="is protected by a password"):
        read_file(File("it.xls", ".xls", content=content), ReadOptions())
    monkeypatch.setattr(Locked, "from_filelike", staticmethod(lambda _: Empty()))
    with pytest.raises(DataError, match="a workbook without sheets"):
        read_file(File("it.xls", ".xls", content=content), ReadOptions())
