"""How many rows each class has."""

from __future__ import annotations

from superfine.data.checks.inspection import Inspection, finding, label_counts
from superfine.records import Finding

RARE_ROWS = 10
IMBALANCE = 10.0


def rare_class(inspection: Inspection) -> list[Finding]:
    """Classes with fewer than ten training rows."""
    if not inspection.has_classes:
        return []
    rare = {name: n for name, n in label_counts(inspection.train).items() if n < RARE_ROWS}
    rows = [i for i, label in enumerate(inspection.train.label or []) if label in rare]
    named = ", ".join(f'"{name}" ({n})' for name, n in list(rare.items())[:8]) + (" ..." if len(rare) > 8 else "")
    return finding(
        "rare_class",
        "warning",
        rows,
        inspection.train,
        f"{len(rare)} classes have fewer than {RARE_ROWS} training rows: {named}.",
        "Collect more of them, or join classes that mean the same.",
    )


def imbalance(inspection: Inspection) -> list[Finding]:
    """One class has over ten times the rows of another."""
    if not inspection.has_classes:
        return []
    counts = label_counts(inspection.train)
    largest, smallest = next(iter(counts)), next(reversed(counts))
    if counts[largest] <= IMBALANCE * counts[smallest]:
        return []
    rows = [i for i, label in enumerate(inspection.train.label or []) if label == smallest]
    return finding(
        "imbalance",
        "note",
        rows,
        inspection.train,
        f'The class "{largest}" has {counts[largest]} training rows, "{smallest}" has {counts[smallest]}.',
        "Look at macro F1 rather than accuracy; classes are weighted in the loss unless training.class_weights is none.",
    )
