"""How much memory fine-tuning takes, told from a model's configuration before its weights are loaded.

The formula counts what must be held at once; what it leaves out are pages of files, which the system can drop at any time.
`python -m benchmarks.memory` holds it against what runs take.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from superfine.backbones.families import FAMILIES
from superfine.backbones.process import quiet_transformers
from superfine.config import Freeze

MASTER, MOMENTS, GRADIENT = 4, 8, 4
"""Bytes of a number that learns: its value and Adam's two moments of it in float32, and its gradient."""
RUNTIME = 250_000_000
"""Bytes of torch's own buffers, tokenizer and data."""
SAVED_IN_HALF = 300_000_000
"""Bytes in float32 from which on weights are saved in float16: for a moment both are there."""


@dataclass(frozen=True)
class Counts:
    """How many numbers a network has: in its table of word embeddings, in the layers of its body, and in all of it."""

    table: int
    layers: int
    total: int
    n_layers: int
    width: int
    inner: int


@dataclass(frozen=True)
class Plan:
    """What decides the memory of a training. tokens: of a part of a batch that is computed at once. dtype: of the computation.
    adapter: small matrices learn in place of the layers. frozen: as in `model.freeze`; 0 is nothing."""

    tokens: int
    dtype: torch.dtype
    adapter: bool = False
    frozen: Freeze | Literal[0] = 0
    recomputed: bool = False


def counts_of(config: Any, *, layers: int | None = None, pieces: int | None = None) -> Counts | None:
    """Of the network that a configuration describes; None where transformers cannot make it without weights.

    layers, pieces: so many are kept of its layers, and of its vocabulary; None keeps all.
    """
    from transformers import AutoModel

    try:
        with quiet_transformers(), torch.device("meta"):
            network = AutoModel.from_config(config)
        table = network.get_input_embeddings().weight.numel()
    except Exception:  # the types that cannot be made are told when they are loaded
        return None
    in_layers = sum(parameter.numel() for parameter in network.parameters()) - table
    width, n_layers = int(config.hidden_size), int(config.num_hidden_layers)
    inner = int(getattr(config, "intermediate_size", None) or getattr(config, "n_inner", None) or 4 * width)
    if layers is not None and layers < n_layers:
        in_layers, n_layers = in_layers * layers // n_layers, layers
    table = table if pieces is None else min(table, pieces * width)
    return Counts(table, in_layers, table + in_layers, n_layers, width, inner)


def needed_bytes(counts: Counts, plan: Plan, model_type: str) -> int:
    """The most that training, and scoring and saving, hold at once."""
    in_half = plan.dtype == torch.bfloat16 and model_type in FAMILIES
    share = 0.0 if plan.frozen in (0, "embeddings") else 1.0 if plan.frozen == "all" else int(plan.frozen) / counts.n_layers
    frozen = counts.layers if plan.adapter else int(counts.layers * min(1.0, share))
    learning = counts.layers - frozen
    each = MASTER + MOMENTS + GRADIENT + (2 if in_half else 0)
    training = learning * each + frozen * (2 if in_half else 4) + counts.table * MASTER + activations(counts, plan, in_half)
    saving = counts.total * (4 + (2 if 4 * counts.total >= SAVED_IN_HALF else 0))
    return RUNTIME + max(training, saving)


def activations(counts: Counts, plan: Plan, in_half: bool) -> int:
    """What the backward pass needs of the forward pass."""
    size = 2 if in_half else 4
    inside = size * ((20 if plan.adapter else 13) * counts.width + (5 if plan.adapter else 3) * counts.inner)
    kept = size * counts.width if plan.recomputed else inside
    return plan.tokens * (counts.n_layers * kept + inside)


def available_bytes(device: torch.device) -> int | None:
    """What the device can still give; None where it does not say."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    found = [value for value in (_of_machine(), _of_group()) if value is not None]
    return min(found) if found else None


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return None


def _of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What the control group that a container runs in has left, files that it holds in memory not counted."""
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        return None if limit == "max" else int(limit) - used + int(stat.get("inactive_file", 0))
    except (OSError, ValueError):
        return None
