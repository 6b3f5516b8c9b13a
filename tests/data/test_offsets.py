"""Where tokens stand in the raw text, also where cleaning replaced, removed or composed something."""

import random

import numpy as np
import pytest

from superfine.backbones.load import open_pretrained
from superfine.data.clean import clean_all
from superfine.data.encode import Encoder
from superfine.records import Examples
from tests.conftest import needs_embedded_model, needs_multilingual_model

PIECES = [
    "Paris", "New York", "北京", "&lt;", "&amp;", "&eacute;", "&nbsp;", "<br/>", "<b>", "</b>", "\u200b", "e\u0301", "é", " ",
    "\n", "&hellip;", "&#39;", "it's", ",", "😀", "ﬁ", "Ａ", "a<b", "<!-- x y -->", "&amp;lt;",
]  # fmt: skip


def random_texts(n):
    rng = random.Random(0)
    return ["".join(rng.choice(PIECES) + rng.choice(["", " "]) for _ in range(rng.randrange(14))) for _ in range(n)]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("sentence-transformers/all-MiniLM-L6-v2", marks=needs_embedded_model),
        pytest.param("multilingual-e5-small-q4", marks=needs_multilingual_model),
    ],
)
def test_each_token_stands_for_what_it_reads(name):
    pretrained = open_pretrained(name)
    with_offsets, plain = pretrained.encoder(64, with_offsets=True), pretrained.encoder(64)
    texts = random_texts(400)
    encoded, expected = (encoder.encode(Examples.of_texts(texts)) for encoder in (with_offsets, plain))
    assert encoded.ids.tolist() == expected.ids.tolist()
    assert expected.offsets is None
    n_asked = 0
    for i, text in enumerate(texts):
        cleaned = clean_all([text])[0]
        alone = plain.tokenizer.encode(cleaned)
        first, stop = encoded.starts[i], encoded.starts[i + 1]
        if encoded.ids[first:stop].tolist() != alone.ids:  # read by the saved tokenizer in another way
            continue
        for (a, b), (start, end) in zip(alone.offsets, encoded.offsets[first:stop], strict=True):
            assert clean_all([text[start:end]])[0] == cleaned[a:b].strip()
            n_asked += 1
    assert n_asked > 2000


def test_the_tokens_of_a_pair_stand_in_their_own_texts(tiny_model):
    encoder = open_pretrained(str(tiny_model("bert"))).encoder(64, with_offsets=True)
    examples = Examples.of_texts(["the kettle"], ["  a &lt; lamp"])
    encoded = encoder.encode(examples)
    found = [
        (examples.text_pair if kind else examples.text)[0][start:end]
        for kind, (start, end) in zip(encoded.type_ids, encoded.offsets, strict=True)
        if end
    ]
    assert found == ["the", "kettle", "a", "&lt;", "lamp"]


def test_offsets_are_kept_with_the_tokens_on_disk_and_taken_with_the_texts(tiny_model, monkeypatch):
    from superfine.data import token_cache

    monkeypatch.setattr(token_cache, "FEWEST_TEXTS", 1)
    encoder = open_pretrained(str(tiny_model("bert"))).encoder(16, with_offsets=True)
    examples = Examples.of_texts(["the kettle was lovely", "a lamp"])
    first, _ = token_cache.encode_cached(encoder, examples)
    again, was_cached = token_cache.encode_cached(encoder, examples)
    assert was_cached
    assert again.offsets.tolist() == first.offsets.tolist()
    assert again.take(np.array([1])).offsets.tolist() == encoder.encode(examples.take([1])).offsets.tolist()
    assert Encoder(encoder.tokenizer, 16).fingerprint() != Encoder(encoder.tokenizer, 16, with_offsets=True).fingerprint()
