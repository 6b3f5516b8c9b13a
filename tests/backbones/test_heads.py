"""The head is found in the network itself; one from an earlier life is moved by the names of its classes, or starts anew."""

import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import superfine
from superfine.backbones.heads import output_layer
from superfine.records import Examples
from tests.conftest import DECODERS, FAMILIES, FAST, load_for_classification, make_rows, model_of
from tests.training.test_loop import new_run

TEXTS = [text for text, _ in make_rows(20, seed=8)]
OUTPUT = {"roberta": "classifier.out_proj", "xlm-roberta": "classifier.out_proj", "electra": "classifier.out_proj"}
OUTPUT |= {**dict.fromkeys(DECODERS, "score"), "xlnet": "logits_proj"}


def logits(folder, labels):
    backbone = load_for_classification(str(folder), labels)
    model = model_of(backbone, labels)
    return model.outputs(model.encoder.encode(Examples.of_texts(TEXTS))), backbone


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "nomic_bert"])  # its files have other names
def test_what_starts_from_random_values_is_what_the_checkpoint_lacks(tiny_model, family):
    folder = tiny_model(family)
    backbone = load_for_classification(str(folder), ["a", "b", "c"])
    held = set(load_file(folder / "model.safetensors"))
    prefix = f"{backbone.network.base_model_prefix}."
    lacking = {name for name, _ in backbone.network.named_parameters() if name.removeprefix(prefix) not in held}
    assert backbone.fresh == lacking
    assert any(name.startswith(OUTPUT.get(family, "classifier")) for name in backbone.fresh)
    assert not any(f"{prefix}pooler" in name for name in backbone.fresh), "the tiny checkpoints have their poolers"
    assert backbone.notes == ()


def test_all_above_the_body_learns_at_the_rate_of_the_head_a_pooler_with_and_without_weights_too(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model("bert"), tmp_path / "model")
    weights = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in weights.items() if "pooler" not in k}, folder / "model.safetensors", metadata={"format": "pt"})

    for path in (folder, tiny_model("bert")):
        run = new_run(path, head_learning_rate_multiplier=10.0)
        groups = {id(p): group["peak_rate"] for group in run.optimiser.dense.param_groups for p in group["params"]}
        network = run.model.backbone.network
        assert groups[id(network.base_model.pooler.dense.weight)] == pytest.approx(10 * 2e-3)
        assert groups[id(network.classifier.weight)] == pytest.approx(10 * 2e-3)
        assert groups[id(network.base_model.encoder.layer[0].output.dense.weight)] == pytest.approx(2e-3)


@pytest.mark.parametrize("family", ["bert", "roberta", "gpt2", "xlnet", "distilbert"])
def test_a_head_for_the_same_classes_is_moved_to_the_order_asked_for(tiny_model, tmp_path, family):
    trained = load_for_classification(str(tiny_model(family)), ["no", "maybe", "yes"])
    trained.save(tmp_path, 32)
    before, _ = logits(tmp_path, ["no", "maybe", "yes"])
    after, backbone = logits(tmp_path, ["yes", "no", "maybe"])
    np.testing.assert_allclose(after, before[:, [2, 0, 1]], atol=1e-6)
    assert backbone.fresh == frozenset()
    assert backbone.network.config.id2label == {0: "yes", 1: "no", 2: "maybe"}
    assert "same classes: training goes on" in backbone.notes[0]


@pytest.mark.parametrize("labels", [["red", "green", "blue"], ["no", "yes"], ["no", "maybe", "yes", "never"]])
def test_a_head_for_other_classes_starts_anew_whatever_their_number(tiny_model, tmp_path, labels):
    load_for_classification(str(tiny_model("roberta")), ["no", "maybe", "yes"]).save(tmp_path, 32)
    saved = load_file(tmp_path / "model.safetensors")
    backbone = load_for_classification(str(tmp_path), labels)
    assert backbone.fresh == {"classifier.out_proj.weight", "classifier.out_proj.bias"}
    layer = output_layer(backbone.network)
    assert layer is backbone.network.classifier.out_proj
    assert layer.out_features == len(labels)
    old = saved["classifier.out_proj.weight"]
    n = min(len(old), len(labels))
    assert not torch.isclose(layer.weight[:n], old[:n]).any()
    assert 0.01 < float(layer.weight.detach().std()) < 0.04, "as wide as the model's own new weights"
    assert not layer.bias.detach().any()
    assert "other classes: a new one is trained" in backbone.notes[0]


def test_a_run_on_a_trained_model_says_what_became_of_its_head(reviews, trained, tmp_path, capsys):
    superfine.train(reviews, model=str(trained.folder), out=tmp_path / "run", settings=FAST, progress=True)
    assert "same classes: training goes on from it" in " ".join(capsys.readouterr().err.split())
