"""JSON Lines (one object per line) and JSON (a list of objects, or columns)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np

from superfine.data.encodings import holds_broken_bytes
from superfine.data.files import File
from superfine.data.formats.delimited import NOT_UTF8, encoding_notes
from superfine.data.table import BadRow, BadRows, ReadOptions, Table, as_text, header_of
from superfine.errors import DataError

LINES_LOOK_LIKE = 'Each line looks like {"text": "...", "label": "..."}.'


def read_json_lines(file: File, options: ReadOptions) -> Table:
    """One JSON object per line; keys that a line lacks are empty there."""
    (table,) = json_line_pieces(file, options, None)
    return table


def json_line_pieces(file: File, options: ReadOptions, size: int | None) -> Iterator[Table]:
    """`read_json_lines` in tables of at most `size` rows (None: in one), one at least. Each has the keys of its own lines."""
    encoding = file.encoding(options)
    bad = BadRows(options)
    records: list[dict[str, object]] = []
    numbers: list[int] = []
    notes = tuple(encoding_notes(encoding, file.source, options))
    with file.text(encoding, options.on_bytes) as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            record, reason = _object(line)
            if encoding.damaged and holds_broken_bytes(line):
                record, reason = None, NOT_UTF8
            if record is None:
                bad.report(BadRow(file.source, number, number, reason, line[:80].rstrip()), LINES_LOOK_LIKE)
                continue
            if len(numbers) == size:
                yield Table(file.source, _columns(file.source, records), np.array(numbers, dtype=np.int64), notes, bad.take())
                records, numbers, notes = [], [], ()
            records.append(record)
            numbers.append(number)
    yield Table(file.source, _columns(file.source, records), np.array(numbers, dtype=np.int64), notes, bad.take())


def read_json(file: File, options: ReadOptions) -> Table:
    """A list of objects, an object with such a list under some key, or an object of columns. JSON Lines as well."""
    encoding = file.encoding(options)
    text = file.whole_text(encoding)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        if _object(text.lstrip().partition("\n")[0])[0] is not None:
            return read_json_lines(file, options)
        raise DataError(f"{file.source} is not JSON: {_reason(error)}.", "It is read as a list of objects.") from None
    records = document if isinstance(document, list) else _table_in(document)
    if records is None or not all(isinstance(record, dict) for record in records):
        raise DataError(f"{file.source} holds no list of objects.", 'It should look like [{"text": "...", "label": "..."}, ...].')
    notes = tuple(encoding_notes(encoding, file.source, options))
    return Table(file.source, _columns(file.source, records), np.arange(1, len(records) + 1, dtype=np.int64), notes)


def _table_in(document: object) -> list[dict[str, object]] | None:
    """The records of an object of columns, or the first list of objects in an object."""
    if not isinstance(document, dict):
        return None
    lists = [value for value in document.values() if isinstance(value, list)]
    if lists and len(lists) == len(document) and not any(isinstance(cell, dict) for column in lists for cell in column):
        if len({len(column) for column in lists}) > 1:
            return None
        return [dict(zip(document, cells, strict=True)) for cells in zip(*lists, strict=True)]
    return next((value for value in lists if value and isinstance(value[0], dict)), [document] if not lists else None)


def _object(line: str) -> tuple[dict[str, object] | None, str]:
    """The object in a line, or why there is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return None, f"is not JSON ({_reason(error)})"
    return (value, "") if isinstance(value, dict) else (None, "is not a JSON object")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, line {error.lineno} column {error.colno}" if error.lineno > 1 else error.msg
    return "a number or a nesting in it is too large"


def _columns(source: str, records: list[dict[str, object]]) -> dict[str, list[str]]:
    names = list(dict.fromkeys(name for record in records for name in record))
    trimmed = dict(zip(names, header_of(source, names), strict=True))
    return {trimmed[name]: [cell(record.get(name)) for record in records] for name in names}


def cell(value: object) -> str:
    """A JSON value as text; numbers and nested values as JSON writes them."""
    return as_text(value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False))
