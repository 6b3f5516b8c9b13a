"""Text and label columns are found by name and content, and naming them always wins."""

import numpy as np
import pytest

from superfine.data.columns import choose_columns, to_examples
from superfine.data.read import Table
from superfine.errors import DataError


def table(**columns):
    n = len(next(iter(columns.values())))
    return Table("data.csv", {name: list(values) for name, values in columns.items()}, np.arange(2, n + 2))


REVIEWS = table(
    id=["1", "2", "3", "4"],
    product=["pan", "pan", "fan", "mug"],
    words=["a very long review", "this one is long too", "and a third that is", "the last of them all"],
    mood=["up", "down", "up", "up"],
)


def test_the_longest_prose_is_the_text_and_the_fewest_values_are_the_label():
    choice = choose_columns(REVIEWS)
    assert (choice.text, choice.label, choice.found) == (("words",), ("mood",), True)


def test_usual_names_win_over_content():
    choice = choose_columns(table(title=["a long title of this text"] * 2, text=["x y", "z"], tag=["a", "b"], Label=["1", "2"]))
    assert (choice.text, choice.label) == (("text",), ("Label",))


def test_named_columns_win_and_several_texts_are_joined():
    choice = choose_columns(REVIEWS, text=["product", "words"], label=["id"])
    examples, _ = to_examples(REVIEWS, choice)
    assert examples.text[0] == "pan a very long review"
    assert examples.label == ["1", "2", "3", "4"]
    assert not choice.found


def test_a_name_that_is_absent_gets_a_suggestion_and_the_list():
    with pytest.raises(DataError, match=r'no column "word".*Did you mean "words"') as error:
        choose_columns(REVIEWS, text=["word"])
    assert "id, product, words, mood" in str(error.value)


def test_names_match_whatever_their_case_and_spaces():
    assert choose_columns(REVIEWS, text=[" Words "]).text == ("words",)


def test_a_table_without_prose_or_label_is_refused():
    with pytest.raises(DataError, match="looks like text"):
        choose_columns(table(a=["1", "2"], label=["x", "y"]))
    with pytest.raises(DataError, match="looks like a label"):
        choose_columns(table(text=["one", "two"], other=["three", "four"]))


def test_rows_without_text_or_label_are_left_out_and_listed():
    data = table(text=["a b", "  ", "c d", "e f"], label=["x", "y", "", "z"])
    examples, dropped = to_examples(data, choose_columns(data))
    assert examples.row.tolist() == [2, 5]
    assert (dropped.without_text, dropped.without_label) == ((3,), (4,))


@pytest.mark.parametrize(
    "names", [{"text": ["words"], "label": ["words"]}, {"text": ["words", "Words"]}, {"label": ["mood"], "group": "mood"}]
)
def test_a_column_cannot_serve_two_purposes(names):
    with pytest.raises(DataError, match="named for two purposes"):
        choose_columns(REVIEWS, **names)


def test_an_empty_name_is_not_taken_for_none():
    with pytest.raises(DataError, match='no column ""'):
        choose_columns(REVIEWS, label=[""])


def test_a_table_of_one_column_is_told_about_delimiters():
    with pytest.raises(DataError, match=r"single column.*\n.*delimiter"):
        choose_columns(table(**{"text|label": ["a b|x", "c d|y"]}))


def test_the_second_text_of_a_pair_is_said_to_be_left_out():
    pairs = table(
        id=["1", "2", "3", "4"],
        question1=["how do i bake bread", "what is rain", "where is rome", "who are you"],
        question2=["how is bread baked", "why does it rain", "is rome in italy", "what is your name"],
        is_duplicate=["1", "0", "0", "1"],
    )
    choice = choose_columns(pairs)
    assert (choice.text, choice.label, choice.left_out) == (("question1",), ("is_duplicate",), ("question2",))
    assert choose_columns(REVIEWS).left_out == ()


def test_invisible_characters_in_labels_are_no_classes_and_empty_labels_are_none():
    data = table(text=["a b", "c d", "e f"], label=["x\u200b", "x", "\u200b"])
    examples, dropped = to_examples(data, choose_columns(data))
    assert examples.label == ["x", "x"]
    assert dropped.without_label == (4,)
