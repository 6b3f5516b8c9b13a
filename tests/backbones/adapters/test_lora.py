"""LoRA moves what is computed, packed or not, leaves the pretrained weights alone, and is gone when it is merged."""

import numpy as np
import pytest
import torch

from superfine.backbones.adapters import make_adapter
from superfine.backbones.batch import collate
from superfine.backbones.load import open_pretrained
from superfine.errors import ConfigError
from superfine.records import Examples, Head
from tests.conftest import FAMILIES

pytest.importorskip("peft", reason="the extra `lora` is not installed")
TEXTS = ["a lovely lamp", "the hinge broke after a week and nobody answered", "no", "it works " * 5]


def backbone_with(folder, options=None, *, move=True):
    adapter = make_adapter({"lora": {"r": 4, "alpha": 8} | (options or {})})
    pretrained = open_pretrained(str(folder))
    torch.manual_seed(0)
    backbone = pretrained.backbone(Head(("a", "b", "c")), dropout=0.0, attention_dropout=0.0, adapter=adapter)
    if move:
        shift(backbone.network)
    backbone.network.eval()
    return backbone, collate(pretrained.encoder(48).encode(Examples.of_texts(TEXTS)), np.arange(len(TEXTS)))


def shift(network):
    """B starts from zero, where nothing can be seen of it."""
    for name, parameter in network.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.3)


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_logits_move_with_the_adapter_as_padded_ones_do(tiny_model, family):
    backbone, batch = backbone_with(tiny_model(family), move=False)
    with torch.no_grad():
        assert backbone.pack_if_sound(), family
        before = backbone.logits(batch)
        shift(backbone.network)
        packed = backbone.logits(batch)
        backbone.use_padding()
        padded = backbone.logits(batch)
    assert (packed - before).abs().max() > 1e-3, "the adapter has an effect"
    assert (packed - padded).abs().max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_it_answers_alike_and_nothing_of_it_is_left(tiny_model, family):
    backbone, batch = backbone_with(tiny_model(family))
    plain = open_pretrained(str(tiny_model(family))).backbone(Head(("a", "b", "c")))
    with torch.no_grad():
        assert backbone.pack_if_sound()
        before = backbone.logits(batch)
        backbone.merge_adapter()
        after = backbone.logits(batch)
    assert backbone.is_packed
    assert (before - after).abs().max() < 1e-4
    assert dict(backbone.network.named_parameters()).keys() == dict(plain.network.named_parameters()).keys()


@pytest.mark.parametrize("family", ["bert", "gpt2", "modernbert", "deberta-v2", "xlnet"])
def test_the_adapter_and_the_head_learn_and_nothing_else(tiny_model, family):
    backbone, batch = backbone_with(tiny_model(family))
    backbone.pack_if_sound()
    backbone.network.train()
    backbone.logits(batch).square().sum().backward()
    learning = {name for name, parameter in backbone.network.named_parameters() if parameter.grad is not None}
    assert learning == {name for name, parameter in backbone.network.named_parameters() if parameter.requires_grad}
    assert all(".lora_" in name or name in backbone.head_parameters for name in learning)
    assert any(".lora_A" in name for name in learning)
    assert backbone.head_parameters & learning


@pytest.mark.parametrize("options", [{"use_dora": True}, {"use_rslora": True}, {"targets": ["query", "value"]}])
def test_the_options_of_peft_are_packed_and_merged_too(tiny_model, options):
    backbone, batch = backbone_with(tiny_model("bert"), options)
    with torch.no_grad():
        expected = backbone.logits(batch)
        assert backbone.pack_if_sound()
        assert (backbone.logits(batch) - expected).abs().max() < 1e-4
        backbone.merge_adapter()
        assert (backbone.logits(batch) - expected).abs().max() < 1e-4


def test_auto_takes_every_linear_layer_of_every_layer_and_no_other(tiny_model):
    backbone, _ = backbone_with(tiny_model("bert"))
    found = {name.partition(".lora_")[0] for name, _ in backbone.network.named_parameters() if ".lora_" in name}
    parts = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    parts += ("intermediate.dense", "output.dense")
    assert found == {f"bert.encoder.layer.{i}.{part}" for i in range(2) for part in parts}


def test_names_that_no_layer_has_are_told_with_those_there_are(tiny_model):
    with pytest.raises(
        ConfigError, match=r"no linear layer of BertFor\w+ is called q_proj(.|\n)*Its linear layers are: dense, key, query, value"
    ):
        backbone_with(tiny_model("bert"), {"targets": ["q_proj"]})


def test_names_count_in_the_layers_alone_not_in_a_head_that_is_trained_whole(tiny_model):
    backbone, _ = backbone_with(tiny_model("roberta"), {"targets": ["query", "attention.output.dense"]})
    found = {name.partition(".lora_")[0] for name, _ in backbone.network.named_parameters() if ".lora_" in name}
    parts = ("attention.self.query", "attention.output.dense")
    assert found == {f"roberta.encoder.layer.{i}.{part}" for i in range(2) for part in parts}
    whole, _ = backbone_with(tiny_model("roberta"), {"targets": ["dense"]})
    assert not any("classifier" in name for name, _ in whole.network.named_parameters() if ".lora_" in name)


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"lore": {}}, 'There is no adapter "lore". Did you mean "lora"'),
        ({"lora": {"rank": 8}}, r'options of the adapter "lora" are not right: rank.*\n?.*It takes: r, alpha'),
        ({"lora": {"r": 0}}, "are not right: r=0: Input should be greater than 0"),
        ({}, "names 0 adapters"),
    ],
)
def test_a_mistake_in_the_setting_is_told(setting, match):
    with pytest.raises(ConfigError, match=match):
        make_adapter(setting)
