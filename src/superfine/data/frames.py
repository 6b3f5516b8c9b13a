"""Tables that are already in memory: columns by name, a pandas or polars frame, a `datasets.Dataset`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from superfine.data.formats.parquet import with_names
from superfine.data.table import Table, as_text
from superfine.errors import DataError

SOURCE = "the given table"


def from_frame(frame: Any) -> Table:
    """Anything with named columns of equal length. Raises DataError for what has none."""
    names = _column_names(frame)
    columns = {str(name).strip(): [as_text(value) for value in _column(frame, name)] for name in names}
    n_rows = {len(column) for column in columns.values()}
    if len(n_rows) != 1 or n_rows == {0}:
        raise DataError(
            f"The columns {', '.join(map(str, names)) or 'of the given table'} hold no rows, or not the same number of rows."
        )
    return Table(SOURCE, columns, np.arange(1, n_rows.pop() + 1, dtype=np.int64))


def _column_names(frame: Any) -> list[Any]:
    if hasattr(frame, "collect") and hasattr(frame, "collect_schema") and not hasattr(frame, "to_dict"):
        raise DataError(f"A {type(frame).__name__} holds no rows yet.", "Give what .collect() returns.")
    if isinstance(frame, Mapping) and not hasattr(frame, "column_names"):
        return list(frame)
    names = getattr(frame, "column_names", None) or getattr(frame, "columns", None)
    if isinstance(names, Mapping) or isinstance(frame, Mapping):
        raise DataError(
            f"A {type(frame).__name__} holds several tables: {', '.join(map(str, frame))}.",
            'Give one of them, for example data["train"], and test=data["test"].',
        )
    if names is None:
        raise DataError(
            f"A {type(frame).__name__} cannot be read as a table.",
            "Give a file's name, a mapping of names to columns, a data frame or a Dataset.",
        )
    return list(names)


def _column(frame: Any, name: Any) -> list[Any]:
    values = frame[name]
    feature = getattr(frame, "features", {}).get(name) if hasattr(frame, "column_names") else None
    return with_names(list(values), getattr(feature, "names", None))
