"""Cheap masks drop the right share, scale what stays, pass gradients alike, and follow torch's seed."""

import pytest
import torch
from torch import nn

from superfine.backbones.packed.dropout import FastDropout, use_fast_dropout


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_share_and_the_mean_are_those_of_dropout(p, dtype):
    torch.manual_seed(0)
    x = torch.ones(1000, 999, dtype=dtype)
    out = FastDropout(p)(x)
    dropped = float((out == 0).float().mean())
    assert dropped == pytest.approx(p, abs=0.002)
    assert float(out[out != 0].float().mean()) == pytest.approx(1 / (1 - p), rel=0.01)


def test_lanes_are_independent_of_their_neighbours():
    torch.manual_seed(0)
    kept = (FastDropout(0.5)(torch.ones(4_000_000)) != 0).float().view(-1, 4)
    correlations = torch.corrcoef(kept.T) - torch.eye(4)
    assert float(correlations.abs().max()) < 0.005


def test_the_gradient_passes_where_the_value_passed():
    torch.manual_seed(1)
    x = torch.randn(50, 33, requires_grad=True)
    out = FastDropout(0.3)(x)
    out.sum().backward()
    torch.testing.assert_close(x.grad, (out != 0) / 0.7, rtol=1e-4, atol=0)


def test_the_seed_decides_and_evaluation_changes_nothing():
    layer, x = FastDropout(0.4), torch.randn(10, 7)
    masks = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        masks.append(layer(x))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])
    assert torch.equal(layer.eval()(x), x)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_and_everything_can_be_dropped(p):
    x = torch.ones(9)
    assert torch.equal(FastDropout(p)(x), x * (1 - p))


def test_only_plain_dropout_modules_are_replaced():
    network = nn.Sequential(nn.Dropout(0.2), nn.Linear(2, 2), nn.Dropout2d(0.2))
    use_fast_dropout(network)
    assert [type(m) for m in network] == [FastDropout, nn.Linear, nn.Dropout2d]
    assert network[0].p == 0.2
