"""Parquet, with the class names that Hugging Face's data sets keep beside their numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from superfine.data.files import File
from superfine.data.nested import columns_of, words_and_tags
from superfine.data.table import ReadOptions, Table, as_text, header_of
from superfine.errors import DataError, first_line
from superfine.extras import require


def read_parquet(file: File, options: ReadOptions) -> Table:
    """Every column as text, the fields of a structure as columns of their own; rows are numbered from 1."""
    require("files", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    try:
        with file.binary() as stream:
            # Its threads, still starting when a short program ends, abort it.
            table = pyarrow.parquet.read_table(stream, use_threads=False, pre_buffer=False)
        column_names = list(table.column_names)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{file.source} is no Parquet file that can be read: {error}.", "Write it again, or as CSV.") from None
    names = _class_names(table.schema.metadata or {})
    rows = range(1, table.num_rows + 1)
    columns: dict[str, list[str]] = {}
    nested: dict[str, str] = {}
    headers = dict(zip(header_of(file.source, column_names), column_names, strict=True))
    lists = {header for header, name in headers.items() if pyarrow.types.is_nested(table.schema.field(name).type)}
    if together := words_and_tags(lists):
        read = [with_names(table.column(headers[one]).to_pylist(), names.get(headers[one])) for one in together]
        records = [dict(zip(together, cells, strict=True)) for cells in zip(*read, strict=True)]
        columns, nested = columns_of(file.source, records, rows)
    for header, name in headers.items():
        if header in together or (together and header in columns):
            continue
        column = table.column(column_names.index(name))
        values = _values(file.source, name, column)
        if pyarrow.types.is_nested(column.type):
            flat, several = columns_of(file.source, [{header: value} for value in values], rows)
            columns |= flat
            nested |= several
        else:
            columns[header] = [as_text(value) for value in with_names(values, names.get(name))]
    return Table(file.source, columns, np.arange(1, table.num_rows + 1, dtype=np.int64), nested=nested)


def _values(source: str, name: str, column: Any) -> list[Any]:
    """The values of a column in Python. Raises DataError for bytes that are no text."""
    import pyarrow
    import pyarrow.types as kinds

    try:
        if kinds.is_binary(column.type) or kinds.is_large_binary(column.type) or kinds.is_fixed_size_binary(column.type):
            return [None if value is None else value.decode() for value in column.to_pylist()]
        return list(column.to_pylist())
    except UnicodeDecodeError:
        row = next((i for i, value in enumerate(column, start=1) if not _is_text(value)), 1)
        raise DataError(
            f'{source}: the column "{name}" holds bytes that are not UTF-8, the first in row {row}.',
            "Write the file again with its texts decoded.",
        ) from None
    except (pyarrow.ArrowException, OverflowError, ValueError):
        pass  # dates that Python has no name for
    try:
        return list(column.cast(pyarrow.string()).to_pylist())
    except (pyarrow.ArrowException, OverflowError, ValueError) as error:
        raise DataError(
            f'{source}: the column "{name}" cannot be read: {first_line(error)}.', "Write the file again without it."
        ) from None


def _is_text(value: Any) -> bool:
    """Whether a value of Arrow can be one of Python, where text and bytes are UTF-8."""
    try:
        plain = value.as_py()
        return not isinstance(plain, bytes) or plain.decode() is not None
    except UnicodeDecodeError:
        return False


def with_names(values: list[Any], names: list[str] | None) -> list[Any]:
    """Class numbers by their names, inside lists too; -1, which stands for an unknown class, is empty."""
    if not names:
        return values
    if any(isinstance(value, list) for value in values):
        return [with_names(value, names) if isinstance(value, list) else value for value in values]
    return ["" if value is None or value < 0 else names[value] if value < len(names) else value for value in values]


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Column to class names, from the schema's `huggingface` entry (datasets.ClassLabel)."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    described = {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    inner = {name: feature["feature"] for name, feature in described.items() if isinstance(feature.get("feature"), dict)}
    return {name: feature["names"] for name, feature in {**described, **inner}.items() if feature.get("names")}
