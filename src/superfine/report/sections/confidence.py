"""Whether a confidence can be trusted, what is gained by answering only where it is high, and of two classes each threshold."""

from __future__ import annotations

from typing import Any

from superfine.metrics import CONFIDENCE_STEP
from superfine.report.panel import Panel


def confidence(metrics: dict[str, Any]) -> dict[str, Any]:
    """panels: right answers by confidence; how often each confidence is; right answers by the share that is answered, the surest
    first; for two classes the ROC and the precision-recall curve. groups, histogram, thresholds: the numbers of them."""
    test = metrics["test"]
    groups, histogram = test["calibration"], test["confidence"]
    thresholds = test.get("thresholds")
    return {
        "panels": [_calibration(groups), _histogram(histogram), _answered(groups), *(_curves(thresholds) if thresholds else [])],
        "groups": groups,
        "histogram": [(low, low + CONFIDENCE_STEP, right, wrong) for low, right, wrong in histogram],
        "thresholds": thresholds,
    }


def _percent(value: float) -> str:
    return f"{100 * value:.4g}"


def _calibration(groups: list[list[float]]) -> Panel:
    least = min([0.9, *(sure for sure, _, _ in groups), *(right for _, right, _ in groups)])
    ends = (max(0.0, least - 0.02), 1.0)
    panel = Panel.empty(
        "Right answers, in per cent, by their confidence", "confidence, in per cent", ends, ends, _percent, _percent,
        note="On the dashed line a confidence says how often the answer is right; below it the model is too sure.",
    )  # fmt: skip
    panel.diagonal()
    panel.line("", "validation", [(sure, right) for sure, right, _ in groups])
    return panel


def _histogram(histogram: list[list[float]]) -> Panel:
    most = max([1.0, *(right + wrong for _, right, wrong in histogram)])
    lowest = histogram[0][0] if histogram else 0.0
    title = "Test texts by the confidence of their answer"
    panel = Panel.empty(title, "confidence, in per cent", (lowest, 1.0), (0.0, most), _percent)
    panel.bars(
        [low for low, _, _ in histogram],
        CONFIDENCE_STEP,
        [("wrong", "miss", [wrong for _, _, wrong in histogram]), ("right", "hit", [right for _, right, _ in histogram])],
    )
    return panel


def _answered(groups: list[list[float]]) -> Panel:
    points, right, n = [], 0.0, 0.0
    every = max(1.0, sum(count for _, _, count in groups))
    for _, share, count in reversed(groups):
        right, n = right + share * count, n + count
        points.append((n / every, right / n))
    least = min([0.95, *(share for _, share in points)])
    panel = Panel.empty(
        "Right answers, in per cent, if only the surest texts are answered", "share of the texts that is answered, in per cent",
        (0.0, 1.0), (max(0.0, least - 0.01), 1.0), _percent, _percent,
    )  # fmt: skip
    panel.line("", "validation", points)
    return panel


def _curves(thresholds: dict[str, Any]) -> list[Panel]:
    points = thresholds["points"]
    whole = (0.0, 1.0)
    roc = Panel.empty("ROC curve", "false positive rate, in per cent", whole, whole, _percent, _percent)
    roc.diagonal()
    roc.line("", "validation", [(0.0, 0.0), *((false, recall) for _, recall, false, _ in points)], dots=False)
    least = min([0.9, *(precision for _, _, _, precision in points)])
    trade = Panel.empty("Precision by recall", "recall, in per cent", whole, (max(0.0, least - 0.02), 1.0), _percent, _percent)
    trade.line("", "validation", [(recall, precision) for _, recall, _, precision in points], dots=False)
    return [roc, trade]
