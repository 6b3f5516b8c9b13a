"""Which number format trains fastest on this machine without costing accuracy."""

from __future__ import annotations

import torch

from superfine.backbones.processor import multiplies_bfloat16
from superfine.config import PrecisionSetting


def choose_precision(setting: PrecisionSetting, device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it in hardware, else float32; or what the user set."""
    if setting != "auto":
        return torch.bfloat16 if setting == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    return torch.bfloat16 if multiplies_bfloat16() else torch.float32


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
