"""The written-out layer has the gradients that its forward pass has, with dropout, for all tokens or for those that are read."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from superfine.backbones.packed.attention import packed
from superfine.backbones.packed.layout import Layout
from superfine.backbones.packed.post_norm import PostNormLayer

WIDTH, WIDE, HEADS = 6, 10, 2
LAYOUT = Layout.of(torch.tensor([2, 3, 5]))


def make_layer(activation=F.gelu, dropout: float = 0.0) -> PostNormLayer:
    torch.manual_seed(0)
    shapes = {"query": (WIDTH, WIDTH), "key": (WIDTH, WIDTH), "value": (WIDTH, WIDTH), "attended": (WIDTH, WIDTH)}
    shapes |= {"widen": (WIDTH, WIDE), "narrow": (WIDE, WIDTH)}
    linear = {name: nn.Linear(*shape).double() for name, shape in shapes.items()}
    norms = {name: nn.LayerNorm(WIDTH).double() for name in ("attention_norm", "output_norm")}
    for norm in norms.values():
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    dropouts = {name: nn.Dropout(dropout) for name in ("attention_dropout", "attended_dropout", "output_dropout")}
    return PostNormLayer(n_heads=HEADS, activation=activation, **linear, **norms, **dropouts)


def parameters(layer: PostNormLayer) -> list[nn.Parameter]:
    return [p for module in vars(layer).values() if isinstance(module, nn.Module) for p in module.parameters()]


@pytest.mark.parametrize("read", [None, LAYOUT.first, LAYOUT.last], ids=["all tokens", "first tokens", "last tokens"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("activation", [F.gelu, torch.tanh])
def test_gradients_are_those_of_finite_differences(activation, dropout, read):
    layer = make_layer(activation, dropout)
    hidden = torch.randn(LAYOUT.n_tokens, WIDTH, dtype=torch.float64, requires_grad=True)

    def computed(hidden, *_):
        torch.manual_seed(7)
        with packed(LAYOUT):
            return layer(hidden, read)

    assert computed(hidden).shape == (LAYOUT.n_tokens if read is None else LAYOUT.n_sequences, WIDTH)
    assert torch.autograd.gradcheck(computed, (hidden, *parameters(layer)), atol=1e-6)


def test_what_is_read_is_what_the_whole_layer_gives_there():
    layer, hidden = make_layer(), torch.randn(LAYOUT.n_tokens, WIDTH, dtype=torch.float64)
    with packed(LAYOUT), torch.no_grad():
        torch.testing.assert_close(layer(hidden, LAYOUT.last), layer(hidden, None)[LAYOUT.last])


@pytest.mark.parametrize("name", ["attention_dropout", "attended_dropout", "output_dropout"])
def test_each_dropout_acts_and_in_training_alone(name):
    layer, hidden = make_layer(), torch.randn(LAYOUT.n_tokens, WIDTH, dtype=torch.float64)
    dropout = getattr(layer, name)
    with packed(LAYOUT), torch.no_grad():
        plain = layer(hidden, None)
        dropout.p = 0.5
        assert not torch.allclose(layer(hidden, None), plain)
        dropout.eval()
        assert torch.equal(layer(hidden, None), plain)


def test_frozen_weights_get_no_gradient_and_the_others_the_same():
    gradients = []
    for frozen in (False, True):
        layer = make_layer()
        for p in (layer.query.weight, layer.narrow.bias, layer.output_norm.weight):
            p.requires_grad_(not frozen)
        with packed(LAYOUT):
            layer(torch.ones(LAYOUT.n_tokens, WIDTH, dtype=torch.float64), None).pow(3).sum().backward()
        gradients.append([p.grad for p in parameters(layer)])
    without = [b is None for b in gradients[1]]
    assert sum(without) == 3
    for expected, found in zip(*gradients, strict=True):
        assert found is None or torch.equal(found, expected)
