"""Encoding: ragged columns, cut at the maximum, the same as plain transformers gives."""

import numpy as np
import pytest

from superfine.backbones.batch import collate
from superfine.backbones.load import open_pretrained
from superfine.data.batches import length_sorted_batches
from superfine.data.encode import Encoder
from superfine.records import Examples
from tests.conftest import load_for_classification, make_rows

TEXTS = [text for text, _ in make_rows(40)] + ["lovely " * 100, "?"]


@pytest.fixture(scope="module")
def backbone(tiny_model):
    return load_for_classification(str(tiny_model("bert")), ["a", "b"])


def test_ids_are_those_of_plain_transformers(backbone, tiny_model):
    from transformers import AutoTokenizer

    encoded = Encoder(backbone.tokenizer, 24).encode(Examples.of_texts(TEXTS))
    plain = AutoTokenizer.from_pretrained(tiny_model("bert"))(TEXTS, truncation=True, max_length=24)["input_ids"]
    assert [encoded.ids[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)] == plain


def test_cut_texts_and_unknown_tokens_are_counted(backbone):
    encoded = Encoder(backbone.tokenizer, 24).encode(Examples.of_texts(["lovely " * 100, "lovely", "好 lovely"]))
    assert encoded.truncated.tolist() == [True, False, False]
    assert encoded.unknown_share == pytest.approx(1 / 25)


def test_pairs_carry_token_types(backbone):
    encoded = Encoder(backbone.tokenizer, 24).encode(Examples.of_texts(["lovely"], ["awful book"]))
    assert encoded.type_ids.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_batch_holds_the_texts_it_was_asked_for_shortest_first(backbone):
    encoded = Encoder(backbone.tokenizer, 24).encode(Examples.of_texts(TEXTS))
    batch = collate(encoded, np.array([40, 3, 41]), np.arange(42))
    assert batch.indices.tolist() == batch.targets.tolist()
    assert batch.indices[0] == 41
    assert batch.indices[-1] == 40
    start, stop = batch.layout.starts[1:3].tolist()
    assert batch.input_ids[start:stop].tolist() == encoded.take(np.array([3])).ids.tolist()


def test_length_sorted_batches_hold_every_text_once_within_the_bounds(backbone):
    encoded = Encoder(backbone.tokenizer, 24).encode(Examples.of_texts(TEXTS))
    batches = length_sorted_batches(encoded, max_tokens=60, max_sequences=5)
    assert sorted(np.concatenate(batches).tolist()) == list(range(42))
    assert all(len(b) <= 5 and encoded.lengths[b].sum() <= 60 for b in batches)


def test_an_empty_text_still_has_a_token_in_a_family_without_special_tokens(tiny_model):
    decoder = load_for_classification(str(tiny_model("gpt2")), ["a", "b"])
    encoded = Encoder(decoder.tokenizer, 24).encode(Examples.of_texts(["", "lovely"]))
    assert encoded.lengths.min() >= 1


def test_unknown_tokens_of_a_unigram_vocabulary_are_counted():
    from tokenizers import Tokenizer, models

    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.0), ("b", -1.0)], unk_id=0, byte_fallback=False))
    assert Encoder(tokenizer, 8).encode(Examples.of_texts(["ab", "a好"])).unknown_share == pytest.approx(0.25)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_texts_with_special_tokens_and_dirt_become_what_the_saved_tokenizer_makes_of_them(tiny_model, tmp_path, family):
    from transformers import AutoTokenizer

    backbone = load_for_classification(str(tiny_model(family)), ["a", "b"])
    backbone.save(tmp_path, 24)
    special = {"bert": "[SEP]", "roberta": "<s>"}[family]
    escaped = special.replace("<", "&lt;").replace(">", "&gt;")
    texts = [
        f"a {special} b",
        f"a<br/>{special}b",
        f"<p>{escaped}</p>",
        f"{special}",
        f"  {special}  <b>x</b>",
        "plain",
        "",
        "<s>strike</s>",
    ]
    encoded = Encoder(backbone.tokenizer, 24).encode(Examples.of_texts(texts))
    plain = AutoTokenizer.from_pretrained(tmp_path)(texts, truncation=True)["input_ids"]
    assert [encoded.ids[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)] == plain
    pairs = Encoder(backbone.tokenizer, 24).encode(Examples.of_texts(texts, texts[::-1]))
    plain = AutoTokenizer.from_pretrained(tmp_path)(texts, texts[::-1], truncation=True)["input_ids"]
    assert [pairs.ids[a:b].tolist() for a, b in zip(pairs.starts, pairs.starts[1:], strict=False)] == plain


