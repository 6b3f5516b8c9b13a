"""A file of predictions of any tool, as the answers to the rows of a comparison."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from superfine.data.read import read_table
from superfine.data.table import ReadOptions, Table, listed
from superfine.errors import DataError
from superfine.names import did_you_mean
from superfine.records import Answers, Choices, Examples, FloatArray, IntArray, Sets, Values
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
ROUNDING = 0.01
"""By so much the sum of the probabilities of a row may be off 1."""
SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx")


def is_predictions_file(path: Path) -> bool:
    """Whether a name is that of a table, not of a folder with a model."""
    return path.is_file() or (not path.is_dir() and any(path.name.lower().endswith(suffix) for suffix in SUFFIXES))


class GivenAnswers:
    """A table of predictions. has_probabilities: whether it says them of every class, and its predictions follow from them.
    is_by_order: whether its rows were taken in order. n_otherwise: predictions that do not follow."""

    def __init__(self, path: Path, options: ReadOptions | None = None) -> None:
        self.path = path
        self.table: Table = read_table(path, options)
        self.has_probabilities, self.is_by_order, self.n_otherwise = False, False, 0

    def match(self, examples: Examples, text: Sequence[str], text_pair: str | None, whole: Table) -> tuple[IntArray, IntArray]:
        """Positions of examples that the table has, and its rows for them: by text (and label, where texts repeat) where it has
        the columns, else in the order of the examples or of the table `whole` that they are from.

        Raises DataError where neither can be done.
        """
        own = {name.strip().casefold(): name for name in self.table.columns}
        wanted = [*text, *filter(None, [text_pair])]
        columns = [own.get(name.casefold()) for name in wanted]
        labels = self.table.columns.get(own.get("label", ""), None)
        if not all(columns):
            self.is_by_order = True
            there = self._in_order(examples, whole, wanted)
            if labels is not None and examples.label is not None:
                differs = [i for i, k in enumerate(there.tolist()) if labels[k].strip() != examples.label[i].strip()]
                if differs:
                    raise DataError(
                        f"{self.path}: row {int(self.table.row[there[differs[0]]])} has another label than the row in its place.",
                        f"Give the predictions in the order of the data, or with the column {', '.join(wanted)}.",
                    )
            return np.arange(len(examples)), there
        keys = list(zip(*(self.table.columns[str(name)] for name in columns), strict=True))
        asked = list(zip(*(examples.columns[name] for name in wanted), strict=True))
        place: dict[int, int] = {}
        taken: set[int] = set()
        passes: list[tuple[list[Any], list[Any]]] = [(asked, keys)]
        if labels is not None and examples.label is not None:
            passes.insert(0, (list(zip(asked, examples.label, strict=True)), list(zip(keys, labels, strict=True))))
        for of_examples, of_table in passes:
            places: dict[Any, list[int]] = defaultdict(list)
            for k in range(len(of_table) - 1, -1, -1):
                if k not in taken:
                    places[of_table[k]].append(k)
            for i, key in enumerate(of_examples):
                if i not in place and places.get(key):
                    place[i] = places[key].pop()
                    taken.add(place[i])
        if not place:
            raise DataError(f"{self.path} holds none of the texts that are to be scored.", "Are they predictions for other data?")
        here = np.array(sorted(place), dtype=np.int64)
        return here, np.array([place[i] for i in here.tolist()], dtype=np.int64)

    def _in_order(self, examples: Examples, whole: Table, wanted: Sequence[str]) -> IntArray:
        if len(self.table) == len(examples):
            return np.arange(len(examples))
        if len(self.table) == len(whole):
            return np.searchsorted(whole.row, examples.row).astype(np.int64)
        raise DataError(
            f"{self.path} has {len(self.table)} rows and no column {', '.join(wanted)}, and {len(examples)} rows are to "
            "be scored: nothing tells which belongs to which.",
            "Add the column of texts to the predictions, or give them for exactly these rows, in their order.",
        )

    def answers(self, task: Task, examples: Examples, rows: IntArray) -> Answers:
        """What the table says of these examples, each in its row. Raises DataError for what it says of none of them.

        Probabilities count where the predictions beside them are those that they give; else the predictions do.
        """
        probabilities = self._probabilities(task)
        if probabilities is not None:
            found = task.decode(examples, np.log(np.maximum(probabilities[rows], 1e-9)))
            said = None if self._column_of_predictions() is None else self._said(examples, rows, task)
            self.n_otherwise = 0 if said is None else int((task.gold(said) != _classes(found)).sum())
            self.has_probabilities = not self.n_otherwise
            if not self.n_otherwise:
                return found
        said = self._said(examples, rows, task)
        if task.head.activation == "softmax" and task.reads_classes:
            outputs = np.full((len(examples), len(task.head)), -CERTAIN)
            outputs[np.arange(len(examples)), task.gold(said)] = CERTAIN
            return task.decode(examples, outputs)
        if task.reads_lists and task.head.activation == "sigmoid":
            members = np.asarray(task.gold(said), dtype=np.float64)
            return Sets(examples.row, task.labels, members, np.full(len(task.labels), 0.5))
        if task.head.activation == "none" and not task.head.by_token and len(task.head) == 1:
            values = np.asarray(task.gold(said), dtype=np.float64).reshape(-1)
            infinite = np.full(len(values), np.inf)
            return Values(examples.row, values, -infinite, infinite)
        raise DataError(
            f"{self.path}: predictions of the task {task.name} are not read from a file.", "Name the folder of a run instead."
        )

    def notes(self) -> list[str]:
        """What the user should know of how the table was read."""
        found = []
        if self.is_by_order:
            said = f"{self.path} has no column of these texts: its rows are taken in order."
            found.append(said)
        if self.n_otherwise:
            said = (
                f"{self.path}: {self.n_otherwise} predictions are not what its probabilities give; the predictions are compared, "
                "without scores of probabilities."
            )
            found.append(said)
        return found

    def names(self) -> list[str]:
        """What the table predicts, and what it has probabilities of."""
        column = self._column_of_predictions()
        said = [] if column is None else [value for value in self.table.columns[column] if value.strip()]
        prefix = PROBABILITY_PREFIXES[0]
        return [*said, *(name.removeprefix(prefix) for name in self.table.columns if name.startswith(prefix))]

    def _column_of_predictions(self) -> str | None:
        names = {name.strip().casefold(): name for name in self.table.columns}
        return next((names[known] for known in PREDICTION_NAMES if known in names), None)

    def _said(self, examples: Examples, rows: IntArray, task: Task) -> Examples:
        """The examples with what the table predicts in place of their labels."""
        name = self._column_of_predictions()
        if name is None:
            raise DataError(
                f"{self.path} has no column of predictions.{did_you_mean('prediction', list(self.table.columns))}",
                f'Call it "prediction", or give probabilities in a column for each class. Columns: {listed(self.table.columns)}.',
            )
        values = [self.table.columns[name][i] for i in rows.tolist()]
        empty = [int(self.table.row[i]) for i, value in zip(rows.tolist(), values, strict=True) if not value.strip()]
        if empty and not task.reads_empty:
            raise DataError(f"{self.path} predicts nothing in {len(empty)} rows, the first in row {empty[0]}.", "Fill them in.")
        said = replace(examples, row=self.table.row[rows], label=values, source=str(self.path))
        if task.labels and not (known := task.is_known(said)).all():
            raise DataError(
                f"{self.path} predicts what is none of the labels here: {rows_by_label(said, np.flatnonzero(~known).tolist())}.",
                f"What can be predicted: {', '.join(task.labels[:20])}.",
            )
        return said

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
                others = [name for name in self.table.columns if prefix and name.startswith(prefix) and name not in names]
                if others:
                    raise DataError(
                        f"{self.path} has probabilities of classes that are none here: {', '.join(others[:5])}.",
                        f"What can be predicted: {', '.join(task.labels[:20])}.",
                    )
                sums = found.sum(axis=1)
                wrong = np.flatnonzero(~np.isfinite(found).all(axis=1) | (found < 0).any(axis=1) | (np.abs(sums - 1) > ROUNDING))
                if len(wrong):
                    raise DataError(
                        f"{self.path}: row {int(self.table.row[wrong[0]])} holds no probabilities of all classes.",
                        "Probabilities are numbers from 0 on that add up to 1.",
                    )
                return np.asarray(found / found.sum(axis=1, keepdims=True))
        return None


def _classes(answers: Answers) -> IntArray:
    """(n,) the class of each answer that is one."""
    return cast(Choices, answers).class_ids
