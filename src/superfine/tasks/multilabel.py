"""Any of several labels for each text, or none of them."""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from superfine import metrics
from superfine.data.columns import OFF, ON
from superfine.data.labels import Spelling, label_order, visible
from superfine.errors import DataError
from superfine.records import (
    NONE,
    Count,
    Examples,
    FloatArray,
    Head,
    IntArray,
    Mean,
    Ratio,
    Score,
    Sets,
    Statistics,
)  # fmt: skip
from superfine.tasks.classification import F1, OCCURS, PRECISION, RECALL, different_names, notes_on
from superfine.tasks.label_calibration import Steps, isotonic, platt, steps_of
from superfine.tasks.label_thresholds import EVEN, choose_thresholds
from superfine.tasks.task import Fold, Shown, Task, labels_of, rows_by_label

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

SEPARATORS = ("|", ";", ",")
"""Tried in this order where a cell names several labels."""
ALONE = 0.8
"""Names may hold commas: a comma separates only where so many of the parts are cells of their own elsewhere."""
DECIMAL = re.compile(r"[+-]?[0-9.]+(,[0-9]+)?")


class MultiLabel(Task):
    """A probability for each of K named labels, said where it reaches the label's threshold.

    thresholds: (K,). spelling: which labels of a file mean which label. separator: between the labels of a cell, or None. shares:
    (K,) of the training rows that have each label, where they are known.
    """

    name = "multilabel"
    main = "micro_f1"
    reads_classes = False
    reads_lists = True
    reads_empty = True

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        separator: str | None = Field(None, min_length=1, description="between the labels of a cell; found when absent")
        threshold: float | None = Field(
            None, gt=0, lt=1, description="of every label; absent: learned from the validation rows, to a high F1"
        )
        calibration: Literal["platt", "isotonic", "none"] = Field(
            "platt",
            description="of each label, from validation rows. platt: a factor and a shift of its output, in the model "
            "itself; isotonic: any rising function, in superfine.json alone",
        )

    def __init__(
        self,
        labels: Sequence[str],
        thresholds: FloatArray | None = None,
        spelling: Spelling | None = None,
        separator: str | None = None,
        *,
        learns_thresholds: bool = True,
        shares: FloatArray | None = None,
        calibration: str = "none",
    ) -> None:
        self._labels = tuple(labels)
        self.thresholds = np.full(len(self._labels), EVEN) if thresholds is None else thresholds
        self.spelling = Spelling.of_classes(self._labels) if spelling is None else spelling
        self.separator = separator
        self.learns_thresholds = learns_thresholds
        self.shares = shares
        self.calibration = calibration
        self.factor, self.shift = np.ones(len(self._labels)), np.zeros(len(self._labels))
        self.steps: list[Steps | None] = [None] * len(self._labels)
        self._ids = {label: i for i, label in enumerate(self._labels)}

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        """Several columns, lists, or names with a separator whose parts recur."""
        if n_columns > 1:
            return f"{n_columns} columns that say yes or no" if _are_switches(labels) else ""
        cells = [label for label in labels if label]
        if any(_is_list_of_names(cell) for cell in set(cells)):
            return "cells with lists"
        separator = found_separator(cells)
        return "" if separator is None else f'cells with several labels, between them "{separator}"'

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """The labels that occur. Raises DataError where there is none, and for cells that cannot be read."""
        options = options or cls.Options()
        cells = labels_of(examples)
        separator = options.separator or found_separator(cells) or SEPARATORS[0]
        sets = [_parts(examples, i, separator) for i in range(len(cells))]
        every = [name for names in sets for name in names]
        if not every:
            raise DataError(
                "No row of the training part has a label.", "Is the label column the right one? Name it with --label."
            )
        spelling = Spelling.learn(every, merges=merges)
        names = sorted({spelling.of(name) for name in every}, key=label_order)
        threshold = options.threshold
        thresholds = None if threshold is None else np.full(len(names), threshold)
        counts = Counter(name for one in sets for name in {spelling.of(part) for part in one})
        shares = np.array([counts[name] / len(cells) for name in names])
        return cls(
            names,
            thresholds,
            spelling,
            separator,
            learns_thresholds=threshold is None,
            shares=shares,
            calibration=options.calibration,
        )

    def facts(self) -> dict[str, Any]:
        return {
            "labels": list(self._labels),
            "thresholds": self.thresholds.tolist(),
            "separator": self.separator,
            "merge_labels": self.spelling.merges,
            "merged_labels": {name: list(others) for name, others in self.spelling.joined.items()},
            **({"factor": self.factor.tolist()} if (self.factor != 1).any() else {}),
            **({"shift": self.shift.tolist()} if self.shift.any() else {}),
            **({"isotonic": [None if one is None else list(one) for one in self.steps]} if any(self.steps) else {}),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        labels = different_names(facts)
        thresholds = np.asarray(facts.get("thresholds"), dtype=np.float64)
        if thresholds.shape != (len(labels),) or not ((thresholds > 0) & (thresholds < 1)).all():
            raise ValueError("thresholds: one between 0 and 1 is needed for each label")
        spelling = Spelling.of_classes(labels, merges=bool(facts.get("merge_labels")))
        task = cls(labels, thresholds, spelling, str(facts.get("separator") or SEPARATORS[0]))
        task.factor, task.shift = (
            _numbers(facts, name, usual) for name, usual in (("factor", task.factor), ("shift", task.shift))
        )
        if "isotonic" in facts:
            task.steps = steps_of(facts["isotonic"], len(labels))
        return task

    @property
    def head(self) -> Head:
        return Head(self._labels, "multi_label_classification")

    @property
    def bias(self) -> FloatArray | None:
        """The log odds of each label: from one half for every label a layer would need most of the training to come down to them
        (Lin et al. 2017)."""
        if self.shares is None:
            return None
        shares = self.shares.clip(1e-4, 1 - 1e-4)
        return np.asarray(np.log(shares / (1 - shares)))

    @property
    def shown(self) -> Shown:
        summary = f"{len(self._labels)} labels"
        low, high = self.thresholds.min(), self.thresholds.max()
        return Shown(
            title="Multi-label text classifier",
            noun="label",
            summary=summary,
            purpose=f"Says which of {len(self._labels)} labels a text has, any number of them.",
            limits=(
                *(
                    (
                        "Probabilities of labels are calibrated by functions that stand in `superfine.json`: those that plain "
                        "transformers gives are not.",
                    )
                    if any(self.steps) or self.shift.any()
                    else ()
                ),
                f"A label is said where its probability reaches its threshold, {low:.2f} to {high:.2f}: they stand in "
                "`superfine.json`, and plain transformers gives the probabilities alone.",
            ),
            headline=("micro_f1", "macro_f1", "exact_match"),
            sections=("classes", "cooccurrence"),
            arguments=", truncation=True, top_k=None",
        )

    @property
    def scores(self) -> dict[str, Score]:
        return SCORES

    def spelled(self, examples: Examples) -> Examples:
        """With the labels of each row in one order, between them the separator."""
        if examples.label is None:
            return examples
        known: dict[str, str] = {}
        for i, cell in enumerate(examples.label):
            if cell not in known:
                names = {self.spelling.of(name) for name in _parts(examples, i, self._separator)}
                known[cell] = as_cell(sorted(names, key=label_order), self._separator)
        return replace(examples, label=[known[cell] for cell in examples.label])

    def notes(self) -> tuple[str, ...]:
        return notes_on(self.spelling)

    def why_not_scored(self, examples: Examples) -> str:
        return "" if self.gold(examples).any() else "none of its rows has a label"

    @property
    def _separator(self) -> str:
        return self.separator or SEPARATORS[0]

    def is_labelled(self, examples: Examples) -> NDArray[np.bool_]:
        """Every row: no label is an answer too."""
        return np.full(len(examples), examples.label is not None)

    def is_known(self, examples: Examples) -> NDArray[np.bool_]:
        labels_of(examples)
        return np.array([not self._unknown(examples, i) for i in range(len(examples))], dtype=bool)

    def _unknown(self, examples: Examples, i: int) -> list[str]:
        return [name for name in _parts(examples, i, self._separator) if self.spelling.of(name) not in self._ids]

    def gold(self, examples: Examples) -> NDArray[np.float32]:
        """(n, K) 1 where a row has the label. Raises DataError for labels that training never saw."""
        cells = labels_of(examples)
        table = np.zeros((len(cells), len(self._labels)), dtype=np.float32)
        unknown = []
        for i in range(len(cells)):
            for name in _parts(examples, i, self._separator):
                k = self._ids.get(self.spelling.of(name))
                if k is None:
                    unknown.append(i)
                else:
                    table[i, k] = 1
        if unknown:
            names = sorted({name for i in unknown for name in self._unknown(examples, i)})
            raise DataError(
                f"{examples.source}: labels that the training part never had ({', '.join(names[:5])}): "
                f"{rows_by_label(examples, list(dict.fromkeys(unknown)))}.",
                "Correct them, add training rows with these labels, or leave such rows out of the score: --ignore-unknown-labels",
            )
        return table

    def strata(self, examples: Examples) -> IntArray:
        """(n,) the rarest label of each row, or K for none: what is rare is shared out."""
        gold = self.gold(examples)
        order = np.argsort(gold.sum(axis=0), kind="stable")
        rarest = order[gold[:, order].argmax(axis=1)]
        return np.where(gold.any(axis=1), rarest, len(self._labels)).astype(np.int64)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) the binary cross-entropies in nats of (n, K) logits against (n, K) zeros and ones, summed over labels."""
        from torch.nn import functional as F

        return F.binary_cross_entropy_with_logits(outputs, targets.to(outputs.dtype), reduction="none").sum(dim=-1)

    def adjusted(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Self:
        """With calibrated probabilities of each label, and thresholds that give these rows a high F1."""
        if not len(outputs):
            return self
        task, true = copy(self), self.gold(examples) > 0
        if self.calibration == "platt":
            task.factor, task.shift = platt(outputs, true)
        elif self.calibration == "isotonic":
            task.steps = isotonic(outputs, true)
        if self.learns_thresholds:
            task.thresholds = choose_thresholds(task._probabilities(outputs), true)
        return task

    @property
    def fold(self) -> Fold | None:
        if (self.factor == 1).all() and not self.shift.any():
            return None
        return Fold(self.factor, self.shift)

    def folded(self, *, shifted: bool) -> Self:
        """An output layer without a bias leaves the shifts to be added here."""
        task = copy(self)
        task.factor = np.ones(len(self._labels))
        task.shift = np.zeros(len(self._labels)) if shifted else self.shift
        return task

    def _probabilities(self, outputs: FloatArray) -> FloatArray:
        """(n, K) of logits, calibrated."""
        found = metrics.sigmoid(self.factor * outputs + self.shift)
        for k, steps in enumerate(self.steps):
            if steps is not None:
                found[:, k] = steps(found[:, k])
        return found

    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Sets:
        return Sets(examples.row, self._labels, self._probabilities(outputs), self.thresholds, self._separator)

    def statistics(self, examples: Examples, answers: Sets) -> Statistics:
        """What each answer adds: hits, texts that have each label, texts said to have it, whether the set is right, log loss."""
        if answers.labels != self._labels:
            raise ValueError("the answers are over other labels, or over the same in another order")
        true, said = self.gold(examples) > 0, answers.members
        likely = np.where(true, answers.probabilities, 1 - answers.probabilities)
        sums = {
            "hits": (true & said).astype(np.float64),
            "support": true.astype(np.float64),
            "predicted": said.astype(np.float64),
            "exact": (true == said).all(axis=1).astype(np.float64),
            "log_loss": -np.log(np.maximum(likely, metrics.PROBABILITY_FLOOR)).sum(axis=1),
            "brier": np.square(1 - likely).mean(axis=1),
            "rows": np.ones(len(true)),
        }
        return Statistics(sums, {}, self._labels)

    def details(self, examples: Examples, answers: Sets) -> dict[str, Any]:
        """cooccurrence: [label, other label, texts with both, said to have both]. labels_per_text: on average."""
        true, said = self.gold(examples) > 0, answers.members
        pairs = []
        of_truth, of_answers = (table.astype(np.int64).T @ table.astype(np.int64) for table in (true, said))
        for i, j in zip(*np.nonzero(np.triu(of_truth + of_answers, 1)), strict=True):
            pairs.append([int(i), int(j), int(of_truth[i, j]), int(of_answers[i, j])])
        per_text = {
            name: float(table.sum(axis=1).mean()) if len(table) else 0.0 for name, table in (("true", true), ("said", said))
        }
        return {"cooccurrence": pairs, "labels_per_text": per_text, "thresholds": self.thresholds.tolist()}

    def worst(self, examples: Examples, answers: Sets) -> IntArray:
        """The wrong sets, those first that the model held for least likely."""
        true = self.gold(examples) > 0
        wrong = np.flatnonzero((true != answers.members).any(axis=1))
        likely = np.where(true, answers.probabilities, 1 - answers.probabilities)[wrong]
        return wrong[np.argsort(np.log(np.maximum(likely, 1e-12)).sum(axis=1), kind="stable")]

    def choices(self) -> dict[str, Any]:
        return {"thresholds": self.thresholds.tolist(), **super().choices()}


POOLED: dict[str, Any] = {"pooled": True}
SCORES: dict[str, Score] = {
    "micro_f1": replace(F1, **POOLED),
    "micro_precision": replace(PRECISION, **POOLED),
    "micro_recall": replace(RECALL, **POOLED),
    "macro_f1": Mean(F1, OCCURS),
    "macro_precision": Mean(PRECISION, OCCURS),
    "macro_recall": Mean(RECALL, OCCURS),
    "weighted_f1": Mean(F1, OCCURS, {"support": 1.0}),
    "exact_match": Ratio({"exact": 1.0}, {"rows": 1.0}, pooled=True),
    "log_loss": Ratio({"log_loss": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
    "brier_score": Ratio({"brier": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
    "precision": PRECISION,
    "recall": RECALL,
    "f1": F1,
    "support": Count("support"),
}
"""By the names that `metrics.json` uses; the last four are by label."""


def _numbers(facts: Mapping[str, Any], name: str, usual: FloatArray) -> FloatArray:
    """(K,) of the facts, or what is usual. Raises ValueError for what are none."""
    found = np.asarray(facts.get(name, usual), dtype=np.float64)
    if found.shape != usual.shape or not np.isfinite(found).all():
        raise ValueError(f"{name}: a number is needed for each label")
    return found


def found_separator(cells: Sequence[str]) -> str | None:
    """What stands between the labels of a cell, where parts of such cells recur in others; None where nothing does."""
    counts = Counter(cell for cell in cells if cell)
    for separator in SEPARATORS:
        if separator == "," and all(DECIMAL.fullmatch(cell) for cell in counts):
            continue  # decimal commas
        joined = [cell for cell in counts if separator in cell and _as_list(cell) is None]
        parts = Counter(part.strip() for cell, n in counts.items() for part in cell.split(separator) for _ in range(n))
        inside = {part.strip() for cell in joined for part in cell.split(separator)} - {""}
        if not joined or len(parts) >= len(counts) or any(parts[part] < 2 for part in inside):
            continue
        if separator != "," or sum(part in counts for part in inside) >= ALONE * len(inside):
            return separator
    return None


def _are_switches(labels: Sequence[str]) -> bool:
    values = {str(value).strip().casefold() for cell in set(labels) for value in (_as_object(cell) or {}).values()} - {""}
    return bool(values) and values <= {*ON, *OFF}


def as_cell(names: Sequence[str], separator: str) -> str:
    """The labels with the separator between them, or as a JSON list where that could be read otherwise."""
    if any(separator in name or name == NONE or name[:1] in "[{" for name in names):
        return json.dumps(list(names), ensure_ascii=False)
    return separator.join(names)


def _as_list(cell: str) -> list[Any] | None:
    """A cell that is a list, as JSON or Python write it, or None."""
    if not cell.startswith("[") or not cell.endswith("]"):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(cell)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list) else None
    return None


def _is_list_of_names(cell: str) -> bool:
    """Of several: one name alone may be written as a list by chance, or in a text."""
    found = _as_list(cell)
    return found is not None and len(found) > 1 and all(isinstance(name, str | int) for name in found)


def _as_object(cell: str) -> dict[str, Any] | None:
    """A cell that is a JSON object, as several columns are read, or None."""
    if not cell.startswith("{"):
        return None
    try:
        found = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _parts(examples: Examples, i: int, separator: str) -> list[str]:
    """The labels of row i. Raises DataError for values of a column that say neither yes nor no."""
    cell = (examples.label or [])[i]
    if not cell or cell == NONE:
        return []
    switches = _as_object(cell)
    if switches is not None:
        values = {name: str(value).strip().casefold() for name, value in switches.items()}
        for name, value in values.items():
            if value not in {*ON, *OFF, ""}:
                raise DataError(
                    f'{examples.source}: row {int(examples.row[i])} has "{switches[name]}" in the column "{name}"; with several '
                    "label columns each says 1 or 0.",
                    "Name the columns with --label, one for each label.",
                )
        return [visible(name) for name, value in values.items() if value in ON]
    names = _as_list(cell)
    return [name for part in (cell.split(separator) if names is None else names) if (name := visible(str(part)))]
