"""A pruned vocabulary reads the texts that it was pruned for as before, opens in plain transformers, and says what it costs."""

import json
from dataclasses import replace

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from superfine.backbones.load import open_pretrained
from superfine.backbones.pruning import cut_otherwise, prune
from superfine.errors import ConfigError
from superfine.records import Head

PIECES = [
    ("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("你", -3.0), ("▁good", -4.0), ("хорошо", -4.5),
    ("▁bad", -5.0), ("你好", -5.5), ("g", -6.0), ("o", -6.0), ("d", -6.0), ("好", -6.0), ("b", -7.0), ("a", -7.0), ("7", -8.0),
    ("<mask>", 0.0),
]  # fmt: skip


@pytest.fixture
def tokenizer():
    tokenizer = Tokenizer(models.Unigram(PIECES, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in ("<s>", "<pad>", "</s>", "<unk>", "<mask>")])
    return tokenizer


def test_the_texts_it_was_pruned_for_are_read_as_before(tokenizer):
    texts = ["good bad", "你好 7"]
    pruned = prune(tokenizer, texts, 14)
    assert len(pruned.rows) == pruned.tokenizer.get_vocab_size() == 14
    assert [e.tokens for e in pruned.tokenizer.encode_batch(texts)] == [e.tokens for e in tokenizer.encode_batch(texts)]
    ids = pruned.tokenizer.encode(texts[0]).ids
    assert pruned.rows[ids].tolist() == tokenizer.encode(texts[0]).ids, "the rows are those of the same pieces"


def test_pieces_in_other_scripts_go_first(tokenizer):
    kept = [PIECES[i][0] for i in prune(tokenizer, ["good bad"], 14).rows]
    assert "хорошо" not in kept
    assert "你好" not in kept
    assert {"▁good", "▁bad", "g", "o", "d", "7", "<mask>"} <= set(kept)


def test_what_it_costs_is_the_share_of_texts_that_are_cut_otherwise(tokenizer):
    pruned = prune(tokenizer, ["good"], 12)
    assert cut_otherwise(tokenizer, pruned, ["good", "good good", "你好", "хорошо"]) == 0.5


def test_fewer_pieces_than_the_texts_hold_is_one_message(tokenizer):
    with pytest.raises(ConfigError, match=r"cannot be 5: the texts alone hold \d+ pieces"):
        prune(tokenizer, ["good bad 你好"], 5)


def test_a_tokenizer_of_another_kind_is_one_message(tiny_model):
    with pytest.raises(ConfigError, match="Unigram"):
        prune(open_pretrained(str(tiny_model("bert"))).tokenizer, ["good"], 100)


def test_the_pruned_model_is_packed_and_opens_in_plain_transformers(tokenizer, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertModel, PreTrainedTokenizerFast

    config = BertConfig(
        vocab_size=20, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, pad_token_id=1
    )
    BertModel(config).save_pretrained(tmp_path / "whole")
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(tmp_path / "whole")
    pretrained = open_pretrained(str(tmp_path / "whole"))
    found = prune(pretrained.tokenizer, ["good bad"], 14)
    pruned = replace(pretrained, tokenizer=found.tokenizer, kept_rows=found.rows)
    whole, backbone = pretrained.backbone(Head(("a", "b"))), pruned.backbone(Head(("a", "b")))
    assert torch.equal(backbone.word_embeddings.weight, whole.word_embeddings.weight[torch.from_numpy(pruned.kept_rows)])
    assert backbone.pack_if_sound()
    backbone.save(tmp_path / "pruned", 32)
    written = json.loads((tmp_path / "pruned" / "config.json").read_text(encoding="utf-8"))
    assert (written["vocab_size"], written["pad_token_id"]) == (14, 1)
    opened = AutoModelForSequenceClassification.from_pretrained(tmp_path / "pruned").eval()
    inputs = AutoTokenizer.from_pretrained(tmp_path / "pruned")(["good bad", "bad"], padding=True, return_tensors="pt")
    assert inputs["input_ids"][0].tolist() == pruned.encoder(32).tokenizer.encode("good bad").ids
    assert opened(**inputs).logits.shape == (2, 2)
