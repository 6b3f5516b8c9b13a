"""Which number format trains fastest on this machine without costing accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]
FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Processor flags that stand for bfloat16 products in hardware (the last one is Arm's)."""


def choose_precision(setting: Precision, device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it in hardware, else float32; or what the user set."""
    if setting != "auto":
        return torch.bfloat16 if setting == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if FAST_BFLOAT16 & processor_flags() else torch.float32


def processor_flags() -> set[str]:
    """The flags that Linux lists for the first processor; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    words = next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")
    return set(words.split())


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
