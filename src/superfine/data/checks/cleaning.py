"""What cleaning takes out of the texts."""

from __future__ import annotations

from collections import Counter

from superfine.data.checks.inspection import Inspection, finding
from superfine.data.clean import is_clean, removed_parts
from superfine.records import Finding

LIMIT = 0.01
MOST_NAMED = 4


def removed_by_cleaning(inspection: Inspection) -> list[Finding]:
    """Markup and invisible characters that cleaning removes from more than a hundredth of the texts."""
    train = inspection.train
    if not inspection.cleans:
        return []
    rows: list[int] = []
    parts: Counter[str] = Counter()
    for i, text in enumerate(train.text):
        pair = "" if train.text_pair is None else train.text_pair[i]
        if not (is_clean(text) and is_clean(pair)) and (found := set(removed_parts(text) + removed_parts(pair))):
            rows.append(i)
            parts.update(found)
    if len(rows) <= LIMIT * len(train):
        return []
    named = ", ".join(f"{part} ({n})" for part, n in parts.most_common(MOST_NAMED))
    return finding(
        "removed_by_cleaning",
        "note",
        rows,
        train,
        f"Cleaning takes something out of {len(rows)} training texts ({len(rows) / len(train):.0%}), most often: {named}.",
        "If it means something to you: --set data.cleaning=false",
    )
