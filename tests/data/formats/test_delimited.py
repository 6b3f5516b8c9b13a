"""Delimited text: delimiters are found, quotation marks are honoured where they are meant, and broken records cost only themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superfine.data.files import File
from superfine.data.read import read_file
from superfine.data.table import ReadOptions
from superfine.errors import DataError


def read(content, ending=".csv", **options):
    content = content if isinstance(content, bytes) else content.encode()
    return read_file(File("it", ending, content=content), ReadOptions(**options))


def test_quoted_commas_line_breaks_and_unicode_are_kept():
    table = read('text,label\n"one, two\nthree",好\nfour,b\n')
    assert table.columns == {"text": ["one, two\nthree", "four"], "label": ["好", "b"]}
    assert table.row.tolist() == [2, 3]


def test_a_line_for_excel_is_no_row_and_blank_lines_before_the_header_are():
    assert read("sep=;\ntext;label\na;b\n").row.tolist() == [2]
    table = read("\n\ntext;label\na;b\n")
    assert table.columns == {"text": ["a"], "label": ["b"]}
    assert table.row.tolist() == [4]


def test_delimiters_inside_a_quoted_header_do_not_count():
    assert list(read('"a; b; c",label\nx,y\n').columns) == ["a; b; c", "label"]


def test_a_byte_order_mark_does_not_become_part_of_the_first_column():
    assert list(read("\ufefftext,label\na,b\n").columns) == ["text", "label"]


@pytest.mark.parametrize(("delimiter", "word"), [(";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_the_delimiter_is_found_and_said(delimiter, word):
    table = read(f"text{delimiter}label\nx, y{delimiter}b\nz, a, b{delimiter}c\n")
    assert table.columns == {"text": ["x, y", "z, a, b"], "label": ["b", "c"]}
    assert table.notes == (f"it: fields parted by {word}",)


def test_the_delimiter_can_be_named():
    assert read("text^label\nx,y^b\n", delimiter="^").columns == {"text": ["x,y"], "label": ["b"]}


def test_a_lone_quotation_mark_in_tab_separated_text_is_a_character():
    assert read('text\tlabel\n5" screen\tb\n"big" and "small"\tc\n', ".tsv").columns["text"] == ['5" screen', '"big" and "small"']


def test_tab_separated_text_that_is_quoted_throughout_is_unquoted():
    assert read('text\tlabel\n"a ""b"" c"\t"x"\nd\te\n', ".tsv").columns == {"text": ['a "b" c', "d"], "label": ["x", "e"]}


def test_a_file_without_a_last_line_break_is_whole():
    assert read('text,label\na,b\nc,"d"').columns["label"] == ["b", "d"]


def test_broken_records_are_skipped_on_request_and_listed():
    content = 'text,label\na,x\ntoo,many,fields\nb,y\nnul\0,z\n"never closed,x\nc,x\nd,y\n'
    table = read(content, skip_bad_rows=True)
    assert table.columns == {"text": ["a", "b", "c", "d"], "label": ["x", "y", "x", "y"]}
    assert table.row.tolist() == [2, 4, 7, 8]
    assert [(bad.row, bad.line, bad.reason) for bad in table.bad_rows] == [
        (3, 3, "has 3 fields, the header has 2"),
        (5, 5, "holds a NUL byte"),
        (6, 6, "opens a quotation mark that is never closed"),
    ]
    assert table.bad_rows[2].begins == '"never closed,x'


def test_a_stray_quotation_mark_before_thousands_of_rows_costs_one_row():
    rows = [f"text {i},{'xy'[i % 2]}" for i in range(5000)]
    rows[10] = '"' + rows[10]
    table = read("text,label\n" + "\n".join(rows), skip_bad_rows=True)
    assert len(table) == 4999
    assert [bad.row for bad in table.bad_rows] == [12]


@given(
    st.lists(st.tuples(st.text('ab,;\t"\n|é好', max_size=8), st.sampled_from("xy")), min_size=3, max_size=30),
    st.sampled_from(",;|"),
)
def test_what_csv_writes_is_read_back(rows, delimiter):
    import csv
    import io

    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["text", "label"])
    writer.writerows(rows)
    table = read(stream.getvalue(), delimiter=delimiter)
    assert table.columns == {"text": [text for text, _ in rows], "label": [label for _, label in rows]}
    assert np.array_equal(table.row, np.arange(2, len(rows) + 2))


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b'"text,label\na,b\nc,d\n', {"skip_bad_rows": True}, "the header opens a quotation mark"),
        (b"t\xffxt,label\na,b\n", {"encoding": "utf-8"}, "the header holds bytes that are not UTF-8"),
        (b"text,label\n\xff,b\na,b\n", {"encoding": "utf-8"}, "row 2 holds bytes that are not UTF-8"),
    ],
)
def test_a_broken_header_and_bytes_that_are_not_what_they_are_said_to_be_are_refused(content, options, message):
    with pytest.raises(DataError, match=message):
        read(content, **options)
