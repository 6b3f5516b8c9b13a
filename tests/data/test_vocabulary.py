"""Tokenizers over one vocabulary read alike, and what is set in one stays out of the other."""

import json

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from superfine.data.vocabulary import largest_id, settings_of, sharing, unknown_id, with_settings
from tests.conftest import FAMILIES, make_rows

TEXTS = [*(text for text, _ in make_rows(20)), "", "A <s> b</s>[MASK] <mask>  two", "naïve  café 123"]


@pytest.fixture(params=[family for family in FAMILIES if family != "ernie"])
def tokenizer(request, tiny_model):
    return Tokenizer.from_file(str(tiny_model(request.param) / "tokenizer.json"))


def test_a_twin_reads_as_the_first_does(tokenizer):
    twin = sharing(tokenizer)
    assert [e.ids for e in twin.encode_batch(TEXTS)] == [e.ids for e in tokenizer.encode_batch(TEXTS)]
    assert json.loads(twin.to_str()) == json.loads(tokenizer.to_str()) | {"truncation": None, "padding": None}


def test_what_is_set_in_one_stays_out_of_the_other(tokenizer):
    twin = sharing(tokenizer)
    twin.enable_truncation(3)
    twin.normalizer = normalizers.Lowercase()
    twin.add_tokens(["entirelynew"])
    assert tokenizer.truncation is None
    assert tokenizer.token_to_id("entirelynew") is None
    assert json.loads(tokenizer.to_str())["normalizer"] != {"type": "Lowercase"}


def test_added_tokens_whose_ids_leave_a_gap_keep_them():
    """Added again one after the other they would get other ids, so such a tokenizer is copied."""
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.add_tokens(["b"])
    content = json.loads(tokenizer.to_str())
    content["added_tokens"][0]["id"] = 7
    content["model"]["vocab"]["b"] = 7
    gapped = Tokenizer.from_str(json.dumps(content))
    assert sharing(gapped).get_added_tokens_decoder() == gapped.get_added_tokens_decoder()
    assert sharing(gapped).encode("b").ids == gapped.encode("b").ids == [7]


def test_an_added_token_can_be_changed_in_the_twin_alone():
    tokenizer = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_tokens([AddedToken("New", normalized=True)])
    twin = sharing(tokenizer, changed=lambda token: AddedToken(token.content, normalized=False))
    assert [token.normalized for token in twin.get_added_tokens_decoder().values()] == [False]
    assert [token.normalized for token in tokenizer.get_added_tokens_decoder().values()] == [True]


def test_settings_are_spelled_as_in_the_file(tokenizer):
    content = json.loads(tokenizer.to_str())
    assert settings_of(tokenizer) == {name: content[name] for name in settings_of(tokenizer)}


def test_settings_can_be_replaced(tokenizer):
    twin = with_settings(tokenizer, normalizer={"type": "Lowercase"})
    assert json.loads(twin.to_str())["normalizer"] == {"type": "Lowercase"}
    assert with_settings(tokenizer, normalizer=None).normalizer is None


def test_the_unknown_token_is_found_in_every_kind_of_model(tokenizer):
    content = json.loads(tokenizer.to_str())["model"]
    expected = content.get("unk_id")
    if expected is None and content.get("unk_token"):
        expected = tokenizer.token_to_id(content["unk_token"])
    assert unknown_id(tokenizer) == expected


@pytest.mark.parametrize("unknown", [None, 0, 2])
def test_the_unknown_token_of_unigram_is_found(unknown):
    tokenizer = Tokenizer(models.Unigram([("a", -1.0), ("b", -2.0), ("<unk>", 0.0)], unk_id=unknown))
    assert unknown_id(tokenizer) == unknown


def test_the_largest_id_counts_added_tokens(tokenizer):
    assert largest_id(tokenizer) == max(tokenizer.get_vocab().values())
    unigram = Tokenizer(models.Unigram([("a", -1.0), ("b", -2.0)]))
    assert largest_id(unigram) == 1
    unigram.add_tokens(["c", "a"])
    assert largest_id(unigram) == 2
