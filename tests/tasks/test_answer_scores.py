"""Exact match and F1 as the official scripts count them, on cases worked out by hand."""

import pytest

from superfine.tasks.answer_scores import counts_by_characters, score_answer


@pytest.mark.parametrize(
    ("said", "golds", "exact", "f1"),
    [
        ("the Eiffel Tower", ["Eiffel Tower"], 1.0, 1.0),  # articles do not count
        ("Eiffel tower!", ["the eiffel tower."], 1.0, 1.0),  # nor case and punctuation
        ("in the Eiffel Tower", ["Eiffel Tower"], 0.0, 0.8),  # 2 of 3 and 2 of 2 words
        ("Paris", ["London", "Paris, France"], 0.0, 2 / 3),  # the best of several
        ("London", ["Paris"], 0.0, 0.0),
        ("new york new york", ["new york"], 0.0, 2 / 3),  # a word counts as often as both have it
        ("", [], 1.0, 1.0),  # rightly none
        ("Paris", [], 0.0, 0.0),
        ("", ["Paris"], 0.0, 0.0),
        ("the", ["a"], 1.0, 1.0),  # nothing is left of either
        ("the", ["Paris"], 0.0, 0.0),
        ("U.S.", ["US"], 1.0, 1.0),
        ("twenty-one", ["twenty one"], 0.0, 0.0),  # a hyphen goes, and makes one word
    ],
)
def test_words_are_counted_as_squad_does(said, golds, exact, f1):
    assert score_answer(said, golds, by_characters=False) == pytest.approx((exact, f1))


@pytest.mark.parametrize(
    ("said", "golds", "exact", "f1"),
    [
        ("光荣和ω-force", ["光荣和ω-force"], 1.0, 1.0),
        ("《战国无双》", ["战国无双"], 1.0, 1.0),  # punctuation does not count
        ("1963年", ["1963年被任为主教"], 0.0, 2 * 2 / (2 + 7)),  # a number is one segment
        ("北京大学", ["大学"], 0.0, 2 * 2 / 6),
        ("学大", ["大学"], 0.0, 0.5),  # the longest common run is one character
        ("上海", ["北京"], 0.0, 0.0),
        ("Windows系统", ["windows系统"], 1.0, 1.0),
        ("", [], 1.0, 1.0),
    ],
)
def test_characters_are_counted_as_cmrc_does(said, golds, exact, f1):
    assert score_answer(said, golds, by_characters=True) == pytest.approx((exact, f1))


def test_a_context_tells_which_way_it_is_counted():
    assert counts_by_characters("范廷颂枢机，圣名保禄·若瑟 (Paul Joseph)")
    assert not counts_by_characters("The answer is in English, but for one word: 你好.")
    assert not counts_by_characters("")
