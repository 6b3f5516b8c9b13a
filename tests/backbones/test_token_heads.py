"""Heads that answer for each token, and the states below any head: packed, padded and in plain transformers the same."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForTokenClassification

from superfine.backbones.batch import collate
from superfine.backbones.load import open_pretrained
from superfine.errors import ModelError
from superfine.records import Examples, Head, Ragged
from tests.conftest import FAMILIES, make_rows

TEXTS = [text for text, _ in make_rows(12)] + ["kettle", ""]
HEAD = Head(("O", "B-x", "I-x"), by_token=True)


def build(folder, *, packed=True):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        backbone = open_pretrained(str(folder)).backbone(HEAD, dropout=0.0, attention_dropout=0.0)
    backbone.network.eval()
    if packed:
        backbone.pack_if_sound()
    return backbone


def batch_of(folder):
    encoded = open_pretrained(str(folder)).encoder(48).encode(Examples.of_texts(TEXTS))
    return encoded, collate(encoded, np.arange(len(TEXTS)))


@pytest.mark.parametrize("family", [*(family for family in FAMILIES if family != "opt"), "convbert"])
def test_the_logits_of_every_token_are_those_of_plain_transformers(tiny_model, family, tmp_path):
    backbone = build(tiny_model(family))
    assert backbone.is_packed == (family in FAMILIES)
    encoded, batch = batch_of(tiny_model(family))
    backbone.save(tmp_path, 48)
    plain = AutoModelForTokenClassification.from_pretrained(tmp_path).eval()
    with torch.inference_mode():
        logits = backbone.logits(batch)
        assert logits.shape == (batch.n_tokens, 3)
        places = np.concatenate([[0], np.cumsum(encoded.lengths[batch.indices])])
        for k, i in enumerate(batch.indices):
            ids = torch.tensor(encoded.ids[encoded.starts[i] : encoded.starts[i + 1]].astype(np.int64))[None]
            torch.testing.assert_close(logits[places[k] : places[k + 1]], plain(ids).logits[0], atol=2e-5, rtol=0)


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "llama", "gpt2"])
def test_states_are_read_alike_packed_and_padded(tiny_model, family):
    _, batch = batch_of(tiny_model(family))
    packed, padded = build(tiny_model(family)), build(tiny_model(family), packed=False)
    assert packed.is_packed
    assert not padded.is_packed
    first, last = batch.layout.first, batch.layout.last
    with torch.inference_mode():
        every = padded.states(batch, "all")
        assert len(every) == batch.n_tokens
        for read, expected in (("all", every), ("first", every[first])):
            torch.testing.assert_close(packed.states(batch, read), expected, atol=1e-4, rtol=0)
        if family not in ("gpt2", "llama"):  # decoders pass over tokens that pad, at the end of a text
            torch.testing.assert_close(packed.states(batch, "last"), every[last], atol=1e-4, rtol=0)
        means = torch.stack([every[a : b + 1].mean(dim=0) for a, b in zip(first, last, strict=True)])
        for backbone in (packed, padded):
            torch.testing.assert_close(backbone.states(batch, "mean"), means, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("xlnet_unlisted")
@pytest.mark.parametrize("family", ["xlnet", "convbert"])
def test_states_of_an_unlisted_family_are_those_of_its_body(tiny_model, family):
    backbone = build(tiny_model(family))
    encoded, batch = batch_of(tiny_model(family))
    with torch.inference_mode():
        states = backbone.states(batch, "all")
        alone = collate(encoded, batch.indices[-1:])
        body = backbone.network.base_model(alone.input_ids[None]).last_hidden_state[0]
    torch.testing.assert_close(states[-alone.n_tokens :], body, atol=1e-4, rtol=0)


def test_targets_and_weights_of_tokens_stand_with_them_in_a_batch(tiny_model):
    encoded, _ = batch_of(tiny_model("bert"))
    values = np.arange(len(encoded.ids)) % 4 - 1
    batch = collate(encoded, np.array([3, 0, 5]), Ragged(values, encoded.starts), np.linspace(1, 2, len(TEXTS)))
    places = encoded.tokens_of(batch.indices)
    assert batch.targets.tolist() == values[places].tolist()
    assert batch.input_ids.tolist() == encoded.ids[places].tolist()
    of_text = np.repeat(np.linspace(1, 2, len(TEXTS))[batch.indices], encoded.lengths[batch.indices])
    np.testing.assert_allclose(batch.weights, of_text * (values[places] >= 0), rtol=1e-6)


def test_a_type_that_has_no_head_for_tokens_says_so(tiny_model):
    with pytest.raises(ModelError, match="transformers has no head of this kind for models of type opt"):
        build(tiny_model("opt"))
