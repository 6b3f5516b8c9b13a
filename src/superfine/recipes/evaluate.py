"""`superfine evaluate`: the scores of a trained model, or of a baseline saved with it, on other labelled data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from superfine.data.columns import ColumnChoice, Dropped, choose_columns, has_columns, to_examples
from superfine.data.learned import LearnedTexts
from superfine.data.personal import redacted_examples
from superfine.data.preparation import redacts_in, separator_in
from superfine.data.read import DataSource, read_table
from superfine.data.table import ReadOptions, Table, listed
from superfine.errors import DataError
from superfine.evaluation.evaluate import evaluate
from superfine.names import did_you_mean
from superfine.predictors.bundle import Manifest, open_bundle, open_predictor
from superfine.recipes.prepare import scored_positions
from superfine.records import Evaluation, Examples, Precision
from superfine.tasks.task import Task


@dataclass(frozen=True)
class Scored:
    """The evaluation, what the task tells beside it, the rows that could not be scored, the columns that were read, the table.

    learned: the numbers of rows whose texts the run has learned from or was chosen by. without_learned: the evaluation without
    them; None where there are none, or no others.
    """

    task: Task
    evaluation: Evaluation
    details: dict[str, Any]
    dropped: Dropped
    columns: str
    table: Table
    learned: tuple[int, ...] = ()
    without_learned: Evaluation | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task.name,
            "main": self.task.main,
            "shown": self.task.shown.model_dump(mode="json"),
            "test": {**self.evaluation.to_json(), **self.details},
            "dropped": self.dropped.to_json(),
            "learned": list(self.learned),
            **({} if self.without_learned is None else {"test_without_leaks": self.without_learned.to_json(by_label=False)}),
        }


def evaluate_run(
    folder: Path,
    data: DataSource,
    text: list[str] | None = None,
    text_pair: str | None = None,
    label: Sequence[str] | None = None,
    options: ReadOptions | None = None,
    *,
    group: str | None = None,
    ignore_unknown_labels: bool = False,
    precision: Precision | None = None,
    baseline: str | None = None,
    device: str | None = None,
) -> Scored:
    """Score the model in `folder` (or a baseline of the run) on every labelled row of `data`.

    group: rows with the same value there are drawn together for the intervals; absent: the column of the training data, where the
    table has it. Raises DataError for labels that the model never saw.
    """
    manifest = open_bundle(folder, baseline).manifest
    rows = read_scored_rows(
        manifest, data, text, text_pair, label, options, group=group, ignore_unknown_labels=ignore_unknown_labels
    )
    task = manifest.open_task()
    answers = open_predictor(folder, precision, baseline, device or "auto").predict_examples(rows.examples)
    statistics, examples = task.statistics(rows.examples, answers), rows.examples
    is_learned = LearnedTexts.of_run(folder).holds(examples)
    others = np.flatnonzero(~is_learned)
    without = None
    if is_learned.any() and len(others):
        without = evaluate(statistics.take(others), task.scores, examples.take(others).group)
    return Scored(
        task,
        evaluate(statistics, task.scores, examples.group),
        task.details(examples, answers),
        rows.dropped,
        rows.columns,
        rows.table,
        tuple(int(row) for row in examples.row[is_learned]),
        without,
    )


@dataclass(frozen=True)
class ScoredRows:
    """The rows with a label that can be scored, those that have none, the columns that were read, and the table."""

    examples: Examples
    dropped: Dropped
    columns: str
    table: Table


def read_scored_rows(
    manifest: Manifest,
    data: DataSource,
    text: list[str] | None = None,
    text_pair: str | None = None,
    label: Sequence[str] | None = None,
    options: ReadOptions | None = None,
    *,
    group: str | None = None,
    ignore_unknown_labels: bool = False,
) -> ScoredRows:
    """The rows of `data` that a model of this manifest can be scored by. Raises DataError where there is none."""
    table, task = read_table(data, options), manifest.open_task()
    choice = columns_for(manifest, table, text, text_pair, label, group, needs_label=True)
    every, _ = to_examples(table, choice, keep_all=True, lists=task.reads_lists)
    if redacts_in(manifest.preparation):  # so did what the model has learned from, which it is told apart from
        every = redacted_examples(every)
    scored = scored_positions(every, task, ignore_unknown=ignore_unknown_labels)
    left_out = np.setdiff1d(np.arange(len(every)), scored)
    dropped = Dropped(without_label=tuple(every.row[left_out].tolist()))
    return ScoredRows(every.take(scored), dropped, choice.describe(), table)


def columns_for(
    manifest: Manifest,
    table: Table,
    text: list[str] | None,
    text_pair: str | None,
    label: Sequence[str] | None,
    group: str | None = None,
    *,
    needs_label: bool,
) -> ColumnChoice:
    """The columns as named, else those of the training data. Labels that are called otherwise are found by content.

    Raises DataError for text columns that the table lacks, and for a second text that the model does not read.
    """
    if text_pair is not None and manifest.text_pair is None:
        raise DataError("The model was trained on single texts, and reads no pairs.", "Leave out --text-pair, or train with it.")
    absent = [name for name in manifest.text if not has_columns(table, [name])]
    if absent and not text:
        quoted = ", ".join(f'"{name}"' for name in absent)
        raise DataError(
            f"{table.source} has no column {quoted}, which the model reads.{did_you_mean(absent[0], table.columns)}",
            f"Its columns are: {listed(table.columns)}. Name the text with --text.",
        )
    known_label = manifest.label if manifest.label and has_columns(table, manifest.label) else None
    lacking = [name for name in manifest.label if not has_columns(table, [name])] if len(manifest.label) > 1 else []
    if needs_label and not label and lacking:
        raise DataError(
            f"{table.source} lacks label columns that the model was trained on: {', '.join(lacking[:5])}.",
            "Add them, or name the label columns with --label.",
        )
    known_group = manifest.group if needs_label and manifest.group and has_columns(table, [manifest.group]) else None
    choice = choose_columns(
        table,
        text or manifest.text,
        text_pair or manifest.text_pair,
        label or (known_label if needs_label else None),
        group or known_group,
        needs_label=needs_label,
    )
    return replace(choice, separator=separator_in(manifest.preparation))
