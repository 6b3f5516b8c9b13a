"""`superfine evaluate`: the scores of a trained model on other labelled data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from superfine.data.columns import ColumnChoice, Dropped, choose_columns, has_columns, to_examples
from superfine.data.read import Source, read_table
from superfine.data.table import ReadOptions, Table
from superfine.evaluation import evaluate as scoring
from superfine.predictors.bundle import Manifest, Precision, open_bundle, open_predictor
from superfine.recipes.prepare import scored_positions
from superfine.records import Evaluation
from superfine.tasks import TASKS


@dataclass(frozen=True)
class Scored:
    """The evaluation, the rows that could not be scored, the columns that were read, and the table they stand in."""

    evaluation: Evaluation
    dropped: Dropped
    columns: str
    table: Table


def evaluate(
    folder: Path,
    data: Source,
    text: list[str] | None = None,
    text_pair: str | None = None,
    label: str | None = None,
    options: ReadOptions | None = None,
    *,
    ignore_unknown_labels: bool = False,
    precision: Precision | None = None,
) -> Scored:
    """Score the model in `folder` on every labelled row of `data`. Raises DataError for labels that the model never saw."""
    bundle = open_bundle(folder)
    table = read_table(data, options)
    choice = columns_for(bundle.manifest, table, text, text_pair, label, needs_label=True)
    every, _ = to_examples(table, choice, keep_all=True)
    task = TASKS.load(bundle.manifest.task)(bundle.manifest.labels)
    scored = scored_positions(every, task, ignore_unknown=ignore_unknown_labels)
    examples = every.take(scored)
    left_out = np.setdiff1d(np.arange(len(every)), scored)
    dropped = Dropped(without_label=tuple(every.row[left_out].tolist()))
    predictions = open_predictor(folder, precision).predict_examples(examples)
    evaluation = scoring.evaluate(task.encode(examples), predictions)
    return Scored(evaluation, dropped, choice.describe(), table)


def columns_for(
    manifest: Manifest, table: Table, text: list[str] | None, text_pair: str | None, label: str | None, *, needs_label: bool
) -> ColumnChoice:
    """The columns as named, else those of the training data where the table has them, else found by content."""
    known = has_columns(table, manifest.text)
    known_label = manifest.label if manifest.label and has_columns(table, [manifest.label]) else None
    return choose_columns(
        table,
        text or (manifest.text if known else None),
        text_pair or manifest.text_pair,
        label or (known_label if needs_label else None),
        needs_label=needs_label,
    )
