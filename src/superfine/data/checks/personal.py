"""Personal data in texts."""

from __future__ import annotations

from collections import Counter

from superfine.data.checks.inspection import Inspection, finding
from superfine.data.personal import PLACEHOLDERS, find_personal
from superfine.records import Finding


def personal_data(inspection: Inspection) -> list[Finding]:
    """Addresses, numbers and keys that belong to a person."""
    train = inspection.train
    counts: Counter[str] = Counter()
    rows = []
    for i, text in enumerate(train.text):
        found = find_personal(text)
        if train.text_pair is not None:
            found += find_personal(train.text_pair[i])
        if found:
            rows.append(i)
            counts.update({one.kind for one in found})
    advice = "--fix OUT.csv --redact replaces it; superfine train --redact does so in training and in prediction."
    if inspection.names_places:
        advice = "Replace it before texts are labelled: placeholders would move the places that labels name."
    named = ", ".join(f"{PLACEHOLDERS[kind]} {n}" for kind, n in counts.most_common())
    return [
        found.without_texts()
        for found in finding(
            "personal_data",
            "warning",
            rows,
            train,
            f"{len(rows)} training texts hold personal data ({named}). A model and its report can repeat what they were shown.",
            advice,
        )
    ]
