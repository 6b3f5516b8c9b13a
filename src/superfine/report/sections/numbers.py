"""Predictions beside the true numbers, as a drawing, and how far they are apart."""

from __future__ import annotations

from typing import Any

from superfine.report.ticks import round_ticks

LEFT, RIGHT, TOP, BOTTOM = 44, 312, 8, 276
"""The drawing area, in units of its view box."""


def numbers(metrics: dict[str, Any]) -> dict[str, Any]:
    """The points (x of the true number, y of the prediction), ticks of both axes, and the quantiles of the residuals."""
    points = metrics["test"]["points"]
    values = [value for point in points for value in point] or [0.0, 1.0]
    low, high = min(values), max(values)
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-300):
        low, high = low - max(0.5, 0.1 * abs(low)), high + max(0.5, 0.1 * abs(high))
    ticks = round_ticks(low, high)
    first, span = ticks[0], ticks[-1] - ticks[0]

    def x(value: float) -> float:
        return round(LEFT + (RIGHT - LEFT) * (value - first) / span, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - first) / span, 1)

    return {
        "points": [(x(true), y(said)) for true, said in points],
        "ticks": [(x(tick), y(tick), f"{tick:g}") for tick in ticks],
        "residuals": metrics["test"]["residuals"],
    }
