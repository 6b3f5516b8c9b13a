"""Gradient checkpointing gives the same gradients, packed and padded, and really computes the layers twice and keeps less."""

import numpy as np
import pytest
import torch

from superfine.backbones.adapters import make_adapter
from superfine.backbones.batch import collate
from superfine.backbones.load import open_pretrained
from superfine.records import Examples, Head
from tests.conftest import FAMILIES, SENSITIVE_FAMILIES

TEXTS = ["a lovely lamp", "the hinge broke after a week and nobody answered", "no", "it works " * 5]


def gradients(folder, *, recomputed, packed=True, adapter=None):
    """With the family's own dropout, from one random state; and the bytes that are kept for the backward pass."""
    pretrained = open_pretrained(str(folder))
    torch.manual_seed(0)
    chosen = None if adapter is None else make_adapter(adapter)
    backbone = pretrained.backbone(Head(("a", "b", "c")), adapter=chosen)
    if packed:
        backbone.pack_if_sound()
    if recomputed:
        backbone.recompute_layers()
    backbone.network.train()
    encoded = pretrained.encoder(48).encode(Examples.of_texts(TEXTS))
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    own = {parameter.data_ptr() for parameter in backbone.network.parameters()}
    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = backbone.logits(collate(encoded, np.arange(len(TEXTS)))).square().sum()
    loss.backward()
    size = sum(n for place, n in kept.items() if place not in own)
    return {name: p.grad for name, p in backbone.network.named_parameters() if p.grad is not None}, size


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, atol=1e-5, rtol=1e-4), name


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_are_the_same_and_less_is_kept_in_every_family(tiny_model, family):
    found, small = gradients(tiny_model(family), recomputed=True)
    expected, large = gradients(tiny_model(family), recomputed=False)
    same(found, expected)
    assert small < 0.6 * large, (small, large)


@pytest.mark.parametrize("family", ["bert", "llama", "deberta-v2"])
def test_so_they_are_with_padding_and_with_an_adapter(tiny_model, family):
    pytest.importorskip("peft", reason="the extra `lora` is not installed")
    for ways in ({"packed": False}, {"adapter": {"lora": {"r": 2}}}):
        same(
            gradients(tiny_model(family), recomputed=True, **ways)[0], gradients(tiny_model(family), recomputed=False, **ways)[0]
        )


@pytest.mark.parametrize("family", list(SENSITIVE_FAMILIES))
def test_so_they_are_in_a_family_that_is_not_known(tiny_model, family):
    same(gradients(tiny_model(family), recomputed=True)[0], gradients(tiny_model(family), recomputed=False)[0])
