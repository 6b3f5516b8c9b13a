"""JSON Lines (one object per line) and JSON: lists of objects or of pairs, columns, frames of pandas, files of several parts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from superfine.data.encodings import holds_broken_bytes
from superfine.data.files import File
from superfine.data.formats.delimited import NOT_UTF8, encoding_notes
from superfine.data.formats.squad import is_squad, squad_records
from superfine.data.nested import columns_of
from superfine.data.table import BadRow, BadRows, ReadOptions, Table
from superfine.errors import DataError
from superfine.names import did_you_mean

LINES_LOOK_LIKE = 'Each line looks like {"text": "...", "label": "..."}.'
PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval"),
}
"""What the parts of a data set are called in files that hold several."""


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
    with file.lines(encoding, options.on_bytes) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            record, reason = _object(line)
            if encoding.damaged and holds_broken_bytes(line):
                record, reason = None, NOT_UTF8
            if record is None:
                bad.report(BadRow(file.source, number, number, reason, line[:80].rstrip()), LINES_LOOK_LIKE)
                continue
            if len(numbers) == size:
                yield _table(file.source, records, numbers, notes, bad)
                records, numbers, notes = [], [], ()
            records.append(record)
            numbers.append(number)
    yield _table(file.source, records, numbers, notes, bad)


def _table(
    source: str, records: list[dict[str, object]], numbers: list[int], notes: tuple[str, ...] = (), bad: BadRows | None = None
) -> Table:
    columns, nested = columns_of(source, records, numbers)
    return Table(source, columns, np.array(numbers, dtype=np.int64), notes, bad.take() if bad else (), nested)


def read_json(file: File, options: ReadOptions) -> Table:
    """A list of objects or of lists, an object with such a list under some key, or an object of columns. JSON Lines as well."""
    encoding = file.encoding(options)
    text = file.whole_text(encoding)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        if _object(text.lstrip().partition("\n")[0])[0] is not None:
            return read_json_lines(file, options)
        raise DataError(f"{file.source} is not JSON: {_reason(error)}.", "It is read as a list of objects.") from None
    del text
    if is_squad(document):
        questions = squad_records(file.source, document)
        return _table(
            file.source, questions, list(range(1, len(questions) + 1)), tuple(encoding_notes(encoding, file.source, options))
        )
    content, note = _part(file.source, _unwrapped(document), options)
    records = _records(content)
    if records is None:
        raise DataError(f"{file.source} holds no list of objects.", 'It should look like [{"text": "...", "label": "..."}, ...].')
    notes = (*encoding_notes(encoding, file.source, options), *note)
    return _table(file.source, records, list(range(1, len(records) + 1)), notes)


def _unwrapped(document: Any) -> Any:
    """What stands under the only key of an object, where that holds tables: `{"data": {"train": [...]}}`."""
    while isinstance(document, dict) and len(document) == 1:
        inner = next(iter(document.values()))
        if not isinstance(inner, dict) or not any(map(_is_table, inner.values())):
            break
        document = inner
    return document


def _part(source: str, document: Any, options: ReadOptions) -> tuple[Any, tuple[str, ...]]:
    """The part of a file that holds several, and a note that names the others; else the document."""
    parts = {name: value for name, value in document.items() if _is_table(value)} if isinstance(document, dict) else {}
    if options.sheet is not None:
        if options.sheet not in parts:
            there = f"Its parts are: {', '.join(parts)}." if parts else "Leave out --sheet."
            raise DataError(f'{source} has no part "{options.sheet}".{did_you_mean(options.sheet, list(parts))}', there)
        return parts[options.sheet], ()
    if len(parts) < 2 or _is_table(list(document.values())):
        return document, ()
    usual = PARTS.get(options.part or "", ())
    chosen = next((name for name in parts if name.casefold() in usual), next(iter(parts)))
    others = ", ".join(name for name in parts if name != chosen)
    return parts[chosen], (f'{source}: "{chosen}" is read, not {others}; another part: --sheet NAME',)


def _is_table(value: Any) -> bool:
    """Whether this is a list of objects, or of lists of one length that is two or more."""
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(record, dict) for record in value):
        return True
    return all(isinstance(record, list) for record in value) and len({len(record) for record in value}) == 1 and len(value[0]) > 1


def _records(document: Any) -> list[dict[str, Any]] | None:
    """The records of a table in any of its usual shapes, or None."""
    if isinstance(document, list):
        return _from_list(document)
    return _from_object(document) if isinstance(document, dict) and document else None


def _from_object(document: dict[str, Any]) -> list[dict[str, Any]] | None:
    if {"columns", "data"} <= document.keys() and _is_table(document["data"]):  # pandas, orient="split"
        return [dict(zip(map(str, document["columns"]), row, strict=False)) for row in document["data"]]
    if all(isinstance(value, dict) for value in document.values()):
        return _from_frame(document)
    lists = [value for value in document.values() if isinstance(value, list)]
    table = next((value for value in lists if _is_table(value)), None)
    if len(lists) == len(document) and (table is None or len(lists) > 1):
        return _from_columns(document)
    if table is not None:
        return _from_list(table)
    return [document] if not lists else None


def _from_columns(columns: dict[str, list[Any]]) -> list[dict[str, Any]] | None:
    if len({len(column) for column in columns.values()}) > 1 or any(isinstance(c, dict) for v in columns.values() for c in v):
        return None
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def _from_list(rows: list[Any]) -> list[dict[str, Any]] | None:
    """Objects as they are; lists by the names in the first one where these are names, else by their numbers."""
    if all(isinstance(row, dict) for row in rows):
        return rows
    if not _is_table(rows):
        return None
    first, others = rows[0], rows[1:]
    is_header = all(isinstance(name, str) and name.strip() and len(name) < 40 for name in first) and len(set(first)) == len(first)
    repeats = any(row[i] == name for row in others for i, name in enumerate(first))
    if is_header and not repeats and _names_a_column(first):
        return [dict(zip(first, row, strict=True)) for row in others]
    return [{str(i): value for i, value in enumerate(row, start=1)} for row in rows]


def _names_a_column(names: list[str]) -> bool:
    from superfine.data.columns import LABEL_NAMES, TEXT_NAMES

    return bool({name.strip().casefold() for name in names} & {*LABEL_NAMES, *TEXT_NAMES})


def _from_frame(frame: dict[str, dict[str, Any]]) -> list[dict[str, Any]] | None:
    """What pandas writes: an object of columns, each an object by index, or the other way round."""
    inner = list(dict.fromkeys(key for value in frame.values() for key in value))
    if all(map(str.isdecimal, inner)) or (not all(map(str.isdecimal, frame)) and len(frame) < len(inner)):
        return [{name: column.get(index) for name, column in frame.items()} for index in inner]
    return list(frame.values())


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
