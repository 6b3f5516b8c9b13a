"""Labels that are lists of spans, in every usual way to write them, checked against their texts."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from superfine.errors import DataError
from superfine.records import Examples
from superfine.tasks.task import labels_of

STARTS, ENDS, TYPES = ("start", "start_offset"), ("end", "end_offset"), ("label", "labels", "type", "entity")
"""How tools name what a span has: Label Studio, doccano, spaCy and others."""


class Span(NamedTuple):
    """A span of a text: start and end in its characters, the end excluded, and its type."""

    start: int
    end: int
    label: str


def span_records(cell: Any) -> list[Mapping[str, Any]] | None:
    """The spans that a cell lists, as mappings with `start`, `end` and `label`; None for a cell that is no list of spans."""
    if not isinstance(cell, str):
        return None
    if not cell:
        return []
    if cell[0] not in "[{":
        return None
    found = _as_value(cell)
    if not isinstance(found, list | dict):
        return None
    # A list of one span is read as that span.
    if isinstance(found, dict) or (isinstance(found, list) and len(found) == 3 and not isinstance(found[0], list | tuple | dict)):
        found = [found]
    records = [_record(one) for one in found]
    return None if any(record is None for record in records) else [record for record in records if record is not None]


def _as_value(cell: str) -> Any:
    """A cell as JSON or as Python writes it, which is how frames are exported; None for anything else."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(cell)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return None


def _record(value: Any) -> Mapping[str, Any] | None:
    """One span in any of its usual forms: `[start, end, type]`, or a mapping under the names of some tool."""
    if isinstance(value, list | tuple) and len(value) == 3:
        start, end, label = value
        return _record({"start": start, "end": end, "label": label})
    if not isinstance(value, dict):
        return None
    start, end, label = (next((value[name] for name in names if name in value), None) for names in (STARTS, ENDS, TYPES))
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    start, end = (int(place) if isinstance(place, float) and place.is_integer() else place for place in (start, end))
    if not all(isinstance(place, int) and not isinstance(place, bool) for place in (start, end)) or not isinstance(label, str):
        return None
    more = {name: value[name] for name in ("text", "column") if name in value}
    return {"start": start, "end": end, "label": label.strip(), **more}


def all_spans(examples: Examples) -> list[list[Span]]:
    """The spans of each row, in the order of the text. Raises DataError that names the row of what cannot be read."""
    return [_spans(examples, i) for i in range(len(labels_of(examples)))]


def _spans(examples: Examples, i: int) -> list[Span]:
    cell, text, row = labels_of(examples)[i], examples.text[i], f"{examples.source}: row {int(examples.row[i])}"
    records = span_records(cell)
    if records is None:
        raise DataError(
            f'{row} has "{cell[:60]}{"…" if len(cell) > 60 else ""}", which is no list of spans.',
            'A span is [start, end, "type"], or {"start": …, "end": …, "label": …}, in characters of the text.',
        )
    if examples.column_starts is None:
        spans = sorted(_checked(records, text, row))
    else:
        spans = sorted(_checked_in_columns(records, examples, i, row))
    for before, after in pairwise(dict.fromkeys(spans)):
        if after.start < before.end:
            raise DataError(
                f"{row}: the spans {before.start} to {before.end} ({before.label}) and {after.start} to {after.end} "
                f"({after.label}) overlap.",
                "A word can be in one span alone: keep one of the two.",
            )
    return list(dict.fromkeys(spans))  # two annotators may agree


def _checked_in_columns(records: Sequence[Mapping[str, Any]], examples: Examples, i: int, row: str) -> Iterator[Span]:
    """The spans of a text that is made of columns, in characters of the whole text. Raises DataError for one that names none of
    them."""
    names = examples.text_columns
    starts = [] if examples.column_starts is None else examples.column_starts[i].tolist()
    for record in records:
        column = record.get("column")
        if column not in names:
            raise DataError(
                f"{row}: the span from {record['start']} to {record['end']} ({record['label']}) does not say in which column it "
                f"stands, of {', '.join(names)}.",
                'Write it: {"column": …, "start": …, "end": …, "label": …}, or name the one column with --text.',
            )
        start = starts[names.index(column)]
        later = [other for other in starts if other > start]
        cell = examples.text[i][start : min(later) - 1 if later else None] if start >= 0 else ""
        for span in _checked([record], cell, f"{row}, column {column}"):
            yield Span(span.start + start, span.end + start, span.label)


def _checked(records: Sequence[Mapping[str, Any]], text: str, row: str) -> Iterator[Span]:
    """The spans without the blanks at their ends. Raises DataError for one that is out of the text or not what it should be."""
    places = _places_of_code_units(text) if any(ord(character) > 0xFFFF for character in text) else None
    for record in records:
        start, end, label = record["start"], record["end"], record["label"]
        written = record.get("text")
        if places is not None and isinstance(written, str) and text[start:end] != written:
            # Tools that run in a browser count UTF-16 code units, of which an emoji has two.
            units = places.get(start), places.get(end)
            if None not in units and text[units[0] : units[1]] == written:
                start, end = units
        if not 0 <= start < end <= len(text):
            raise DataError(
                f"{row}: a span from {start} to {end} ({label}) does not fit its text, which has {len(text)} characters.",
                "Start and end count characters from 0, and the end is excluded.",
            )
        if not label:
            raise DataError(f"{row}: the span from {start} to {end} has no type.", "Name what it is.")
        if isinstance(written, str) and text[start:end].strip() != written.strip():
            raise DataError(
                f'{row}: the span from {start} to {end} should be "{written[:40]}", and there stands "{text[start:end][:40]}".',
                "Start and end count characters of the text from 0. Is the text column the one that was marked?",
            )
        span = text[start:end]
        if not span.strip():
            raise DataError(f"{row}: the span from {start} to {end} ({label}) holds blanks alone.", "Leave it out.")
        begin = start + len(span) - len(span.lstrip())
        yield Span(begin, begin + len(span.strip()), label)


def _places_of_code_units(text: str) -> dict[int, int]:
    """Place in UTF-16 code units → place in characters."""
    units = np.concatenate([[0], np.cumsum([1 + (ord(character) > 0xFFFF) for character in text])])
    return {int(unit): i for i, unit in enumerate(units)}
