"""What more labelled rows would bring: the score by the number of rows, measured and expected."""

from __future__ import annotations

from typing import Any

from superfine.metrics import title_of
from superfine.report.panel import Panel


def more_rows(metrics: dict[str, Any]) -> dict[str, Any]:
    """panels: the drawing. points: (rows, score) that were measured; gains: (more rows, gain, low, high) as they are written."""
    curve, main = metrics["learning_curve"], metrics["main"]
    title = title_of(main)
    points = [(point["n"], point["value"]) for point in curve["points"]]
    last = points[-1]
    expected = [(last[0] + gain["more"], last[1] + gain["value"]) for gain in curve["gains"]]
    lows = [last[1] + gain["low"] for gain in curve["gains"]]
    highs = [last[1] + gain["high"] for gain in curve["gains"]]
    values = [value for _, value in [*points, *expected]]
    ends = min([*values, *lows]), max([*values, *highs])
    show = (lambda tick: f"{100 * tick:.4g} %") if title.unit == "percent" else "{:g}".format
    most = float(max(n for n, _ in [*points, *expected]))
    panel = Panel.empty(title.long, "training rows", (0.0, most), ends, show_y=show)
    by_n: dict[int, list[float]] = {}
    for n, value in points:
        by_n.setdefault(n, []).append(value)
    panel.line("measured", "validation", [(float(n), sum(of) / len(of)) for n, of in sorted(by_n.items())])
    if expected:
        of_rows = [float(n) for n, _ in [last, *expected]]
        panel.line("expected, with 95 % interval", "training", list(zip(of_rows, [v for _, v in [last, *expected]], strict=True)))
        for edge in (lows, highs):
            panel.line(
                "",
                "training",
                [(float(n), value) for (n, _), value in zip([last, *expected], [last[1], *edge], strict=True)],
                dots=False,
            )
    factor, digits = (1.0, 3) if title.unit == "number" else (100.0, 1)
    gains = [
        [f"+{gain['more']}", *(f"{factor * gain[end]:+.{digits}f}".replace("-", "−") for end in ("value", "low", "high"))]
        for gain in curve["gains"]
    ]
    return {"panels": [panel], "points": [[n, value] for n, value in points], "gains": gains, "in_points": title.unit != "number"}
