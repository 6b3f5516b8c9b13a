"""How long the training texts are, and how many each class has."""

from __future__ import annotations

from typing import Any

from superfine.report.panel import Panel

ACROSS = "classes, the largest first"
MOST_LENGTHS = 20
"""What comes after these holds all that is longer."""
MOST_BARS = 100
"""More classes are a line, and the page lists the largest; `metrics.json` has all."""


def sizes(metrics: dict[str, Any]) -> dict[str, Any]:
    """panels: training texts by their tokens, and the classes by their training texts, the largest first. lengths: [fewest
    tokens, fewest of the next, texts]. classes: (name, texts)."""
    lengths = metrics["data"]["lengths"]
    width = lengths[1][0] - lengths[0][0] if len(lengths) > 1 else max(1, lengths[0][0])
    panels = [_bars("Training texts by their length", "tokens that are read", [low for low, _ in lengths], width, lengths)]
    classes = sorted(metrics["data"]["class_sizes"].items(), key=lambda item: -item[1])
    if len(classes) > MOST_BARS:
        every = -(-len(classes) // MOST_BARS)
        points = [(i + 0.5, count) for i, (_, count) in list(enumerate(classes))[::every]]
        panel = Panel.empty("Training texts of each class", ACROSS, (0.0, len(classes)), (0.0, max(1, classes[0][1])))
        panel.line("", "validation", points, dots=False)
        panels.append(panel)
    elif classes:
        places = [i + 0.5 for i in range(len(classes))]
        ranked = list(enumerate(count for _, count in classes))
        panels.append(_bars("Training texts of each class", ACROSS, places, 1, ranked))
    return {
        "panels": panels,
        "lengths": [(low, low + width, count) for low, count in lengths[:MOST_LENGTHS]],
        "longer": lengths[MOST_LENGTHS] if len(lengths) > MOST_LENGTHS else None,
        "classes": classes[:MOST_BARS],
    }


def _bars(title: str, across: str, starts: list[float], width: float, counts: list[Any]) -> Panel:
    heights = [count for _, count in counts]
    panel = Panel.empty(
        title, across, (starts[0], starts[-1] + width), (0.0, max([1, *heights])), show_x=lambda tick: f"{tick:.6g}"
    )
    panel.bars(starts, width, [("", "hit", heights)])
    return panel
