"""From files to parts: reading, choosing columns, and setting rows aside for validation and test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from superfine.config import DataConfig, RunConfig, validate_options
from superfine.data.clean import same_text_keys
from superfine.data.columns import ColumnChoice, Dropped, choose_columns, to_examples
from superfine.data.read import Table, read_table
from superfine.data.split import split
from superfine.errors import DataError
from superfine.records import Examples, IntArray
from superfine.tasks import TASKS
from superfine.tasks.classification import Classification

Source = Path | str | Mapping[str, Any]


@dataclass(frozen=True)
class Parts:
    """The rows by their use, with the class ids of each part."""

    train: Examples
    validation: Examples
    test: Examples
    task: Classification
    columns: ColumnChoice
    dropped: dict[str, Dropped]

    def targets(self, part: Examples) -> IntArray:
        return self.task.encode(part)

    def sizes(self) -> dict[str, int]:
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def prepare(data: Source, validation: Source | None, test: Source | None, config: RunConfig) -> Parts:
    """Read what was given and set aside what was not.

    Raises DataError for files, columns or labels that cannot be used.
    """
    settings = config.data
    table = as_table(data)
    columns = choose_columns(table, settings.text, settings.text_pair, settings.label, settings.group)
    rows, dropped = to_examples(table, columns)
    lost = {"train": dropped}
    _refuse_unusable(rows, columns)
    task_type: type[Classification] = TASKS.load(config.task.name)
    validate_options(TASKS.kind, config.task.name, task_type.Options, config.task.options)
    task = task_type.from_labels(rows.label or [])

    given: dict[str, Examples] = {}
    for name, source in (("validation", validation), ("test", test)):
        if source is not None:
            other = as_table(source)
            given[name], lost[name] = to_examples(other, _same_columns(other, columns), keep_empty=name == "test")
            if not len(given[name]):
                raise DataError(f"{given[name].source} holds no row with a text and a label.")
            task.encode(given[name])

    test_rows = given.get("test")
    if test_rows is None:
        rows, test_rows = _set_aside(rows, task, settings.test_share, config.seed, "test")
    validation_rows = given.get("validation")
    if validation_rows is None:
        share = min(settings.validation_share, settings.validation_rows / len(rows))
        rows, validation_rows = _set_aside(rows, task, share, config.seed + 1, "validation")
    return Parts(rows, validation_rows, test_rows, task, columns, lost)


def as_table(source: Source) -> Table:
    """A file, or columns handed over from Python (a mapping of names to values, or a data frame)."""
    if isinstance(source, str | Path):
        return read_table(source)
    names = [str(name) for name in source]
    columns = {str(name): [_cell(value) for value in source[name]] for name in source}
    n_rows = {len(column) for column in columns.values()}
    if len(n_rows) != 1 or n_rows == {0}:
        raise DataError(f"The columns {', '.join(names)} hold no rows, or not the same number of rows.")
    return Table("the given columns", columns, np.arange(1, n_rows.pop() + 1, dtype=np.int64))


def _cell(value: object) -> str:
    """A value as text; what stands for a missing one (None, NaN, pandas' NA) is empty."""
    try:
        missing = value is None or bool(value != value)  # noqa: PLR0124
    except TypeError:  # NA refuses to be true or false
        missing = True
    return "" if missing else str(value)


def resolved(settings: DataConfig, columns: ColumnChoice) -> DataConfig:
    """The data section with every column that was found written down."""
    chosen = {"text": list(columns.text), "text_pair": columns.text_pair, "label": columns.label, "group": columns.group}
    return settings.model_copy(update=chosen)


def _same_columns(table: Table, columns: ColumnChoice) -> ColumnChoice:
    group = columns.group if columns.group in table.columns else None
    return choose_columns(table, columns.text, columns.text_pair, columns.label, group)


def _refuse_unusable(rows: Examples, columns: ColumnChoice) -> None:
    if not len(rows):
        raise DataError(
            f"{rows.source} holds no row with a text and a label ({columns.describe()}).",
            "Name the columns with --text and --label.",
        )
    if len(rows) > 1 and len(set(rows.text)) == 1 and len(set(rows.text_pair or [])) <= 1:
        raise DataError(
            f"{rows.source}: every row has the same text ({columns.describe()}).",
            "Is the text column the right one? Name it with --text.",
        )


def _set_aside(rows: Examples, task: Classification, share: float, seed: int, name: str) -> tuple[Examples, Examples]:
    keys = same_text_keys(rows.text, rows.text_pair)
    stay, aside = split(task.encode(rows), keys, share, seed=seed, groups=rows.group)
    if not len(aside):
        raise DataError(
            f"No row of {rows.source} can be set aside for {name}: {_why_none(rows, task, share)}.",
            f"Or give a file of their own with --{name}.",
        )
    return rows.take(stay), rows.take(aside)


def _why_none(rows: Examples, task: Classification, share: float) -> str:
    """What keeps every row in training, and what to change."""
    if rows.group is not None and len(set(rows.group)) < 2 * len(task.labels):
        return f"the --group column holds only {len(set(rows.group))} groups, and a group is never split. Choose another one"
    if len(task.labels) > len(rows) / 2:
        return (
            f"there are {len(task.labels)} classes in {len(rows)} rows, and the only row of a class stays. "
            "Is the label column the right one?"
        )
    return f"{share:.4g} of {len(rows)} rows, taken from each class, is less than one. Give more rows"
