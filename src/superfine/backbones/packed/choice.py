"""From how many tokens on flash attention is the faster kernel on this machine: measured before training, once.

What was measured is kept in the user's cache folder, so that the same command computes in the same way again.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from superfine.backbones.memory import freed_memory_is_kept
from superfine.backbones.packed.kernels import flash, flash_backward, products, products_backward
from superfine.data.kept_tokens import cache_folder

WORKS = {
    (torch.float32, True): "training",
    (torch.bfloat16, True): "training_bfloat16",
    (torch.float32, False): "scoring",
    (torch.bfloat16, False): "scoring_bfloat16",
}
"""What has an answer of its own, by the format and by whether gradients are wanted."""
ANSWERS = "attention.json"
CANDIDATES = (128, 256, 512)
"""Below, texts share lines, and plain products were faster on every processor that was tried."""
TOKENS = {False: 2048, True: 4096}
"""By whether gradients are wanted, as batches have: plain products of few lines stay in the caches, and those of many do not."""
REPEATS = 4
MARGIN = 0.9
"""Flash attention is taken where it needs less than this share of the time, so that chance seldom decides."""


Race = Callable[[Callable[[], None], Callable[[], None]], tuple[float, float]]
"""Gives the seconds of one call of each."""


def recalled_flash_from(n_heads: int, width: int, dtype: torch.dtype, longest: int, *, with_gradients: bool) -> int | None:
    """What `fastest_flash_from` said on this machine when it was first asked."""
    candidates = [candidate for candidate in CANDIDATES if candidate <= longest]
    if not candidates:
        return None
    work, machine = WORKS[dtype, with_gradients], f"{platform.node()} {torch.backends.cpu.get_cpu_capability()}"
    question = f"{machine} torch {torch.__version__} {torch.get_num_threads()} {n_heads} {width} {work} {candidates[-1]}"
    path = cache_folder() / ANSWERS
    answers = _read(path)
    if question not in answers:
        answers[question] = fastest_flash_from(n_heads, width, dtype, longest, with_gradients=with_gradients)
        _write(path, answers)
    return answers[question]


def _read(path: Path) -> dict[str, int | None]:
    try:
        answers = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    fine = isinstance(answers, dict) and all(answer is None or answer in CANDIDATES for answer in answers.values())
    return answers if fine else {}


def _write(path: Path, answers: dict[str, int | None]) -> None:
    """Whole or not at all; what cannot be written is measured again."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps(answers, indent=1), encoding="utf-8")
        fresh.replace(path)


def fastest_flash_from(
    n_heads: int, width: int, dtype: torch.dtype, longest: int, *, with_gradients: bool, race: Race | None = None
) -> int | None:
    """The shortest of `CANDIDATES` from which on flash attention is faster, or None.

    width: of a head. longest: tokens of the longest text; longer lines are not tried. race: how two kernels are timed.
    """
    generator = torch.Generator().manual_seed(0)
    found = None
    for length in reversed([candidate for candidate in CANDIDATES if candidate <= longest]):
        shape = (TOKENS[with_gradients] // length, n_heads, length, width)
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
