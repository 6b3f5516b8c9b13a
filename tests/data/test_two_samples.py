"""Texts of one kind cannot be told apart, those of two kinds can, and the words say by what."""

import random

from superfine.data.terms import TermIndex
from superfine.data.two_samples import tell_apart


def texts(words, n, seed):
    rng = random.Random(seed)
    return [" ".join(rng.choices(words, k=8)) for _ in range(n)]


COMMON = [f"word{i}" for i in range(200)]


def told(first, second):
    index = TermIndex()
    a, b = index.number(first), index.number(second)
    return tell_apart(a, b, index.names)


def test_texts_of_one_kind_are_not_told_apart():
    found = told(texts(COMMON, 400, 1), texts(COMMON, 300, 2))
    assert found.low < 0.5 < found.high
    assert 0.4 < found.auc < 0.6


def test_texts_of_two_kinds_are_and_the_words_say_by_what():
    found = told(texts(COMMON, 400, 1), texts([*COMMON, *["tomorrow"] * 60], 300, 2))
    assert found.low > 0.7
    assert found.words[0] == "tomorrow"


def test_too_few_say_nothing():
    assert told(texts(COMMON, 19, 1), texts(COMMON, 300, 2)) is None
