"""The order of the rows: by label, or by time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from superfine.data.checks.inspection import Inspection, finding, label_counts
from superfine.data.times import seconds_of
from superfine.records import Finding

FEWEST_ROWS, SORTED_SHARE = 20, 0.2
MOST_PARSED = 2000


def sorted_by_label(inspection: Inspection) -> list[Finding]:
    """Rows that stand together by label."""
    labels = inspection.train.label or []
    n = len(labels)
    if not inspection.has_classes or n < FEWEST_ROWS:
        return []
    shares = np.array(list(label_counts(inspection.train).values())) / n
    usual = (n - 1) * (1 - float((shares**2).sum()))
    n_changes = sum(a != b for a, b in pairwise(labels))
    if usual < 2 or n_changes > SORTED_SHARE * usual:
        return []
    return finding(
        "sorted_by_label",
        "note",
        list(range(n)),
        inspection.train,
        f"The rows are sorted by label: it changes {n_changes} times from row to row, where chance would give {usual:.0f}.",
        "Here rows are drawn from each class and shuffled. A test part that is the end of the file would miss classes.",
    )


def time_order(inspection: Inspection) -> list[Finding]:
    """A column of times, where a test part is not later than what is learned from."""
    train, test = inspection.train, inspection.test
    column = _time_column(inspection)
    if column is None:
        return []
    learned = _times(train.columns[column])
    later = None
    if inspection.test_is_given and test is not None and column in test.columns:
        scored = _times(test.columns[column])
        later = bool(scored and learned and min(scored) >= max(learned))
    if later:
        return []
    said = f'The rows carry a time (column "{column}"): a random test part is from the same days as the rows to learn from.'
    if later is not None:
        said = f'The rows carry a time (column "{column}"), and test rows are not later than the rows to learn from.'
    return finding(
        "time_order",
        "note",
        list(range(len(train))),
        train,
        said,
        "The score is that of texts of these days. For texts that are still to come, test on the latest rows: --time COLUMN.",
    )


def _time_column(inspection: Inspection) -> str | None:
    reading, columns = inspection.reading, inspection.train.columns
    read = set() if reading is None else {*reading.columns.text, reading.columns.text_pair, *reading.columns.label}
    for name, values in columns.items():
        some = [value for value in values[:MOST_PARSED] if value.strip()]
        if name not in read and len(some) >= FEWEST_ROWS and len(set(some)) > 1 and len(_times(some)) > 0.95 * len(some):
            return name
    return None


def _times(values: Sequence[str]) -> list[float]:
    """Seconds of those that are a time."""
    return [seconds for value in values if (seconds := seconds_of(value)) is not None]
