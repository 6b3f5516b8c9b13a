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


def test_a_type_whose_layers_cannot_be_left_out_says_so(tiny_model):
    """ALBERT computes one layer again and again."""
    with pytest.raises(ConfigError, match=r"model\.layers has no effect on a model of type albert"):
        open_pretrained(str(tiny_model("albert"))).backbone(Head(("a", "b")), layers=1)


def test_every_setting_with_an_entry_for_each_layer_loses_those_of_the_layers_that_go(tiny_model, tmp_path):
    """SmolLM3 says of each layer whether it has rotary positions: kept as it is, the list would be that of other layers."""
    import shutil

    from transformers import AutoConfig, AutoModel

    folder = shutil.copytree(tiny_model("llama"), tmp_path / "model")
    small = {"hidden_size": 32, "num_hidden_layers": 8, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 400}
    config = AutoConfig.for_model("smollm3", **small, num_key_value_heads=2, max_position_embeddings=64, pad_token_id=1)
    AutoModel.from_config(config).save_pretrained(folder)
    asked = open_pretrained(str(folder)).backbone(Head(("a", "b")), layers=3).network.config
    assert config.no_rope_layers == [1, 1, 1, 0, 1, 1, 1, 0]
    assert asked.no_rope_layers == [config.no_rope_layers[i] for i in (0, 4, 7)] == [1, 1, 0]
