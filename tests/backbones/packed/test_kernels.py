"""Both kernels of attention give one result, with its gradients, in either format and whatever the shapes."""

import pytest
import torch

from superfine.backbones.packed import kernels
from superfine.backbones.packed.kernels import flash, flash_backward, products, products_backward

BOUNDS = {torch.float32: 2e-5, torch.bfloat16: 0.1}
"""Of values of size one: eight bits of mantissa remain in bfloat16."""


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("query_length", "length"), [(97, 97), (3, 128), (200, 200), (1, 65)])
@pytest.mark.parametrize("width", [4, 20, 33, 64])
@pytest.mark.parametrize("dtype", BOUNDS)
def test_values_and_gradients_are_equal(dtype, width, query_length, length, masked):
    torch.manual_seed(width + length)
    q, k, v = (torch.randn(2, 3, n, width).to(dtype) for n in (query_length, length, length))
    q, d_out = q * width**-0.5, torch.randn_like(q)
    mask = None
    if masked:
        mask = torch.zeros(2, 1, query_length, length, dtype=dtype)
        mask[1, :, :, length // 2 :] = float("-inf")
    expected, saved = products(q, k, v, mask)
    found, flash_saved = flash(q, k, v, mask)
    pairs = zip(
        (expected, *products_backward(saved, d_out)),
        (found, *flash_backward(flash_saved, d_out, mask)),
        (q, q, k, v),
        strict=True,
    )
    for theirs, ours, like in pairs:
        assert theirs.shape == ours.shape == like.shape
        assert theirs.is_contiguous()
        assert ours.is_contiguous()
        assert float((theirs - ours).abs().max()) < BOUNDS[dtype]


@pytest.mark.parametrize(
    ("flags", "scoring", "training"),
    [
        ({"amx_bf16", "avx512f"}, (256, 128), (256, kernels.TOO_LONG)),
        ({"avx512f"}, (256, kernels.TOO_LONG), (kernels.TOO_LONG, kernels.TOO_LONG)),
        ({"avx2"}, (kernels.TOO_LONG, kernels.TOO_LONG), (kernels.TOO_LONG, kernels.TOO_LONG)),
        (set(), (kernels.TOO_LONG, kernels.TOO_LONG), (kernels.TOO_LONG, kernels.TOO_LONG)),
    ],
)
def test_the_processor_and_the_format_decide_the_kernel_and_no_stopwatch(flags, scoring, training, monkeypatch):
    monkeypatch.setattr("superfine.backbones.processor.processor_flags", lambda: frozenset(flags))
    for with_gradients, expected in ((False, scoring), (True, training)):
        found = tuple(kernels.flash_from(dtype, with_gradients=with_gradients) for dtype in (torch.float32, torch.bfloat16))
        assert found == expected
