"""Tables that are already in memory: columns by name, a pandas or polars frame, a `datasets.Dataset`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from superfine.data.formats.parquet import with_names
from superfine.data.nested import columns_of, words_and_tags
from superfine.data.table import Table, as_text, is_missing, listed
from superfine.errors import DataError

SOURCE = "the given table"


def from_frame(frame: Any) -> Table:
    """Anything with named columns of equal length. Raises DataError for what has none, or has values that are no cells."""
    names = _column_names(frame)
    lists = {str(name).strip(): _column(frame, name) for name in names}
    if len(lists) < len(names):
        raise DataError("Two columns of the given table have the same name.", "Rename one of them.")
    n_rows = {len(values) for values in lists.values()}
    if len(n_rows) != 1 or n_rows == {0}:
        raise DataError(f"The columns {listed(lists) or 'of the given table'} hold no rows, or not the same number of rows.")
    n = n_rows.pop()
    columns: dict[str, list[str]] = {}
    nested: dict[str, str] = {}
    together = words_and_tags({name for name, values in lists.items() if any(_is_nested(value) for value in values)})
    if together:
        records = [
            dict(zip(together, map(_plain, cells), strict=True))
            for cells in zip(*(lists[name] for name in together), strict=True)
        ]
        columns, nested = columns_of(SOURCE, records, range(1, n + 1))
    for name, values in lists.items():
        if name in together or (together and name in columns):
            continue
        if any(_is_nested(value) for value in values):
            records = [{name: _plain(value)} for value in values]
            flat, several = columns_of(SOURCE, records, range(1, n + 1))
            columns |= flat
            nested |= several
        else:
            columns[name] = [_cell(name, row, value) for row, value in enumerate(values, start=1)]
    return Table(SOURCE, columns, np.arange(1, n + 1, dtype=np.int64), nested=nested)


def _is_nested(value: Any) -> bool:
    return isinstance(value, list | tuple | dict | np.ndarray)


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, numbers of NumPy as those of Python, at every depth."""
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _cell(name: str, row: int, value: Any) -> str:
    if not isinstance(value, bytes | bytearray):
        return as_text(value)
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        message = f'The column "{name}" of the given table holds bytes that are not UTF-8, in row {row}.'
        raise DataError(message, "Decode them: .decode()") from None


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
    if getattr(values, "ndim", 1) != 1 or isinstance(values, str):
        raise DataError(f'The column "{name}" of the given table is no list of values.', "Give one value for each row.")
    feature = getattr(frame, "features", {}).get(name) if hasattr(frame, "column_names") else None
    inner = getattr(feature, "feature", None)
    return with_names(list(values), getattr(feature, "names", None) or getattr(inner, "names", None))


class NotTextsError(TypeError, ValueError):
    """What was handed over is no list of texts. A ValueError too, which is what scikit-learn expects of an estimator."""


def as_texts(values: Any, name: str = "texts") -> list[str]:
    """A list of strings from a list, an array, a series or anything else that gives them one after the other.

    Half of a surrogate pair, which is no character, becomes U+FFFD. Raises NotTextsError for anything else, with what to hand
    over: a table would give the names of its columns, and a set no order.
    """
    if isinstance(values, str | bytes):
        raise NotTextsError(f"one text is not a list of texts: {name} should be [text]")
    columns = _names_of_columns(values)
    if columns:
        which = f"{name}[{columns[0]!r}]"
        raise NotTextsError(f"{name} is a list of texts, not a table with the columns {listed(columns)}: hand over one, {which}")
    if getattr(values, "ndim", 1) != 1 or hasattr(values, "toarray"):
        raise NotTextsError(f"{name} is a list of texts, not a table ({type(values).__name__}): hand over one column")
    if isinstance(values, set | frozenset) or not isinstance(values, Iterable):
        raise NotTextsError(f"{name} is a list of texts, not a {type(values).__name__}")
    texts = list(values)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            what = f"missing ({text!r})" if is_missing(text) else f"no string but {type(text).__name__}"
            raise NotTextsError(f"{name}[{i}] is {what}")
        if not text.isascii():
            texts[i] = as_text(text)
    return texts


def _names_of_columns(values: Any) -> list[str]:
    """Of a mapping, a data frame or a Dataset; none of anything else."""
    if isinstance(values, Mapping):
        return [str(name) for name in values]
    names = getattr(values, "column_names", None)
    names = getattr(values, "columns", None) if names is None else names
    return [str(name) for name in names] if isinstance(names, Iterable) else []
