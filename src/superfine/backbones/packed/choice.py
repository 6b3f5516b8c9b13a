"""From how many tokens on flash attention is the faster kernel on this machine, measured before training."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from superfine.backbones.memory import freed_memory_is_kept
from superfine.backbones.packed.kernels import flash, flash_backward, products, products_backward

TRAINING, SCORING, SCORING_BFLOAT16 = WORKS = ("training", "scoring", "scoring_bfloat16")
"""Training in the run's precision, scoring in float32 and in bfloat16: each has its own answer."""
CANDIDATES = (128, 256, 512)
"""Below, texts share lines, and plain products were faster on every processor that was tried."""
TOKENS = {SCORING: 2048, TRAINING: 4096}
"""As batches have: plain products of a few lines stay in the caches, and those of many do not."""
REPEATS = 4
MARGIN = 0.9
"""Flash attention is taken where it needs less than this share of the time, so that chance seldom decides."""


Race = Callable[[Callable[[], None], Callable[[], None]], tuple[float, float]]
"""Gives the seconds of one call of each."""


def fastest_flash_from(
    n_heads: int, width: int, dtype: torch.dtype, longest: int, *, with_gradients: bool, race: Race | None = None
) -> int | None:
    """The shortest of `CANDIDATES` from which on flash attention is faster, or None.

    width: of a head. longest: tokens of the longest text; longer lines are not tried. race: how two kernels are timed.
    """
    generator = torch.Generator().manual_seed(0)
    found = None
    for length in reversed([candidate for candidate in CANDIDATES if candidate <= longest]):
        shape = (TOKENS[TRAINING if with_gradients else SCORING] // length, n_heads, length, width)
        q, k, v, d_out = (torch.randn(shape, generator=generator).to(dtype) for _ in range(4))
        by_flash = partial(_by_flash, q, k, v, d_out if with_gradients else None)
        by_products = partial(_by_products, q, k, v, d_out if with_gradients else None)
        with freed_memory_is_kept():  # as it is while a model trains or scores
            flash_seconds, products_seconds = (race or fastest_calls)(by_flash, by_products)
        if flash_seconds > MARGIN * products_seconds:
            break
        found = length
    return found


def _by_flash(q: Tensor, k: Tensor, v: Tensor, d_out: Tensor | None) -> None:
    _, kept = flash(q, k, v, None)
    if d_out is not None:
        flash_backward(kept, d_out, None)


def _by_products(q: Tensor, k: Tensor, v: Tensor, d_out: Tensor | None) -> None:
    _, kept = products(q, k, v, None)
    if d_out is not None:
        products_backward(kept, d_out)


def fastest_calls(first: Callable[[], None], second: Callable[[], None]) -> tuple[float, float]:
    """The shortest of a few calls of each, made in turns."""
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(REPEATS):
        for kernel, taken in zip((first, second), seconds, strict=True):
            started = time.perf_counter()
            kernel()
            taken.append(time.perf_counter() - started)
    return min(seconds[0]), min(seconds[1])
