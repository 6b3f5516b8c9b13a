"""Whether the table was read as it was meant: a header, a text column, labels, and few rows without them."""

from __future__ import annotations

import re

from superfine.data.checks.inspection import MAX_ROWS, Inspection, finding, label_counts
from superfine.records import Finding

PLACEHOLDERS = frozenset(
    {"null", "none", "nan", "n/a", "na", "#n/a", "nil", "-", "?", "unknown", "undefined", "missing", "<na>", "\\n", "无", "空"}
)
"""Words by which tables say that there is no value, in lower case."""
LEFT_OUT = 0.3
MANY_WORDS, LONG_NAME = 5, 50
NUMBER = re.compile(r"\s*[-+]?[0-9][0-9.,:/ -]*\s*")


def header_row(inspection: Inspection) -> list[Finding]:
    """Names of columns that look like data: a record taken for the header, or a file with two."""
    reading, train = inspection.reading, inspection.train
    if reading is None or not reading.has_header:
        return []
    columns = reading.columns
    names = [*columns.text, *filter(None, (columns.text_pair,)), *(columns.label if len(columns.label) == 1 else ())]
    odd = next((name for name in names if _looks_like_data(name)), None)
    label = columns.label[0] if len(columns.label) == 1 and columns.label[0] in (train.label or []) else None
    if odd is None and label is None:
        return []
    rows = [(train.label or []).index(label)] if label is not None else [0]
    row = int(train.row[rows[0]])
    message = f'The first row was taken for a header, but "{str(odd)[:60]}" looks like a value: does the file lack a header?'
    if label is not None:
        message = (
            f'The first row was taken for a header, but "{label}" is the name of the label column and a label as well '
            f"(row {row}): does the file lack a header, or have a second one?"
        )
    return finding(
        "header_row",
        "warning",
        rows,
        train,
        message,
        "If the file has no header: --no-header, and name the columns by their numbers, --text 1 --label 2.",
    )


def _looks_like_data(name: str) -> bool:
    return len(name) > LONG_NAME or len(name.split()) > MANY_WORDS or bool(NUMBER.fullmatch(name))


def placeholder_label(inspection: Inspection) -> list[Finding]:
    """Classes called by a word that means that there is no value."""
    words = [name for name in label_counts(inspection.train) if name.casefold() in PLACEHOLDERS]
    rows = [i for i, label in enumerate(inspection.train.label or []) if label in words]
    named = ", ".join(f'"{word}"' for word in words[:5])
    return finding(
        "placeholder_label",
        "warning",
        rows,
        inspection.train,
        f"A class is called by a word that usually stands for a missing value: {named}.",
        "If these rows have no label, empty their labels: rows without one are left out.",
    )


def left_out_rows(inspection: Inspection) -> list[Finding]:
    """A large part of the rows has no text or no label."""
    reading = inspection.reading
    if reading is None or reading.n_left_out < LEFT_OUT * max(1, reading.n_read):
        return []
    n, n_kept = reading.n_left_out, reading.n_read - reading.n_left_out
    return [
        Finding(
            "left_out_rows",
            "warning",
            n,
            n / reading.n_read,
            (),
            f"{n} of {reading.n_read} training rows have no text or no label and are left out; {n_kept} are used.",
            "Are the columns the right ones? Name them with --text and --label.",
        )
    ]


def numeric_text(inspection: Inspection) -> list[Finding]:
    """The text column holds numbers."""
    texts = inspection.train.text
    rows = [i for i, text in enumerate(texts) if NUMBER.fullmatch(text)]
    if len(rows) <= 0.5 * len(texts):
        return []
    return finding(
        "numeric_text",
        "warning",
        rows,
        inspection.train,
        f"{len(rows)} of {len(texts)} texts are numbers.",
        "Is the text column the right one? Name it with --text.",
    )


def broken_row(inspection: Inspection) -> list[Finding]:
    """Records that could not be read, left out on request."""
    bad_rows = inspection.bad_rows
    if not bad_rows:
        return []
    n, total = len(bad_rows), len(bad_rows) + (inspection.reading.n_read if inspection.reading else len(inspection.train))
    first = bad_rows[0]
    return [
        Finding(
            "broken_row",
            "warning",
            n,
            n / total,
            tuple(bad.row for bad in bad_rows[:MAX_ROWS]),
            f"{n} records cannot be read and are left out; the first is row {first.row}: {first.reason}",
            "Mend them in the file; they are not in any score.",
        )
    ]
