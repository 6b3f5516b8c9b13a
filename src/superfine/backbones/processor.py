"""What this machine's processor can do, as far as it decides which number format and which kernel is fastest."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal

FAST_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}
"""Processor flags that stand for bfloat16 products in hardware (the last one is Arm's)."""
InstructionSet = Literal["amx", "avx512", "other"]


@cache
def processor_flags() -> frozenset[str]:
    """The flags that Linux lists for the first processor. Empty on other systems, where the defaults are the safe ones."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    words = next((line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))), "")
    return frozenset(words.split())


def multiplies_bfloat16() -> bool:
    """Whether the processor has products of bfloat16 in hardware."""
    return bool(FAST_BFLOAT16 & processor_flags())


def instruction_set() -> InstructionSet:
    """The widest matrix instructions: tiles (AMX), 512-bit vectors, or anything else."""
    flags = processor_flags()
    return "amx" if "amx_bf16" in flags else "avx512" if "avx512f" in flags else "other"
