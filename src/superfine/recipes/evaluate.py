"""`superfine evaluate`: the scores of a trained model on other labelled data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from superfine.data.columns import ColumnChoice, Dropped, choose_columns, has_columns, to_examples
from superfine.data.read import Table
from superfine.errors import DataError
from superfine.evaluation import evaluate as scoring
from superfine.predictors.bundle import Manifest, open_bundle, open_predictor
from superfine.recipes.prepare import Source, as_table
from superfine.records import Evaluation
from superfine.tasks import TASKS


@dataclass(frozen=True)
class Scored:
    """The evaluation, the rows that could not be used, and the columns that were read."""

    evaluation: Evaluation
    dropped: Dropped
    columns: str


def evaluate(
    folder: Path, data: Source, text: list[str] | None = None, text_pair: str | None = None, label: str | None = None
) -> Scored:
    """Score the model in `folder` on every labelled row of `data`. Raises DataError for labels that the model never saw."""
    bundle = open_bundle(folder)
    table = as_table(data)
    choice = columns_for(bundle.manifest, table, text, text_pair, label, needs_label=True)
    examples, dropped = to_examples(table, choice, keep_empty=True)
    if not len(examples):
        raise DataError(
            f"{table.source} holds no row with a label ({choice.describe()}).", "Name the columns with --text and --label."
        )
    true = TASKS.load(bundle.manifest.task)(bundle.manifest.labels).encode(examples)
    predictions = open_predictor(folder).predict_examples(examples)
    return Scored(scoring.evaluate(true, predictions), dropped, choice.describe())


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
