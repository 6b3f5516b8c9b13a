"""`superfine evaluate`: the scores of a trained model on other labelled data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from superfine.data.columns import Dropped, choose_columns, to_examples
from superfine.evaluation import evaluate as scoring
from superfine.predictors.bundle import Bundle, open_bundle, open_predictor
from superfine.recipes.prepare import Source, as_table
from superfine.records import Evaluation, Examples
from superfine.tasks import TASKS


@dataclass(frozen=True)
class Scored:
    """The evaluation, and the rows that could not be used."""

    evaluation: Evaluation
    dropped: Dropped
    columns: str


def evaluate(folder: Path, data: Source, text: list[str] | None = None, label: str | None = None) -> Scored:
    """Score the model in `folder` on every labelled row of `data`. Raises DataError for labels that the model never saw."""
    bundle = open_bundle(folder)
    examples, dropped, columns = read_for(bundle, data, text, label)
    task = TASKS.load(bundle.manifest.task)(bundle.manifest.labels)
    true = task.encode(examples)
    predictions = open_predictor(folder).predict_examples(examples)
    return Scored(scoring.evaluate(true, predictions), dropped, columns)


def read_for(bundle: Bundle, data: Source, text: list[str] | None, label: str | None) -> tuple[Examples, Dropped, str]:
    """Labelled examples in the columns that the model was trained on, where the data has them."""
    table = as_table(data)
    manifest = bundle.manifest
    known = all(name in table.columns for name in manifest.text)
    choice = choose_columns(
        table,
        text or (manifest.text if known else None),
        manifest.text_pair,
        label or (manifest.label if manifest.label in table.columns else None),
    )
    examples, dropped = to_examples(table, choice)
    return examples, dropped, choice.describe()
