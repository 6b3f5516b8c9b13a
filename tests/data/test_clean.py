"""Cleaning does what it says, once, and in the tokenizer as well."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from superfine.data.clean import add_cleaning, clean_all, same_text_keys


@pytest.mark.parametrize(
    ("dirty", "clean_text"),
    [
        ("good<br /><br />bad", "good bad"),
        ("Tom &amp; Jerry&#39;s &quot;show&quot;", 'Tom & Jerry\'s "show"'),
        ("&amp;lt; stays escaped once", "&lt; stays escaped once"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\u200bb\x00c\ufeff", "abc"),
        ("  many \t\n spaces\u00a0here ", "many spaces here"),
        ("1 < 2 and 3 > 2, i <3 you", "1 < 2 and 3 > 2, i <3 you"),
        ("write to <me@example.com>", "write to <me@example.com>"),
        ("质量很好&nbsp;<b>推荐</b>", "质量很好 推荐"),
    ],
)
def test_cleaning(dirty, clean_text):
    assert clean_all([dirty]) == [clean_text]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80))
def test_cleaned_text_has_no_control_characters_and_no_double_spaces(text):
    (cleaned,) = clean_all([text])
    assert "  " not in cleaned
    assert not any(ord(c) < 32 for c in cleaned)
    assert cleaned == cleaned.strip()


def test_the_tokenizer_cleans_in_the_same_way():
    tokenizer = Tokenizer(models.WordLevel({"good": 0, "bad": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    add_cleaning(tokenizer)
    assert tokenizer.encode("good<br />bad\u200b").tokens == ["good", "bad"]


def test_texts_that_differ_in_case_markup_and_spaces_are_the_same_text():
    assert len(set(same_text_keys(["So GOOD", "so  good", "so<br/>good"]))) == 1
    assert same_text_keys(["a b"], ["c"]) != same_text_keys(["a"], ["b c"])
