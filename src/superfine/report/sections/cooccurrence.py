"""Which labels stand together, in truth and as the model says."""

from __future__ import annotations

from typing import Any

MOST_PAIRS = 15


def cooccurrence(metrics: dict[str, Any]) -> dict[str, Any]:
    """The pairs of labels that are together most often, from the cells [label, other, texts with both, said to have both]."""
    labels, test = metrics["labels"], metrics["test"]
    pairs = sorted(test["cooccurrence"], key=lambda cell: -max(cell[2:]))[:MOST_PAIRS]
    return {"pairs": [(labels[i], labels[j], true, said) for i, j, true, said in pairs], "per_text": test["labels_per_text"]}
