"""Parquet, with the class names that Hugging Face's data sets keep beside their numbers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from superfine.data.files import File
from superfine.data.table import ReadOptions, Table, as_text, header_of
from superfine.errors import DataError
from superfine.extras import require


def read_parquet(file: File, options: ReadOptions) -> Table:
    """Every column as text; rows are numbered from 1."""
    require("files", "pyarrow")
    import pyarrow
    import pyarrow.parquet

    try:
        with file.binary() as stream:
            # Its threads, still starting when a short program ends, abort it.
            table = pyarrow.parquet.read_table(stream, use_threads=False, pre_buffer=False)
    except pyarrow.ArrowException as error:
        raise DataError(f"{file.source} is no Parquet file that can be read: {error}.") from None
    names = _class_names(table.schema.metadata or {})
    columns = {
        header: [as_text(value) for value in with_names(table.column(name).to_pylist(), names.get(name))]
        for header, name in zip(header_of(file.source, table.column_names), table.column_names, strict=True)
    }
    return Table(file.source, columns, np.arange(1, table.num_rows + 1, dtype=np.int64))


def with_names(values: list[Any], names: list[str] | None) -> list[Any]:
    """Class numbers by their names; -1, which stands for an unknown class, is empty."""
    if not names:
        return values
    return ["" if value is None or value < 0 else names[value] if value < len(names) else value for value in values]


def _class_names(metadata: dict[bytes, bytes]) -> dict[str, list[str]]:
    """Column to class names, from the schema's `huggingface` entry (datasets.ClassLabel)."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return {name: feature["names"] for name, feature in features.items() if isinstance(feature, dict) and feature.get("names")}
