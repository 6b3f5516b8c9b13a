"""Several tests at once: of twenty looks at nothing, one is significant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from superfine.records import FloatArray


def holm(p_values: Sequence[float] | FloatArray) -> FloatArray:
    """(m,) adjusted p-values, of which the chance that any of them falls below a level without cause is at most that level
    (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(adjusted, 1.0)
    return found
