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


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('text,label\n"He said \\"yes, now\\" and left",a\nplain,b\n', ['He said "yes, now" and left', "plain"]),
        ('text,label\n"C:\\new\\",b\n"x",a\n"y",a\n', ["C:\\new\\", "x", "y"]),
        ('text,label\n"say \\"hi\\" to C:\\new, please",a\n"z",b\n', ['say "hi" to C:\\new, please', "z"]),
        ('text,label\n"a ""doubled"" one, too",a\nb,b\n', ['a "doubled" one, too', "b"]),
    ],
)
def test_backslashes_before_quotation_marks_are_found_and_other_backslashes_stay(content, texts):
    assert read(content).columns["text"] == texts


def test_quote_and_escape_can_be_named():
    table = read("text,label\n'one, two',a\n'it^'s, well',b\n", quote="'", escape="^")
    assert table.columns["text"] == ["one, two", "it's, well"]


def test_a_quoted_text_of_thousands_of_lines_is_one_text():
    text = "\n".join(f"line {i} of a long mail, with a comma" for i in range(3000))
    table = read(f'text,label\nx,a\n"{text}",b\ny,a\n')
    assert table.columns == {"text": ["x", text, "y"], "label": ["a", "b", "a"]}


def test_the_inside_of_a_broken_field_never_becomes_rows():
    good = "".join(f"text {i},{'xy'[i % 2]}\n" for i in range(30))
    inside = 'he said "hi" there\nand, on the next line, more\nbut one, comma\nthe end",x\n'
    table = read(f'text,label\n{good}"it begins\n{inside}last,y\n', skip_bad_rows=True)
    assert table.columns["text"] == [f"text {i}" for i in range(30)] + ["last"]
    assert [(bad.row, bad.line) for bad in table.bad_rows] == [(32, 32)]
    assert "behind a closing quotation mark" in table.bad_rows[0].reason


def test_a_field_that_is_never_closed_costs_what_is_inside_of_it():
    good = "".join(f"text {i},{'xy'[i % 2]}\n" for i in range(30))
    table = read(f'text,label\n{good}"a mail, cut off\nhello there\nbye, bye, bye\nlove, anna\n', skip_bad_rows=True)
    assert len(table) == 30
    assert [bad.reason for bad in table.bad_rows] == ["opens a quotation mark that is never closed"]


def test_stray_marks_in_many_rows_cost_those_rows():
    rows = [f"text {i},{'xy'[i % 2]}" for i in range(4000)]
    for i in range(100, 4000, 37):
        rows[i] = '"' + rows[i]
    table = read("text,label\n" + "\n".join(rows) + "\n", skip_bad_rows=True)
    kept = {int(text.split()[-1]) for text in table.columns["text"] if "\n" not in text}
    assert kept >= set(range(100))
    assert len(table.bad_rows) + len(table) + sum(text.count("\n") for text in table.columns["text"]) == 4000


def test_rows_that_a_mark_pulled_into_one_text_are_pointed_out():
    rows = [f"text {i},{'xy'[i % 2]}" for i in range(60)]
    rows[30], rows[40] = '"' + rows[30], '5"' + ",y"
    table = read("text,label\n" + "\n".join(rows) + "\n")
    assert any(note.startswith("it: row 32 spans 11 lines that look like rows") for note in table.notes)
    mail = "\n".join(["Dear all,", "we meet at noon, as said.", "Bring cake, please.", "Yours, Ann", "PS: no nuts, thanks"])
    table = read("text,label\n" + "\n".join(rows[:30]) + f'\n"{mail}",x\n')
    assert table.notes == ()


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("text,label,\na,x\nb,y,\n", {"text": ["a", "b"], "label": ["x", "y"], "column_3": ["", ""]}),
        ("text,label,note\na,x\nb,y\n", {"text": ["a", "b"], "label": ["x", "y"], "note": ["", ""]}),
        ("text,label\na,x,,\nb,y\n", {"text": ["a", "b"], "label": ["x", "y"]}),
    ],
)
def test_empty_fields_at_the_end_may_be_missing_or_too_many(content, columns):
    assert read(content).columns == columns


def test_a_row_without_its_label_is_still_broken():
    with pytest.raises(DataError, match="row 3 has 1 fields"):
        read("text,label\na,x\nb\nc,y\n")


def test_columns_of_a_file_without_a_header_are_called_by_their_numbers():
    table = read("good one,x\nbad one,y\n", has_header=False)
    assert table.columns == {"1": ["good one", "bad one"], "2": ["x", "y"]}
    assert table.row.tolist() == [1, 2]
