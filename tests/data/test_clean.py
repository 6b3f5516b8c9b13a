"""Cleaning does what it says, once, and in the tokenizer as well."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from superfine.data.clean import clean_all, cleaning_normalizer, is_clean, same_text_keys, split_cleaning, with_cleaning


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
        ("call <target>phone</target> <NAME>", "call <target>phone</target> <NAME>"),
        ("x < y and z > w, a <b and c>", "x < y and z > w, a <b and c>"),
        ("List<String> of std::vector<int>", "List<String> of std::vector<int>"),
        ('<P CLASS="x">one</P><img src=a.png alt="a b" hidden>two<!doctype html>', "one two"),
        ("<input checked>a<INPUT disabled/>b", "a b"),
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
    tokenizer = with_cleaning(tokenizer)
    assert tokenizer.encode("good<br />bad\u200b").tokens == ["good", "bad"]


@pytest.mark.parametrize("content", ["<s>", "<pad>", "  ", "\u200b", "<br>"])
def test_an_added_token_that_cleaning_would_empty_stands_nowhere_else(content):
    tokenizer = Tokenizer(models.WordLevel({"good": 0, "bad": 1, "[UNK]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_tokens([AddedToken(content, normalized=True)])
    cleaned = with_cleaning(tokenizer)
    assert cleaned.encode("good bad").tokens == ["good", "bad"]
    assert cleaned.encode(f"good{content}bad").tokens == ["good", content, "bad"]


def test_an_added_token_that_cleaning_leaves_alone_is_still_found_whatever_its_case():
    tokenizer = Tokenizer(models.WordLevel({"good": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.add_tokens([AddedToken("NEWTOKEN", normalized=True)])
    assert with_cleaning(tokenizer).encode("a NewToken").ids[-1] == tokenizer.token_to_id("NEWTOKEN")


def test_texts_that_differ_in_case_markup_and_spaces_are_the_same_text():
    assert len(set(same_text_keys(["So GOOD", "so  good", "so<br/>good"]))) == 1
    assert same_text_keys(["a b"], ["c"]) != same_text_keys(["a"], ["b c"])


def test_every_character_that_cleaning_changes_is_seen_without_cleaning():
    normalize = cleaning_normalizer().normalize_str
    characters = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    missed = [c for c in characters if is_clean(f"a{c}b") and normalize(f"a{c}b") != f"a{c}b"]
    assert missed == []


@given(st.text(st.characters(codec="utf-8") | st.sampled_from(" \n\t\r<>&;b/p\u0301\u3000"), max_size=40))
def test_the_short_ways_lead_where_the_normaliser_leads(text):
    assert clean_all([text]) == [cleaning_normalizer().normalize_str(text)]


PIECES = [
    "<br />",
    "<b",
    "<b>",
    "</p>",
    "<!--",
    "-->",
    "<",
    ">",
    "/",
    " ",
    "\n",
    "\t",
    "\x0b",
    "a",
    "é",
    "e\u0301",
    "\u00a0",
    "好",
    "&lt;",
    "x" * 20,
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_tags_are_taken_out_as_the_normaliser_takes_them_out(text):
    assert clean_all([text]) == [cleaning_normalizer().normalize_str(text)]


def test_long_tags_and_comments_end_where_the_normaliser_ends_them():
    for n in (0, 498, 499, 500, 501, 1999, 2000, 2001):
        for text in (f"a<b {'c' * n}>d", f"a<!--{'c' * n}-->d", f"a<!--{'c' * n}\n-->d", f"a<{'b' * n}>c"):
            assert clean_all([text]) == [cleaning_normalizer().normalize_str(text)]


@given(st.text(st.characters(codec="utf-8") | st.sampled_from(" \n\t\r<>&;b/p\u0301\u3000"), max_size=40))
def test_cleaning_before_tokenising_gives_the_tokens_of_the_saved_tokenizer(text):
    saved = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    saved.normalizer = normalizers.BertNormalizer()
    saved.pre_tokenizer = pre_tokenizers.ByteLevel()
    saved = with_cleaning(saved)
    bare, cleans = split_cleaning(saved)
    assert cleans
    assert bare.encode(clean_all([text])[0]).tokens == saved.encode(text).tokens
    assert not split_cleaning(bare)[1]