MARKED_STARTS = [
    "  leading", "<br/>lovely", "  <p> x", "\u3000你好  世界", "\ta", "<br><3 love", "&lt;b", "lovely   kettle", "a </s> in the middle",
    "</s><br>x", "<br></s>x", "", "<br>", "plain", "&amp;lovely", "\u200bzero width",
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["first", "always", "never", "prepended by the normaliser"])
@pytest.mark.parametrize("normalized", [False, True])
def test_texts_whose_start_is_cleaned_are_read_as_the_saved_tokenizer_reads_them(scheme, normalized):
    import json

    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    from superfine.data.clean import with_cleaning

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    if scheme == "prepended by the normaliser":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"])
    tokenizer.train_from_iterator([*TEXTS, *MARKED_STARTS], trainer)
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [token | {"normalized": normalized} for token in content["added_tokens"]]
    saved = with_cleaning(Tokenizer.from_str(json.dumps(content)))
    texts = MARKED_STARTS + TEXTS
    encoded = Encoder(saved, 24).encode(Examples.of_texts(texts))
    ours = [encoded.ids[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)]
    saved.enable_truncation(24)
    for text, found in zip(texts, ours, strict=True):
        assert found == (saved.encode(text).ids or [0]), text


LONG = {
    "english": "the kettle was lovely and my lamp is broken, really. ",
    "no blanks": "kettle-lamp-chair,",
    "markup": "<br>\n" * 30 + "kettle lamp ",
    "comments": "<!-- " + "chair " * 300 + "--> kettle ",
    "entities": "&nbsp;&amp;&quot; lamp ",
    "one word": "k",
}


@pytest.mark.parametrize("family", ["bert", "roberta", "llama"])
@pytest.mark.parametrize("piece", LONG.values(), ids=LONG)
def test_a_text_of_megabytes_has_the_tokens_that_it_has_uncut(tiny_model, family, piece, monkeypatch):
    encoder = open_pretrained(str(tiny_model(family))).encoder(32)
    text = (piece * (150_000 // len(piece)))[:150_000]
    examples = Examples.of_texts([text, "short", text[:20_000]])
    cut = encoder.encode(examples)
    asked = []
    monkeypatch.setattr(encoder, "_beginning", lambda text: asked.append(text) or text)
    whole = encoder.encode(examples)
    assert len(asked) == 3
    assert np.array_equal(cut.ids, whole.ids)
    assert np.array_equal(cut.starts, whole.starts)
    assert np.array_equal(cut.truncated, whole.truncated)


def test_of_a_pair_the_longer_text_stays_the_longer_one(tiny_model, monkeypatch):
    # The odd token goes to the longer text. (Uncut pairs of megabytes take tens of gigabytes.)
    encoder = open_pretrained(str(tiny_model("bert"))).encoder(32)
    long, longer = "lamp kettle " * 400, "chair book " * 600
    pairs = Examples.of_texts([long, longer, "a mug", long, long], [longer, long, long, "a mug", "pan " * 400])
    cut = encoder.encode(pairs)
    assert len(encoder._beginnings([long], [longer])[0][0]) < len(long)
    monkeypatch.setattr(encoder, "_beginning", lambda text: text)
    whole = encoder.encode(pairs)
    assert np.array_equal(cut.ids, whole.ids)
    assert np.array_equal(cut.starts, whole.starts)


def test_a_long_text_costs_no_tokens_of_what_is_not_read(tiny_model):
    encoder = open_pretrained(str(tiny_model("bert"))).encoder(32)
    (beginning,), _ = encoder._beginnings(["the kettle was lovely " * 300_000], None)
    assert len(beginning) < 5_000
