"""From files to parts: reading, choosing columns, and setting rows aside for validation and test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from superfine.config import DataConfig, RunConfig, validate_options
from superfine.data.clean import canonical_labels, same_text_keys, spelling_key
from superfine.data.columns import ColumnChoice, Dropped, choose_columns, to_examples
from superfine.data.read import Source, read_table
from superfine.data.split import split
from superfine.data.table import BadRow, ReadOptions, Table
from superfine.errors import DataError
from superfine.records import Examples, IntArray
from superfine.tasks import TASKS
from superfine.tasks.classification import Classification

if TYPE_CHECKING:
    from superfine.recipes.reporter import Reporter


@dataclass(frozen=True)
class Parts:
    """The rows by their use, with the class ids of each part.

    scored: (m,) the positions in the test part of rows whose label can be scored. notes: choices made in reading.
    bad_rows: records left out on request.
    """

    train: Examples
    validation: Examples
    test: Examples
    task: Classification
    columns: ColumnChoice
    dropped: dict[str, Dropped]
    scored: IntArray
    notes: tuple[str, ...] = ()
    bad_rows: tuple[BadRow, ...] = ()

    @property
    def scored_test(self) -> Examples:
        return self.test if len(self.scored) == len(self.test) else self.test.take(self.scored)

    @property
    def unscored_rows(self) -> list[int]:
        """Row numbers of test rows that are predicted only, for want of a label that can be scored."""
        return [int(row) for row in np.delete(self.test.row, self.scored)]

    def targets(self, part: Examples) -> IntArray:
        return self.task.encode(part)

    def sizes(self) -> dict[str, int]:
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def prepare(
    data: Source,
    validation: Source | None,
    test: Source | None,
    config: RunConfig,
    *,
    needs_test: bool = True,
    reporter: Reporter | None = None,
) -> Parts:
    """Read what was given and set aside what was not. Without a need for a test part it is empty where it is not given.

    Raises DataError for files, columns or labels that cannot be used.
    """
    settings = config.data
    tables = {"train": _read(data, settings, reporter)}
    columns = choose_columns(tables["train"], settings.text, settings.text_pair, settings.label, settings.group)
    rows, dropped = to_examples(tables["train"], columns)
    lost = {"train": dropped}
    _refuse_unusable(rows, columns)
    header_note = _header_among_rows(rows, columns)
    spelling = canonical_labels(rows.label or []) if settings.merge_labels else {}
    rows = _respelled(rows, spelling)
    task_type: type[Classification] = TASKS.load(config.task.name)
    validate_options(TASKS.kind, config.task.name, task_type.Options, config.task.options)
    task = task_type.from_labels(rows.label or [])

    given: dict[str, Examples] = {}
    for name, source in (("validation", validation), ("test", test)):
        if source is not None:
            tables[name] = _read(source, settings, reporter)
            chosen = _same_columns(tables[name], columns)
            given[name], lost[name] = to_examples(tables[name], chosen, keep_all=name == "test")
            given[name] = _respelled(given[name], spelling)
    if "validation" in given:
        if not len(given["validation"]):
            raise DataError(f"{given['validation'].source} holds no row with a text and a label.")
        task.encode(given["validation"])

    test_rows = given.get("test")
    if test_rows is None and not needs_test:
        test_rows = rows.take([])
    if test_rows is None:
        rows, test_rows = _set_aside(rows, task, settings.test_share, config.seed, "test")
    validation_rows = given.get("validation")
    if validation_rows is None:
        share = min(settings.validation_share, settings.validation_rows / len(rows))
        rows, validation_rows = _set_aside(rows, task, share, config.seed + 1, "validation")
    scored = np.zeros(0, dtype=np.int64)
    if needs_test:
        scored = scored_positions(test_rows, task, ignore_unknown=settings.ignore_unknown_labels)
    notes = tuple(note for table in tables.values() for note in table.notes) + header_note
    bad = tuple(bad for table in tables.values() for bad in table.bad_rows)
    return Parts(rows, validation_rows, test_rows, task, columns, lost, scored, notes, bad)


def _read(source: Source, settings: DataConfig, reporter: Reporter | None) -> Table:
    if reporter is None:
        return read_table(source, read_options(settings))
    try:
        return read_table(source, replace(read_options(settings), on_bytes=reporter.progress))
    finally:
        reporter.progress_ends()


def read_options(settings: DataConfig) -> ReadOptions:
    """How the files are to be read."""
    return ReadOptions(settings.encoding, settings.delimiter, settings.sheet, settings.bad_rows == "skip")


def scored_positions(test: Examples, task: Classification, *, ignore_unknown: bool) -> IntArray:
    """(m,) positions of the rows that have a label, one of the task's where others are ignored.

    Raises DataError for labels that the task does not have, and when nothing is left to score.
    """
    labels = test.label or []
    has_label = np.array([bool(label) for label in labels], dtype=bool)
    known = np.array([label in task.labels for label in labels], dtype=bool)
    positions = np.flatnonzero(has_label & known if ignore_unknown else has_label)
    if not len(positions):
        raise DataError(f"{test.source} holds no row with a label that can be scored.", "Name the label column with --label.")
    task.encode(test.take(positions))
    return positions


def _respelled(rows: Examples, spelling: dict[str, str]) -> Examples:
    if not spelling or rows.label is None:
        return rows
    return replace(rows, label=[spelling.get(spelling_key(label), label) for label in rows.label])


def resolved(settings: DataConfig, columns: ColumnChoice) -> DataConfig:
    """The data section with every column that was found written down."""
    chosen = {"text": list(columns.text), "text_pair": columns.text_pair, "label": columns.label, "group": columns.group}
    return settings.model_copy(update=chosen)


def _same_columns(table: Table, columns: ColumnChoice) -> ColumnChoice:
    group = columns.group if columns.group in table.columns else None
    return choose_columns(table, columns.text, columns.text_pair, columns.label, group)


def _header_among_rows(rows: Examples, columns: ColumnChoice) -> tuple[str, ...]:
    """A note where the name of the label column is also one of its labels: a record taken for the header, or a header for one."""
    if columns.label not in (rows.label or []):
        return ()
    row = int(rows.row[(rows.label or []).index(str(columns.label))])
    return (
        f'"{columns.label}" is the name of the label column and a label as well (row {row}): '
        "does the file lack a header, or have a second one?",
    )


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
            "Check that the label column is the right one"
        )
    n_texts = len(set(rows.text))
    if n_texts < len(rows) / 2:
        return (
            f"its {len(rows)} rows hold only {n_texts} different texts, and equal texts stay together. Give more different ones"
        )
    return f"{share:.4g} of {len(rows)} rows, taken from each class, is less than one. Give more rows"
