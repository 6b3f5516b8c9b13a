"""Whether a confidence can be trusted, and what is gained by answering only where it is high."""

from __future__ import annotations

from typing import Any

from superfine.report.ticks import round_ticks

LEFT, RIGHT, TOP, BOTTOM = 44, 304, 8, 216
"""The drawing areas, in units of their view boxes."""


def confidence(metrics: dict[str, Any]) -> dict[str, Any]:
    """Two drawings of groups of test texts with similar confidence: points (x of the mean confidence, y of the share that is
    right) beside the diagonal; and by the share of texts that is answered, the surest first, the share of these that is right."""
    groups = metrics["test"]["calibration"]
    least = min([0.9, *(sure for sure, _, _ in groups), *(right for _, right, _ in groups)])
    ticks = round_ticks(max(0.0, least - 0.02), 1.0)
    answered, right, n = [], 0.0, 0
    for _, share, count in reversed(groups):
        right, n = right + share * count, n + count
        answered.append((n, right / n))
    shares = [share for _, share in answered]
    upwards = round_ticks(max(0.0, min([0.95, *shares]) - 0.01), 1.0)
    return {
        "calibration": {
            "points": [(_x(sure, ticks), _y(share, ticks)) for sure, share, _ in groups],
            "ticks": [(_x(tick, ticks), _y(tick, ticks), f"{100 * tick:.0f}") for tick in ticks],
        },
        "answered": {
            "points": [(_x(count / max(1, n), [0.0, 1.0]), _y(share, upwards)) for count, share in answered],
            "ticks": [(_y(tick, upwards), f"{100 * tick:g}") for tick in upwards],
            "across": [(_x(share, [0.0, 1.0]), f"{100 * share:.0f}") for share in (0.0, 0.25, 0.5, 0.75, 1.0)],
        },
        "groups": [(sure, share, count) for sure, share, count in groups],
    }


def _x(value: float, ticks: list[float]) -> float:
    return round(LEFT + (RIGHT - LEFT) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 1)


def _y(value: float, ticks: list[float]) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * (value - ticks[0]) / (ticks[-1] - ticks[0]), 1)
