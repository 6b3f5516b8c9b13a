"""Which number format trains fastest on this machine without costing accuracy."""

from __future__ import annotations

import torch

from superfine.backbones.processor import processor_flags
from superfine.config import PrecisionSetting

FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Processor flags that stand for bfloat16 products in hardware (the last one is Arm's)."""


def choose_precision(setting: PrecisionSetting, device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it in hardware, else float32; or what the user set."""
    if setting != "auto":
        return torch.bfloat16 if setting == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if FAST_BFLOAT16 & processor_flags() else torch.float32


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
