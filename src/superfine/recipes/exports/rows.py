"""Which rows an export is held against: those of the run, read again, and what the user adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from superfine.data.columns import to_examples
from superfine.data.learned import LearnedTexts
from superfine.data.read import DataSource, read_table
from superfine.data.table import ReadOptions
from superfine.errors import DataError
from superfine.predictors.bundle import Bundle
from superfine.recipes.evaluate import columns_for, read_scored_rows
from superfine.recipes.run_rows import RunRows, home_of, rows_of_run
from superfine.records import Examples

MOST_UNLABELLED = 20_000


@dataclass(frozen=True)
class RowsForExport:
    """labelled: those of the test part and of `--data`, which chose nothing. learned: for calibration. validation, unlabelled:
    for choosing among ways. None where there are none. notes: what the user should know of them."""

    labelled: Examples | None
    learned: Examples | None
    validation: Examples | None
    unlabelled: Examples | None
    notes: tuple[str, ...]


def rows_for_export(
    bundle: Bundle, data: DataSource | None, unlabelled: DataSource | None, options: ReadOptions | None
) -> RowsForExport:
    """Raises DataError for files that cannot be used, or that the model has learned from."""
    home = home_of(bundle)
    own = RunRows(None, None, None, (f"{bundle.folder} lies in no run: it has no rows of its own.",))
    own = own if home is None else rows_of_run(bundle, home)
    more = None if data is None else _not_learned(bundle, read_scored_rows(bundle.manifest, data, options=options).examples)
    parts = [part for part in (own.test, more) if part is not None and len(part)]
    labelled = None if not parts else parts[0] if len(parts) == 1 else parts[0].joined(parts[1])
    texts = None if unlabelled is None else _texts(bundle, unlabelled, options)
    return RowsForExport(labelled, own.learned, own.validation, texts, own.notes)


def _not_learned(bundle: Bundle, examples: Examples) -> Examples:
    is_learned = LearnedTexts.of_run(bundle.folder).holds(examples)
    if is_learned.all():
        raise DataError(f"{examples.source}: the model has learned from every row.", "Give rows that it has not learned from.")
    return examples.take(np.flatnonzero(~is_learned))


def _texts(bundle: Bundle, source: DataSource, options: ReadOptions | None) -> Examples:
    table = read_table(source, options)
    choice = columns_for(bundle.manifest, table, None, None, None, needs_label=False)
    examples, _ = to_examples(table, choice, keep_all=True)
    examples = examples.take(np.flatnonzero([bool(text.strip()) for text in examples.text]))
    if not len(examples):
        raise DataError(f"{table.source} holds no text.", "Name another file with --unlabelled.")
    return examples.take(np.arange(min(len(examples), MOST_UNLABELLED)))
