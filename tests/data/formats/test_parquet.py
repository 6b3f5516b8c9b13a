"""Parquet as databases write it: structures, lists, bytes, and values that Python has no name for."""

import io

import pyarrow
import pyarrow.parquet
import pytest

from superfine.data.columns import choose_columns, to_examples
from superfine.data.files import File
from superfine.data.read import read_file
from superfine.data.table import ReadOptions
from superfine.errors import DataError


def read(columns):
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream)
    return read_file(File("it.parquet", ".parquet", content=stream.getvalue()), ReadOptions())


def test_structures_are_columns_by_their_path_and_lists_of_one_are_values():
    table = read({"doc": [{"text": "a", "id": 1}, {"text": "b", "id": 2}], "label": [["x"], []]})
    assert table.columns == {"doc.text": ["a", "b"], "doc.id": ["1", "2"], "label": ["x", ""]}


def test_lists_of_several_are_refused_as_a_class():
    table = read({"text": ["a", "b", "c"], "label": [["x"], ["x", "y"], ["y"]]})
    with pytest.raises(DataError, match='"label" has values that hold several: row 2'):
        to_examples(table, choose_columns(table, ["text"], label=["label"]))


def test_bytes_are_text_where_they_are_utf8_and_named_where_they_are_not():
    assert read({"text": [b"a", "好".encode()], "label": ["x", "y"]}).columns["text"] == ["a", "好"]
    with pytest.raises(DataError, match='column "text" holds bytes that are not UTF-8, the first in row 2'):
        read({"text": [b"a", b"\xff\xfe"], "label": ["x", "y"]})


def test_a_string_that_is_not_utf8_is_named():
    bad = pyarrow.Array.from_buffers(pyarrow.string(), 2, [None, pyarrow.py_buffer(b"\0\0\0\0\1\0\0\0\3\0\0\0"), pyarrow.py_buffer(b"a\xff\xfe")])  # fmt: skip
    with pytest.raises(DataError, match='column "text" holds bytes that are not UTF-8, the first in row 2'):
        read({"text": bad, "label": ["x", "y"]})


def test_dates_out_of_reach_are_text():
    far = pyarrow.array([2**61, 0], pyarrow.timestamp("us"))
    table = read({"text": ["a", "b"], "when": far})
    assert table.columns["when"][1].startswith("1970-01-01")
    assert len(table.columns["when"]) == 2
