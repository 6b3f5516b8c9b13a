"""CoNLL columns: sentences become rows with a text and the spans that their tags mark."""

import json
import re

import pytest

from superfine.data.read import read_pieces, read_table
from superfine.data.table import ReadOptions
from superfine.errors import DataError


def read(tmp_path, content, name="words.conll", **options):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return read_table(path, ReadOptions(**options))


def spans(table, i=0):
    text, cell = table.columns["text"][i], table.columns["label"][i]
    return [(text[one["start"] : one["end"]], one["label"]) for one in json.loads(cell or "[]")]


def lines(*pairs):
    return "".join(f"{word}\t{tag}\n" for word, tag in pairs)


def test_sentences_become_rows_numbered_by_their_first_lines(tmp_path):
    content = lines(("I", "O"), ("saw", "O"), ("New", "B-place"), ("York", "I-place")) + "\n\n" + lines(("Nothing", "O"))
    table = read(tmp_path, "-DOCSTART- -X- O\n\n" + content)
    assert table.columns["text"] == ["I saw New York", "Nothing"]
    assert spans(table) == [("New York", "place")]
    assert table.columns["label"][1] == "[]", "no span is an answer; no value would be none"
    assert table.row.tolist() == [3, 9]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["B-x", "I-x", "O", "B-x"], ["a b", "d"]),  # IOB2
        (["I-x", "I-x", "B-x", "I-x"], ["a b", "c d"]),  # IOB1
        (["B-x", "E-x", "S-x", "S-x"], ["a b", "c", "d"]),  # BIOES
        (["B-x", "I-x", "L-x", "U-x"], ["a b c", "d"]),  # BILOU
        (["B-x", "M-x", "E-x", "W-x"], ["a b c", "d"]),  # BMEWO
        (["B-x", "B-x", "I-y", "O"], ["a", "b", "c"]),
        (["B_x", "I_x", "O", "O"], ["a b"]),
    ],
)
def test_every_usual_scheme_of_tags(tmp_path, tags, expected):
    table = read(tmp_path, lines(*zip("abcd", tags, strict=True)).replace("a\t", "a\t"))
    text = "abcd"  # single characters are put together
    found = [text[one["start"] : one["end"]] for one in json.loads(table.columns["label"][0])]
    assert found == [span.replace(" ", "") for span in expected]


def test_tags_without_a_beginning_are_repaired_and_counted(tmp_path):
    table = read(tmp_path, lines(("He", "O"), ("Bob", "I-name"), ("met", "O"), ("Ann", "B-name"), ("now", "O")))
    assert spans(table) == [("Bob", "name"), ("Ann", "name")]
    assert any("1 spans have no beginning" in note for note in table.notes)


def test_where_spans_usually_begin_with_an_inside_nothing_is_repaired(tmp_path):
    table = read(tmp_path, lines(("He", "O"), ("Bob", "I-name"), ("met", "O"), ("Ann", "I-name")))
    assert not any("no beginning" in note for note in table.notes)


def test_chinese_is_put_together_without_blanks_and_the_digit_behind_a_character_is_left_out(tmp_path):
    table = read(tmp_path, lines(("李0", "B-PER"), ("开1", "I-PER"), ("复2", "I-PER"), ("在0", "O"), ("京0", "B-LOC")))
    assert table.columns["text"] == ["李开复在京"]
    assert spans(table) == [("李开复", "PER"), ("京", "LOC")]
    words = read(tmp_path, lines(("我们", "O"), ("在", "O"), ("New", "B-LOC"), ("York", "I-LOC"), ("北京", "B-LOC")))
    assert words.columns["text"] == ["我们在 New York 北京"]


def test_other_columns_between_word_and_tag_and_remarks_are_passed_over(tmp_path):
    table = read(tmp_path, "# id = 1\n# text = blood group O\nBob NNP B-NP B-name\nran VBD B-VP O\n# SYM O O\n")
    assert table.columns["text"] == ["Bob ran #"]
    assert spans(table) == [("Bob", "name")]


def test_a_file_of_another_ending_is_told_by_its_first_lines(tmp_path):
    content = lines(("I", "O"), ("saw", "O"), ("Bob", "B-name")) + "\n" + lines(("Hi", "O"))
    assert read(tmp_path, content, "words.txt").columns["text"] == ["I saw Bob", "Hi"]
    assert [len(piece) for piece in read_pieces(tmp_path / "words.txt", ReadOptions(), 1)] == [1, 1]
    table = read(tmp_path, "text\tlabel\nfine\tgood\n\nbad\tpoor\n", "plain.tsv")
    assert list(table.columns) == ["text", "label"]


def test_lines_without_a_tag_are_refused_or_left_out_with_their_sentence(tmp_path):
    content = lines(("I", "O"), ("Bob", "B-name")) + "\n" + "lonely\n" + lines(("Ann", "B-name")) + "\n" + lines(("x", "O"))
    with pytest.raises(DataError, match=r"(?s)row 4 has a line with 1 column, others have 2.*--bad-rows skip"):
        read(tmp_path, content)
    table = read(tmp_path, content, skip_bad_rows=True)
    assert table.columns["text"] == ["I Bob", "x"]
    assert len(table.bad_rows) == 1


def test_words_without_tags_are_texts_to_predict(tmp_path):
    table = read(tmp_path, "I\nsaw\nBob\n\nHello\n")
    assert table.columns == {"text": ["I saw Bob", "Hello"]}


def test_tags_that_mark_no_spans_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"the tag \"NOUN\" in the sentence of line 1 has no position, and no tag is O"):
        read(tmp_path, lines(("dogs", "NOUN"), ("bark", "VERB")))


@pytest.mark.parametrize(
    ("tag", "why"),
    [
        ("B-", "has no type"),
        ("I", "has no type"),
        ("X-name", "begins with X, which is no position"),
        ("name", "has no position, and others have one, such as B-name"),
        ("B-name|B-place", "names several spans"),
    ],
)
def test_a_tag_that_cannot_be_read_is_refused_with_its_sentence(tmp_path, tag, why):
    content = lines(("I", "O"), ("Bob", "B-name")) + "\n" + lines(("me", "O"), ("Ann", tag))
    with pytest.raises(DataError, match=rf'"{re.escape(tag)}" in the sentence of line 4 {re.escape(why)}'):
        read(tmp_path, content)


def test_tags_in_small_letters_are_tags(tmp_path):
    table = read(tmp_path, lines(("I", "o"), ("New", "b-place"), ("York", "i-place")))
    assert spans(table) == [("New York", "place")]


def test_blanks_other_than_space_and_tab_part_no_columns_and_a_word_of_blanks_is_left_out(tmp_path):
    table = read(tmp_path, "New\u00a0York B-place\n\u3000 O\nis O\n")
    assert spans(table) == [("New\u00a0York", "place")]
    assert table.columns["text"] == ["New\u00a0York is"]
    with pytest.raises(DataError, match=r"row 1 .line 2. has a line with 3 columns, others have 2"):
        read(tmp_path, "I O\nNew York B-place\nis O\n")


def test_a_column_that_numbers_the_words_is_not_taken_for_them(tmp_path):
    table = read(tmp_path, "1\tBob\tB-name\n2\tran\tO\n\n1\tHi\tO\n")
    assert table.columns["text"] == ["Bob ran", "Hi"]


def test_a_long_beginning_without_spans_or_breaks_is_told_too(tmp_path):
    content = lines(*[(f"word{i}", "O") for i in range(400)]) + "\n" + lines(("Bob", "B-name"))
    assert spans(read(tmp_path, content, "words.tsv"), 1) == [("Bob", "name")]
