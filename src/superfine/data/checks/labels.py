"""Labels that look like one class written in several ways."""

from __future__ import annotations

from superfine.data.checks.inspection import Inspection, finding, label_counts
from superfine.data.labels import merge_key, repr_label
from superfine.records import Finding


def label_spelling(inspection: Inspection) -> list[Finding]:
    """Classes whose names differ only in case, white space, width, or in letters that look alike."""
    if not inspection.has_classes:
        return []
    spellings: dict[str, list[str]] = {}
    for name in label_counts(inspection.train):
        spellings.setdefault(merge_key(name), []).append(name)
    alike = [names for names in spellings.values() if len(names) > 1]
    doubtful = {name for names in alike for name in names}
    rows = [i for i, label in enumerate(inspection.train.label or []) if label in doubtful]
    named = "; ".join(" = ".join(map(repr_label, names)) for names in alike[:5])
    return finding(
        "label_spelling",
        "warning",
        rows,
        inspection.train,
        f"Classes that differ only in how they are written: {named}.",
        "If they mean the same: --merge-labels",
    )
