"""Texts become numbers of their words, alike in every text, in scripts with blanks and without."""

import numpy as np

from superfine.data.terms import TermIndex, binary_counts, pairs_of, written


def test_words_have_one_number_each_and_signs_and_characters_stand_alone():
    index = TermIndex()
    terms = index.number(["don't stop", "stop!", "中文abc", ""])
    assert index.names == ["don", "'", "t", "stop", "!", "中", "文", "abc"]
    assert [terms.values[a:b].tolist() for a, b in zip(terms.starts, terms.starts[1:], strict=False)] == [
        [0, 1, 2, 3],
        [3, 4],
        [5, 6, 7],
        [],
    ]


def test_an_emoticon_in_brackets_is_one_word():
    index = TermIndex()
    index.number(["好[泪][泪]"])
    assert index.names == ["好", "[泪]"]


def test_texts_are_numbered_alike_whatever_came_before():
    index = TermIndex()
    first, again = index.number(["b a"]), index.number(["a b"])
    assert first.values.tolist() == again.values.tolist()[::-1]


def test_pairs_stay_within_their_text():
    terms = TermIndex().number(["a b c", "d", "e f"])
    places, rows = pairs_of(terms)
    assert (places.tolist(), rows.tolist()) == ([0, 1, 4], [0, 0, 2])


def test_words_are_written_as_they_stand_in_a_text():
    index = TermIndex()
    terms = index.number(["how many 中文 don't"])
    assert written(index.names, terms.values.tolist()) == "how many中文don't"


def test_counts_say_which_words_a_text_has_once():
    index = TermIndex()
    matrix = binary_counts([index.number(["a a b"]), index.number(["c"])], 3)
    assert np.allclose(matrix.toarray(), [[2**-0.5, 2**-0.5, 0], [0, 0, 1]])
