"""Where words begin and end: a run of letters and digits, any other sign, a character of a script without blanks."""

import numpy as np
import pytest

from superfine.data.words import word_of_tokens, words_of


def read(text):
    return [text[start:end] for start, end in words_of([text]).values]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It's the U.S. of A", ["It", "'", "s", "the", "U", ".", "S", ".", "of", "A"]),
        ("我在New York", ["我", "在", "New", "York"]),
        ("カタカナ3", ["カ", "タ", "カ", "ナ", "3"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("रam ❤️ok 👍🏽!", ["रam", "❤️", "ok", "👍🏽", "!"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        (" \u0301a", ["\u0301", "a"]),
        ("  two\n\tlines ", ["two", "lines"]),
        ("", []),
        ("   ", []),
    ],
)
def test_words(text, words):
    assert read(text) == words


def test_words_of_several_texts_are_those_of_each():
    texts = ["a b", "", " c", "我d", "e"]
    together = words_of(texts)
    assert together.lengths.tolist() == [2, 0, 1, 2, 1]
    for i, text in enumerate(texts):
        assert together.take(np.array([i])).values.tolist() == words_of([text]).values.tolist()


def test_the_last_word_of_a_text_does_not_run_on_into_the_next():
    assert words_of(["ab", "cd"]).values.tolist() == [[0, 2], [0, 2]]


def test_tokens_belong_to_the_word_that_they_begin_in():
    words = words_of(["ab cd", "ef"])
    offsets = np.array([[0, 0], [0, 1], [1, 2], [3, 5], [0, 0], [0, 2], [2, 2]])
    text = np.array([0, 0, 0, 0, 1, 1, 1])
    assert word_of_tokens(words, offsets, text).tolist() == [-1, 0, 0, 1, -1, 2, -1]


def test_without_words_no_token_belongs_to_one():
    assert word_of_tokens(words_of(["", " "]), np.array([[0, 0]]), np.array([1])).tolist() == [-1]
