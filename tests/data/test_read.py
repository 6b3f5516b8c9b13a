"""Files become columns with the row numbers of the user's file, and unusable files say what is wrong and where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from superfine.data.read import parse_text, read_table
from superfine.errors import DataError, InputError


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_csv_keeps_quoted_commas_line_breaks_and_unicode(tmp_path):
    table = read_table(write(tmp_path, "a.csv", 'text,label\n"one, two\nthree",好\nfour,b\n'))
    assert table.columns == {"text": ["one, two\nthree", "four"], "label": ["好", "b"]}
    assert table.row.tolist() == [2, 3]


def test_a_line_for_excel_and_blank_lines_before_the_header_are_passed_over(tmp_path):
    assert read_table(write(tmp_path, "a.csv", "sep=;\n\ntext;label\na;b\n")).columns == {"text": ["a"], "label": ["b"]}


def test_delimiters_inside_a_quoted_header_do_not_count(tmp_path):
    assert list(read_table(write(tmp_path, "a.csv", '"a; b; c",label\nx,y\n')).columns) == ["a; b; c", "label"]


def test_a_byte_order_mark_does_not_become_part_of_the_first_column(tmp_path):
    assert list(read_table(write(tmp_path, "a.csv", "\ufefftext,label\na,b\n")).columns) == ["text", "label"]


def test_semicolons_and_tabs_are_recognised(tmp_path):
    assert read_table(write(tmp_path, "a.csv", "text;label\nx, y;b\n")).columns["text"] == ["x, y"]
    assert read_table(write(tmp_path, "a.tsv", 'text\tlabel\n5" screen\tb\n')).columns["text"] == ['5" screen']


def test_jsonl_fills_absent_keys_and_counts_lines(tmp_path):
    table = read_table(write(tmp_path, "a.jsonl", '{"text": "x", "label": 1}\n\n{"text": "y", "extra": null}\n'))
    assert table.columns == {"text": ["x", "y"], "label": ["1", ""], "extra": ["", ""]}
    assert table.row.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "empty"),
        ("a.csv", "text,label\n", "header but no rows"),
        ("a.csv", "text,text\na,b\n", "more than once"),
        ("a.csv", 'label,text\na,x\nb,"unclosed\nc,y\nd,z\n', "opened in row 3 is never closed"),
        ("a.csv", "text,label\na,b\nc\n", "row 3 (line 3) has 1 fields"),
        ("a.csv", b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "not UTF-8"),
        ("a.csv", "text,label\n好,b\n".encode("gb18030"), "not UTF-8"),
        ("a.xyz", "text", 'end in ".xyz"'),
        ("a.csv", 'text,label\n"a' + "\n" * 1001 + 'b",c\n', "stray quotation mark"),
        ("a.jsonl", '{"text": ' + "9" * 5000 + "}\n", "line 1 is not JSON"),
        ("a.csv", "text,label\na,b\n".encode("utf-16"), "ENCODING is UTF-16"),
        ("a.jsonl", '{"text": 1}\n[1]\n', "line 2 is not a JSON object"),
        ("a.jsonl", '{"text": 1\n', "line 1 is not JSON"),
    ],
)
def test_an_unusable_file_is_named_with_the_place(tmp_path, name, content, message):
    path = write(tmp_path, name, content)
    with pytest.raises(DataError) as error:
        read_table(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    assert read_table(write(tmp_path, "a.jsonl", '{"text": "hi \\ud83d", "label": "\\ud83d\\ude00"}\n')).columns == {
        "text": ["hi \ufffd"],
        "label": ["\U0001f600"],
    }


def test_a_file_without_a_last_line_break_is_whole(tmp_path):
    assert read_table(write(tmp_path, "a.csv", 'text,label\na,b\nc,"d"')).columns["label"] == ["b", "d"]


def test_a_missing_file_and_a_folder_are_said_to_be_so(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)


@given(st.text(max_size=300), st.sampled_from([".csv", ".tsv", ".jsonl"]))
def test_any_text_is_read_or_refused_but_never_crashes(text, ending):
    try:
        table = parse_text("it", text, ending)
    except InputError:
        return
    assert all(len(column) == len(table) for column in table.columns.values())
