"""What is frozen stays bit for bit what it was, and what is asked for in vain is told."""

import pytest
import torch

import superfine
from superfine.backbones.load import open_pretrained
from superfine.errors import ConfigError
from superfine.records import Head
from tests.conftest import FAMILIES, FAST


def learning(folder, what):
    network = open_pretrained(str(folder)).backbone(Head(("a", "b")), freeze=what).network
    return {name: parameter.requires_grad for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("family", FAMILIES)
def test_all_leaves_the_head_alone_to_learn_in_every_family(tiny_model, family):
    backbone = open_pretrained(str(tiny_model(family))).backbone(Head(("a", "b")), freeze="all")
    found = {name for name, parameter in backbone.network.named_parameters() if parameter.requires_grad}
    assert found == backbone.head_parameters


def test_a_number_freezes_the_embeddings_and_so_many_layers_from_below(tiny_model):
    found = learning(tiny_model("bert"), 1)
    assert not any(learns for name, learns in found.items() if "embeddings" in name or ".layer.0." in name)
    assert all(learns for name, learns in found.items() if ".layer.1." in name or "classifier" in name or "pooler" in name)


@pytest.mark.parametrize("family", ["bert", "gpt2", "modernbert", "xlnet", "deberta-v2"])
def test_embeddings_freezes_what_lies_below_all_layers(tiny_model, family):
    found = learning(tiny_model(family), "embeddings")
    table = next(name for name in found if "word_embedding" in name or "wte" in name or "tok_embeddings" in name)
    assert not found[table]
    assert all(learns for name, learns in found.items() if ".layer.0." in name or ".h.0." in name or ".layers.0." in name)


def test_more_layers_than_there_are_is_refused(tiny_model):
    with pytest.raises(ConfigError, match=r"model\.freeze=3 cannot be done: the model has 2 layers"):
        learning(tiny_model("bert"), 3)
    with pytest.raises(ConfigError, match="the model has no list of layers"):
        learning(tiny_model("albert"), 1)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_frozen_weights_are_saved_as_they_were(tiny_model, reviews, tmp_path, precision):
    from transformers import AutoModelForSequenceClassification

    settings = FAST | {"model.freeze": 1, "training.precision": precision}
    run = superfine.train(reviews, model=str(tiny_model("bert")), settings=settings, out=tmp_path / "run", progress=False)
    ours, theirs = (
        dict(AutoModelForSequenceClassification.from_pretrained(folder).named_parameters())
        for folder in (run.folder / "model", tiny_model("bert"))
    )
    same = {name for name in theirs if torch.equal(ours[name], theirs[name])}
    assert {name for name in theirs if "embeddings" in name or ".layer.0." in name} <= same
    assert not any(".layer.1.output.dense.weight" in name for name in same)
