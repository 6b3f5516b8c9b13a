"""Dropout with cheap masks: four of them from every 64 random bits.

torch draws one number of its generator for each element (`bernoulli_`), which took 6 % of a training step on one core; 15 bits
tell a share to within 1/32,768. The bits of a mask come from numpy's SFC64, four times as fast as torch's own, and its seed from
torch's generator, so seeds and resuming work as before.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

DRAWS_PER_WORD = 4
BIT_RANGE = 1 << 15
"""A draw has 16 bits; its lower 15 are compared, so that the difference to a threshold fits and its sign says the result."""
INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
LARGEST = torch.iinfo(torch.int64).max


class FastDropout(nn.Dropout):
    """`nn.Dropout` on the CPU: zeros with probability p (to within 1/32,768), the rest scaled by 1 / (1 - p)."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or self.p == 0.0 or input.device.type != "cpu":
            return super().forward(input)
        return cast(Tensor, _Dropped.apply(input, self.p))  # type: ignore[no-untyped-call]


class _Dropped(torch.autograd.Function):
    """x · mask, remembering the mask alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, p: float) -> Tensor:
        mask = dropout_mask(x.shape, p, x.dtype, x.device)
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return gradients[0] * mask, None


def dropout_mask(shape: torch.Size, p: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Factors of that shape: 0 with probability p (to within 1/32,768), else one over the share that is kept."""
    n = shape.numel()
    threshold = _threshold(p)
    words = np.random.SFC64(int(torch.randint(LARGEST, ()))).random_raw(-(-n // DRAWS_PER_WORD)).view(np.int16)[:n]
    # In place, on the 16-bit integers: the sign of the difference is all ones where an element is kept, and that masks the
    # factor's bits.
    words &= BIT_RANGE - 1
    np.subtract(threshold - 1, words, out=words)
    words >>= 15
    keep = torch.from_numpy(words).to(INTEGERS[dtype.itemsize])
    return keep.bitwise_and_(_factor(p, dtype)).view(dtype).view(shape).to(device)


@cache
def _factor(p: float, dtype: torch.dtype) -> int:
    """The bits of one over the share that is kept."""
    threshold = _threshold(p)
    factor = torch.tensor(BIT_RANGE / (BIT_RANGE - threshold) if threshold < BIT_RANGE else 0.0, dtype=dtype)
    return int(factor.view(INTEGERS[dtype.itemsize]))


def _threshold(p: float) -> int:
    return round(p * BIT_RANGE)


def use_fast_dropout(network: nn.Module) -> None:
    """Give every dropout module of the network the cheap masks."""
    for module in network.modules():
        if type(module) is nn.Dropout:
            module.__class__ = FastDropout
