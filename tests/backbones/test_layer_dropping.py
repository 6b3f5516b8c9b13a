"""A network of fewer layers keeps the weights of those that stay, trains packed, and opens in plain transformers."""

import pytest
import torch

from superfine.backbones.layer_dropping import kept_layers
from superfine.backbones.load import open_pretrained
from superfine.errors import ConfigError
from superfine.records import Head
from tests.conftest import FAMILIES

WITH_LAYERS = ["bert", "ernie", "electra", "roberta", "xlm-roberta", "distilbert", "llama", "qwen2"]


@pytest.mark.parametrize(
    ("n", "n_kept", "expected"), [(12, 6, [0, 2, 4, 7, 9, 11]), (6, 3, [0, 2, 5]), (12, 12, [*range(12)]), (4, 1, [0])]
)
def test_layers_stay_evenly_spread_first_and_last_among_them(n, n_kept, expected):
    assert kept_layers(n, n_kept) == expected


@pytest.mark.parametrize("family", WITH_LAYERS)
def test_the_layers_that_stay_are_computed_packed_and_saved(tiny_model, tmp_path, family):
    from transformers import AutoModelForSequenceClassification

    assert FAMILIES[family].get("num_hidden_layers", FAMILIES[family].get("n_layers")) == 2
    pretrained = open_pretrained(str(tiny_model(family)))
    whole, backbone = pretrained.backbone(Head(("a", "b"))), pretrained.backbone(Head(("a", "b")), layers=1)
    ours, theirs = dict(backbone.network.named_parameters()), dict(whole.network.named_parameters())
    assert ours.keys() < theirs.keys()
    body = [name for name in ours if name not in backbone.fresh]
    assert all(torch.equal(ours[name], theirs[name]) for name in body)
    assert backbone.pack_if_sound()
    backbone.save(tmp_path, 32)
    opened, info = AutoModelForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert opened.config.num_hidden_layers == 1


def test_more_layers_than_there_are_is_one_message(tiny_model):
    with pytest.raises(ConfigError, match="the model has 2 layers"):
        open_pretrained(str(tiny_model("bert"))).backbone(Head(("a", "b")), layers=3)


@pytest.mark.parametrize("family", ["albert", "gpt_neo"])
def test_a_type_whose_layers_cannot_be_left_out_says_so(tiny_model, family):
    """ALBERT computes one layer again and again; GPT-Neo's configuration wants another description of fewer layers."""
    with pytest.raises(ConfigError, match=rf"model\.layers has no effect on a model of type {family}"):
        open_pretrained(str(tiny_model(family))).backbone(Head(("a", "b")), layers=1)
