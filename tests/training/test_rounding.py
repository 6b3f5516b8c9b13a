"""Weights that are saved in float16 are rounded before the model is scored, and only where no answer is lost."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from superfine.metrics import softmax
from superfine.records import Examples
from superfine.training import rounding
from superfine.training.rounding import alike, round_weights
from tests.conftest import load_for_classification, make_rows, model_of


@pytest.fixture
def model(tiny_model):
    backbone = load_for_classification(str(tiny_model("bert")), ["bad", "good"])
    backbone.pack_if_sound()
    backbone.network.eval()
    return model_of(backbone)


ROWS = Examples.of_texts([text for text, _ in make_rows(40)])


@pytest.fixture
def encoded(model):
    return model.encoder.encode(ROWS)


def weights(model):
    return {name: p.detach().clone() for name, p in model.backbone.network.named_parameters()}


def are_rounded(model) -> bool:
    return all(torch.equal(p, p.half().float()) for p in model.backbone.network.parameters())


def test_a_small_model_stays_as_it_is(model, encoded):
    before = weights(model)
    assert not round_weights(model, "auto", ROWS, encoded)
    assert all(torch.equal(p, before[name]) for name, p in model.backbone.network.named_parameters())
    assert model.backbone.saved_dtype == torch.float32


def test_a_large_model_is_rounded_and_every_weight_of_its_table_too(model, encoded, monkeypatch):
    monkeypatch.setattr(rounding, "LARGE", 1000)
    assert not are_rounded(model)
    assert round_weights(model, "auto", ROWS, encoded)
    assert are_rounded(model)
    assert model.backbone.saved_dtype == torch.float16


def test_float32_is_kept_where_it_is_asked_for(model, encoded, monkeypatch):
    monkeypatch.setattr(rounding, "LARGE", 1000)
    assert not round_weights(model, "float32", ROWS, encoded)
    assert not are_rounded(model)


def test_where_an_answer_would_change_nothing_is_rounded(model, encoded, monkeypatch):
    monkeypatch.setattr(rounding, "LARGE", 1000)
    monkeypatch.setattr(rounding, "alike", lambda *_: False)
    before = weights(model)
    assert not round_weights(model, "auto", ROWS, encoded)
    assert all(torch.equal(p, before[name]) for name, p in model.backbone.network.named_parameters())


def test_the_answers_that_are_compared_are_those_of_the_rounded_weights(model, encoded, monkeypatch):
    seen = []
    monkeypatch.setattr(rounding, "LARGE", 1000)
    monkeypatch.setattr(rounding, "alike", lambda before, after, _: seen.append((before, after)) or True)
    round_weights(model, "auto", ROWS, encoded)
    (before, after), outputs = seen[0], model.outputs(encoded)
    assert not np.array_equal(before, after)
    assert np.allclose(after, softmax(outputs), atol=1e-7)


def test_a_weight_too_large_for_the_format_keeps_float32(model, encoded):
    with torch.no_grad():
        model.backbone.network.classifier.weight[0, 0] = 1e6
    assert not round_weights(model, "float16", ROWS, encoded)
    assert not are_rounded(model)


@pytest.mark.parametrize(
    ("after", "expected"), [([[0.5004, 0.4996]], True), ([[0.508, 0.492]], False), ([[0.4999, 0.5001]], False)]
)
def test_alike_is_the_same_class_and_nearly_the_same_probability(after, expected):
    assert alike(np.array([[0.5001, 0.4999]]), np.array(after), "softmax") is expected


def test_the_saved_folder_is_half_as_large_and_plain_transformers_computes_it_in_float32(model, encoded, tmp_path):
    from transformers import AutoModelForSequenceClassification

    round_weights(model, "float16", ROWS, encoded)
    model.backbone.save(tmp_path, 64)
    assert {tensor.dtype for tensor in load_file(tmp_path / "model.safetensors").values()} == {torch.float16}
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))["dtype"] == "float32"
    opened = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert opened.dtype == torch.float32
    for name, parameter in opened.named_parameters():
        assert torch.equal(parameter, model.backbone.network.get_parameter(name)), name


def test_a_tensor_under_two_names_is_written_once_and_buffers_are_rounded_too(tiny_model, tmp_path):
    backbone = load_for_classification(str(tiny_model("bart")), ["bad", "good"])
    backbone.network.register_buffer("statistics", torch.full((3,), 0.1))
    model = model_of(backbone)
    backbone.save(tmp_path / "whole", 64)
    one = Examples.of_texts(["good"])
    assert round_weights(model, "float16", one, model.encoder.encode(one))
    assert torch.equal(backbone.network.statistics, torch.full((3,), 0.1).half().float())
    backbone.save(tmp_path / "half", 64)
    names = [set(load_file(tmp_path / folder / "model.safetensors")) for folder in ("whole", "half")]
    assert names[0] == names[1]
