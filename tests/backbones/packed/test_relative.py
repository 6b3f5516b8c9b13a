"""Attention with scores for distances: each distance finds its own score, and pairs, other kinds and bfloat16 are computed alike."""

import numpy as np
import pytest
import torch

from superfine.backbones.batch import collate
from superfine.backbones.packed.relative import by_distance
from superfine.records import Examples
from tests.conftest import load_for_classification, make_rows, model_of

TEXTS = [text for text, _ in make_rows(16)]
PAIRS = Examples.of_texts(TEXTS, TEXTS[3:] + TEXTS[:3])


def test_every_place_gets_the_score_of_its_distance():
    scores = torch.arange(2 * 5 * 9.0).view(2, 5, 9)
    found = by_distance(scores)
    for i in range(5):
        for j in range(5):
            assert torch.equal(found[:, i, j], scores[:, i, j - i + 4])


def both_ways(folder, **changes):
    """A network with settings of its own, packed and padded."""
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder)
    for name, value in changes.items():
        setattr(config, name, value)
    torch.manual_seed(1)
    network = AutoModel.from_config(config)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(0, 0.2)
    network.save_pretrained(folder)
    models = []
    for packed in (True, False):
        torch.manual_seed(2)
        backbone = load_for_classification(str(folder), ["bad", "good"])
        backbone.network.eval()
        for name, parameter in backbone.network.named_parameters():
            if name in backbone.fresh:
                parameter.data.mul_(20)  # a head as wide as a trained one, so that differences can be seen
        models.append((packed and backbone.pack_if_sound(), model_of(backbone)))
    return models


def copied(tiny_model, family, tmp_path):
    import shutil

    return shutil.copytree(tiny_model(family), tmp_path / "model")


KINDS = [
    ("xlnet", {}),
    ("xlnet", {"clamp_len": 3}),
    ("mpnet", {}),
    ("deberta-v2", {}),
    ("deberta-v2", {"share_att_key": False, "type_vocab_size": 2, "position_biased_input": True}),
    ("deberta-v2", {"position_buckets": -1, "pos_att_type": ["c2p"]}),
    ("deberta-v2", {"pos_att_type": ["p2c"], "norm_rel_ebd": "none"}),
]


@pytest.mark.parametrize(("family", "changes"), KINDS)
def test_pairs_are_answered_as_by_the_networks_own_forward_pass(tiny_model, tmp_path, family, changes):
    (is_packed, packed), (_, padded) = both_ways(copied(tiny_model, family, tmp_path), **changes)
    assert is_packed
    batch = collate(packed.encoder.encode(PAIRS), np.arange(len(PAIRS)))
    with torch.no_grad():
        expected = padded.backbone._whole_network(batch, "none")
        assert float(expected.std(dim=0).max()) > 1e-2, "the pairs must differ, or the comparison says nothing"
        torch.testing.assert_close(packed.logits(batch), expected, atol=1e-5, rtol=0)
        packed.backbone.use_precision(torch.bfloat16)
        rounded = packed.logits(batch)
    assert rounded.isfinite().all()
    torch.testing.assert_close(rounded, expected, atol=0.1 * float(expected.std()) + 0.02, rtol=0)


@pytest.mark.parametrize("family", ["xlnet", "bert"])
def test_a_tokenizer_that_keeps_the_types_of_tokens_to_itself_has_them_seen_by_nobody(tiny_model, tmp_path, family):
    import json

    folder = copied(tiny_model, family, tmp_path)
    path = folder / "tokenizer_config.json"
    names = {"model_input_names": ["input_ids", "attention_mask"]}
    path.write_text(json.dumps(json.loads(path.read_text()) | names))
    (is_packed, packed), (_, padded) = both_ways(folder)
    padded.backbone.use_padding()
    assert is_packed
    assert not packed.backbone.takes_types
    batch = collate(packed.encoder.encode(PAIRS), np.arange(len(PAIRS)))
    assert batch.token_type_ids.any()
    with torch.no_grad():
        expected = padded.backbone._whole_network(batch, "none")
        torch.testing.assert_close(packed.logits(batch), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(padded.logits(batch), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("changes", [{"conv_kernel_size": 3}, {"relative_attention": False}])
def test_another_kind_of_deberta_runs_padded(tiny_model, tmp_path, changes):
    (is_packed, _), _ = both_ways(copied(tiny_model, "deberta-v2", tmp_path), **changes)
    assert not is_packed


@pytest.mark.parametrize("summary", ["mean", "first"])
def test_a_configuration_that_asks_for_another_head_gets_it(tiny_model, tmp_path, summary):
    (is_packed, model), _ = both_ways(copied(tiny_model, "xlnet", tmp_path), summary_type=summary)
    assert not is_packed
    batch = collate(model.encoder.encode(Examples.of_texts(TEXTS)), np.arange(len(TEXTS)))
    with torch.no_grad():
        torch.testing.assert_close(model.logits(batch), model.backbone._whole_network(batch, "none"), atol=1e-5, rtol=0)
