"""Each class with its precision, recall and F1, the worst first."""

from __future__ import annotations

from typing import Any


def classes(metrics: dict[str, Any]) -> dict[str, Any]:
    """rows: name to scores as they stand in the metrics, with where F1 and its interval stand in per cent of an axis from 0 to 1;
    classes of which nothing is known come last."""
    per_class = metrics["test"]["per_class"]
    by_f1 = sorted(per_class, key=lambda name: per_class[name]["f1"]["value"] if per_class[name]["f1"] else 2.0)
    return {"rows": {name: per_class[name] | {"bar": _bar(per_class[name]["f1"])} for name in by_f1}}


def _bar(score: dict[str, float | None] | None) -> dict[str, float] | None:
    if score is None or score["value"] is None:
        return None
    low, high = (score[end] if score[end] is not None else other for end, other in (("low", 0.0), ("high", 1.0)))
    return {"at": 100 * score["value"], "left": 100 * (low or 0.0), "width": 100 * ((high or 0.0) - (low or 0.0))}
