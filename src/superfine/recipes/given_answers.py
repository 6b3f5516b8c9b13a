"""A file of predictions of any tool, as the answers to the rows of a comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from superfine.data.read import read_table
from superfine.data.table import ReadOptions, Table, listed
from superfine.errors import DataError
from superfine.names import did_you_mean
from superfine.records import Answers, Examples, FloatArray, IntArray, Values
from superfine.tasks.task import Task, rows_by_label

PREDICTION_NAMES = (
    "prediction", "predictions", "predicted", "pred", "preds", "predicted_label", "pred_label", "label_pred", "y_pred", "yhat",
    "output", "answer", "预测", "预测标签", "预测结果",
)  # fmt: skip
"""What columns of predictions are called, whatever their case."""
PROBABILITY_PREFIXES = ("p:", "p_", "prob_", "proba_", "probability_", "score_", "")
"""What stands before the name of a class where a column holds its probabilities."""
CERTAIN = 30.0
"""The logit of a label that a file says without a probability."""
SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx")


def is_predictions_file(path: Path) -> bool:
    """Whether a name is that of a table, not of a folder with a model."""
    return path.is_file() or (not path.is_dir() and any(path.name.lower().endswith(suffix) for suffix in SUFFIXES))


class GivenAnswers:
    """A table of predictions. has_probabilities: whether it says them of every class."""

    def __init__(self, path: Path, options: ReadOptions | None = None) -> None:
        self.path = path
        self.table: Table = read_table(path, options)
        self.has_probabilities = False

    def match(self, examples: Examples, text: Sequence[str], text_pair: str | None) -> tuple[IntArray, IntArray]:
        """Positions of examples that the table has, and its rows for them: by text where it has the columns, else in order.

        Raises DataError where neither can be done.
        """
        columns = [*text, *filter(None, [text_pair])]
        if not all(name in self.table.columns for name in columns):
            if len(self.table) != len(examples):
                raise DataError(
                    f"{self.path} has {len(self.table)} rows and no column {', '.join(columns)}, and {len(examples)} rows are to "
                    "be scored: nothing tells which belongs to which.",
                    "Add the column of texts to the predictions, or give them for exactly these rows, in their order.",
                )
            return np.arange(len(examples)), np.arange(len(examples))
        keys = list(zip(*(self.table.columns[name] for name in columns), strict=True))
        places: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for i in range(len(keys) - 1, -1, -1):
            places[keys[i]].append(i)
        wanted = zip(*(examples.columns[name] for name in columns), strict=True)
        found = [(i, places[key].pop()) for i, key in enumerate(wanted) if places.get(key)]
        if not found:
            raise DataError(f"{self.path} holds none of the texts that are to be scored.", "Name the data with --data FILE.")
        here, there = np.array(found, dtype=np.int64).T
        return here, there

    def answers(self, task: Task, examples: Examples, rows: IntArray) -> Answers:
        """What the table says of these examples, each in its row. Raises DataError for what it says of none of them."""
        probabilities = self._probabilities(task)
        if probabilities is not None:
            self.has_probabilities = True
            return task.decode(examples, np.log(np.maximum(probabilities[rows], 1e-9)))
        said = self._said(examples, rows)
        unknown = np.flatnonzero(~task.is_known(said))
        if len(unknown):
            raise DataError(
                f"{self.path} predicts what training never had: {rows_by_label(said, unknown.tolist())}.",
                f"What can be predicted: {', '.join(task.labels[:20])}.",
            )
        if task.head.activation == "softmax" and task.reads_classes:
            outputs = np.full((len(examples), len(task.head)), -CERTAIN)
            outputs[np.arange(len(examples)), task.gold(said)] = CERTAIN
            return task.decode(examples, outputs)
        if task.head.activation == "sigmoid" and task.reads_lists:
            return task.decode(examples, CERTAIN * (2.0 * task.gold(said) - 1))
        if task.head.activation == "none" and not task.head.by_token and len(task.head) == 1:
            values = np.asarray(task.gold(said), dtype=np.float64).reshape(-1)
            infinite = np.full(len(values), np.inf)
            return Values(examples.row, values, -infinite, infinite)
        raise DataError(
            f"{self.path}: predictions of the task {task.name} are not read from a file.", "Name the folder of a run instead."
        )

    def _said(self, examples: Examples, rows: IntArray) -> Examples:
        """The examples with what the table predicts in place of their labels."""
        names = {name.strip().casefold(): name for name in self.table.columns}
        name = next((names[known] for known in PREDICTION_NAMES if known in names), None)
        if name is None:
            raise DataError(
                f"{self.path} has no column of predictions.{did_you_mean('prediction', list(self.table.columns))}",
                f'Call it "prediction", or give probabilities in a column for each class. Columns: {listed(self.table.columns)}.',
            )
        values = [self.table.columns[name][i] for i in rows.tolist()]
        empty = [int(self.table.row[i]) for i, value in zip(rows.tolist(), values, strict=True) if not value.strip()]
        if empty:
            raise DataError(f"{self.path} predicts nothing in {len(empty)} rows, the first in row {empty[0]}.", "Fill them in.")
        return replace(examples, row=self.table.row[rows], label=values, source=str(self.path))

    def _probabilities(self, task: Task) -> FloatArray | None:
        """(n, K) where the table has a column of numbers for every class, else None."""
        if task.head.activation != "softmax" or task.head.by_token:
            return None
        for prefix in PROBABILITY_PREFIXES:
            names = [f"{prefix}{label}" for label in task.labels]
            if all(name in self.table.columns for name in names):
                try:
                    found = np.array([[float(value) for value in self.table.columns[name]] for name in names]).T
                except ValueError:
                    continue
                wrong = np.flatnonzero(~np.isfinite(found).all(axis=1) | (found < 0).any(axis=1) | (found.sum(axis=1) <= 0))
                if len(wrong):
                    raise DataError(
                        f"{self.path}: row {int(self.table.row[wrong[0]])} holds no probabilities.",
                        "A probability is a number from 0 on, and not all of them are 0.",
                    )
                return np.asarray(found / found.sum(axis=1, keepdims=True))
        return None
