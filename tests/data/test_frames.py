"""Whatever is handed to `predict` in Python is a list of texts, or a TypeError that says what to hand over instead."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from superfine.data.frames import as_texts

TEXTS = ["one", "two"]


@pytest.mark.parametrize(
    "given",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        pd.Series(TEXTS, index=[7, 9]),
        pd.Index(TEXTS),
        pl.Series(TEXTS),
        iter(TEXTS),
        pd.array(TEXTS, dtype="string"),
        dict.fromkeys(TEXTS).keys(),
    ],
    ids=lambda given: type(given).__name__,
)
def test_whatever_gives_texts_in_an_order_is_read(given):
    assert as_texts(given) == TEXTS


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("one text", "one text is not a list"),
        (b"one text", "one text is not a list"),
        (pd.DataFrame({"review": TEXTS, "stars": [1, 2]}), r"columns review, stars: hand over one, texts\['review'\]"),
        (pl.DataFrame({"review": TEXTS}), r"texts\['review'\]"),
        ({"review": TEXTS}, r"texts\['review'\]"),
        (np.zeros((2, 2)), "not a table"),
        (set(TEXTS), "not a set"),
        (3, "not a int"),
        (["a", None], r"texts\[1\] is missing \(None\)"),
        (["a", float("nan")], r"texts\[1\] is missing \(nan\)"),
        (pd.Series(["a", pd.NA], dtype="string"), r"texts\[1\] is missing"),
        ([b"a"], r"texts\[0\] is no string but bytes"),
        ([["a", "b"]], r"texts\[0\] is no string but list"),
    ],
)
def test_anything_else_is_a_type_error_that_names_the_place(given, message):
    with pytest.raises(TypeError, match=message):
        as_texts(given)


def test_half_a_surrogate_pair_is_replaced():
    assert as_texts(["\ud83d", "ok \udc00"]) == ["\ufffd", "ok \ufffd"]
