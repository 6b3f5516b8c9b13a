"""Whether training and test are written alike."""

from __future__ import annotations

from superfine.data.checks.inspection import Inspection, finding
from superfine.data.scripts import han_kind
from superfine.records import Finding

MOST_TEXTS = 2000


def chinese_script(inspection: Inspection) -> list[Finding]:
    """Simplified characters in training and traditional ones in the test, or the reverse: a model reads the other kind less well
    (`python -m benchmarks.traditional`)."""
    if inspection.test is None:
        return []
    learned, scored = (han_kind(part.text[:MOST_TEXTS]) for part in (inspection.train, inspection.test))
    if not learned or not scored or learned == scored:
        return []
    return finding(
        "chinese_script",
        "warning",
        list(range(len(inspection.test))),
        inspection.test,
        "The training texts are in simplified Chinese characters, the test texts in traditional ones, read less well."
        if learned == "simplified"
        else "The training texts are in traditional Chinese characters, the test texts in simplified ones, read less well.",
        "Convert one of the two (OpenCC does it), here and wherever the model will be used, or train on both kinds.",
    )
