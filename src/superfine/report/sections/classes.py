"""Each class with its precision, recall and F1."""

from __future__ import annotations

from typing import Any


def classes(metrics: dict[str, Any]) -> dict[str, Any]:
    """The scores by class stand in the metrics as they are shown."""
    return {"rows": metrics["test"]["per_class"]}
