"""Where the marks of an axis stand."""

from __future__ import annotations

import math


def round_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """About `wanted` intervals that hold low to high and meet at round numbers: 1, 2, 2.5 or 5 times a power of ten apart."""
    least = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10 - math.floor(math.log10(step))) for k in range(first, last + 1)]
