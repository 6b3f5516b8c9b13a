"""Labels that look the same are one class; those that do not stay apart, and doubtful ones are said."""

import pytest

from superfine.data.columns import choose_columns, to_examples
from superfine.data.labels import Spelling, label_order, merge_key, number_key, repr_label, visible
from superfine.data.read import read_table


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        ("pos\u200b", "pos"),
        ("\ufeffpos", "pos"),
        ("p\u00ados", "pos"),
        ("\u202apos\u202c", "pos"),
        ("好\u200d评", "好评"),
        ("po\u200cs", "pos"),
        ("pos\u3164", "pos"),
        ("pos\u00a0", "pos"),
        ("very\u00a0good", "very good"),
        ("very\u3000good", "very good"),
        ("tag\U000e0041", "tag"),
        ("gut\x00", "gut"),
        ("cafe\u0301", "café"),
        ("\u200b", ""),
        ("❤\ufe0f", "❤"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("क्\u200dष", "क्\u200dष"),
    ],
)
def test_a_label_is_what_one_sees_of_it(written, seen):
    assert visible(written) == seen


@pytest.mark.parametrize(("one", "other"), [("0", "0.0"), ("1", "1.0"), ("-2", "-2.0")])
def test_whole_numbers_with_and_without_point_are_one_class(one, other):
    assert number_key(one) == number_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.1", "1.10"),
        ("007", "7"),
        ("1_0", "10"),
        ("inf", "infinity"),
        ("1e1", "10"),
        ("1.00", "1"),
        ("7.0", "007"),
        ("nan", "NaN "[:3]),
        ("٣", "3"),
    ],
)
def test_what_only_a_parser_of_numbers_takes_for_equal_is_two_classes(one, other):
    assert number_key(one) != number_key(other)
    assert len(set(Spelling.learn([one, other]).classes.values())) == 2


def test_classes_sort_by_value_where_they_are_numbers_and_nothing_else_is_a_number():
    assert sorted(["10", "9", "1_0", "inf", "1.5", "a"], key=label_order) == ["1.5", "9", "10", "1_0", "a", "inf"]


@pytest.mark.parametrize(("one", "other"), [("Good", "good"), ("gооd", "good"), ("ｇｏｏｄ", "good"), ("very  good", "very good"), ("ΑB", "AB"), ("non–fiction", "non-fiction")])  # fmt: skip
def test_what_looks_alike_is_merged_on_request_only(one, other):
    assert visible(one) != visible(other)
    assert merge_key(one) == merge_key(other)
    assert Spelling.learn([one, other]).of(one) == one
    assert Spelling.learn([one, other, other], merges=True).of(one) == other


def test_the_most_frequent_spelling_is_the_class_and_the_others_are_listed():
    spelling = Spelling.learn(["Spam", "spam", "spam", "SPAM", "ham", "1", "1.0"], merges=True)
    assert sorted(spelling.classes.values()) == ["1", "ham", "spam"]
    assert spelling.joined == {"spam": ["SPAM", "Spam"], "1": ["1.0"]}
    assert spelling.of("sPaM") == "spam"
    assert spelling.of("eggs") == "eggs"


def test_letters_that_look_like_others_are_named_by_their_numbers():
    assert repr_label("good") == '"good"'
    assert repr_label("gооd") == '"gооd" (U+043E)'


def test_a_zero_width_space_in_every_fourth_label_makes_no_classes():
    labels = [name + ("\u200b" if i % 4 == 0 else "") for i, name in enumerate(["good", "bad"] * 20)]
    table = read_table({"text": [f"text {i}" for i in range(40)], "label": labels})
    examples, dropped = to_examples(table, choose_columns(table))
    assert set(examples.label) == {"good", "bad"}
    assert not len(dropped)
