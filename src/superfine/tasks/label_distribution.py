"""One class of several for each text, learned from distributions: votes of annotators, or probabilities of another model.

Label distribution learning (Geng 2016); with another model's probabilities it is distillation (Hinton, Vinyals and Dean 2015).
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from superfine import metrics
from superfine.data.columns import OF_DISTRIBUTIONS, OFF, ON
from superfine.data.labels import Spelling, label_order, visible
from superfine.errors import DataError
from superfine.records import Choices, Examples, FloatArray, IntArray, Ratio, Score, Statistics
from superfine.tasks.classification import Classification
from superfine.tasks.task import NoOptions, Shown, labels_of

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

MOST_READ = 1000
"""Cells by which the task is told."""


class LabelDistribution(Classification):
    """Softmax classification against distributions over K classes. A text counts as right where its likeliest class is said.

    A cell may name one class as well: then it has all of the mass.
    """

    name = "label_distribution"
    regularisers = {}
    reads_classes = False
    reads_lists = True
    Options = NoOptions

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        """Objects from names to numbers that do not only say yes or no."""
        cells = [label for label in labels if label][:MOST_READ]
        objects = {cell: numbers for cell in cells if cell.startswith("{") and (numbers := _numbers(cell)) is not None}
        # A few may be broken, which is told with their rows, and others name one class.
        known = {name for numbers in objects.values() for name in numbers}
        n_read = sum(cell in objects or cell.startswith("{") or cell in known for cell in cells)
        if not cells or 2 * sum(cell in objects for cell in cells) < len(cells) or n_read < len(cells):
            return ""
        values = {str(value).strip().casefold() for cell in objects for value in json.loads(cell).values()}
        several = any(sum(value > 0 for value in numbers.values()) > 1 for numbers in objects.values())
        return "" if values <= {*ON, *OFF, ""} or not several else "distributions over names"

    @classmethod
    def is_possible(cls, labels: Sequence[str], n_columns: int) -> bool:
        return False

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """The classes that are named. Raises DataError where there are less than two, and for cells that cannot be read."""
        if not any(label[:1] in ("{", "[") for label in labels_of(examples)):
            some = next((label for label in labels_of(examples) if label), "")
            raise DataError(
                f'{examples.source}: no row has a distribution over classes, but for example "{some[:40]}".',
                "Name a column for each class with --label, or one with objects; or choose --task classification.",
            )
        rows = [_distribution(examples, i) for i in range(len(labels_of(examples)))]
        named = [name for row in rows for name, value in row.items() if value > 0]
        spelling = Spelling.learn(named, merges=merges)
        names = sorted({spelling.of(name) for name in named}, key=label_order)
        if len(names) < 2:
            raise DataError(
                "The distributions of the training part name less than two classes.",
                'Name the columns with --label, one for each class, or one with objects such as {"good": 0.7, "bad": 0.3}.',
            )
        return cls(names, spelling=spelling)

    @property
    def shown(self) -> Shown:
        own = super().shown
        limits = (
            own.limits[0],
            "It learned from distributions over the classes, such as votes. Accuracy, F1 and the like are counted against the "
            "likeliest class of each, cross-entropy and total variation against the whole.",
        )
        return own.model_copy(update={"limits": limits, "headline": ("accuracy", "macro_f1", "cross_entropy")})

    @property
    def scores(self) -> dict[str, Score]:
        return {**super().scores, **OF_WHOLE_DISTRIBUTIONS}

    def spelled(self, examples: Examples) -> Examples:
        """With each distribution as one object, its values adding up to one."""
        if examples.label is None:
            return examples
        return replace(examples, label=[self._written(examples, i) for i in range(len(examples))])

    def _written(self, examples: Examples, i: int) -> str:
        read = _distribution(examples, i)
        total = sum(read.values())
        shares = {self.spelling.of(name): 0.0 for name in sorted(read, key=label_order) if read[name] > 0}
        for name, value in read.items():
            if value > 0:
                shares[self.spelling.of(name)] += value / total
        return json.dumps({name: round(share, 6) for name, share in shares.items()}, ensure_ascii=False) if total else ""

    def in_words(self, value: Any) -> str:
        numbers = _numbers(value) if isinstance(value, str) else None
        if not numbers:
            return super().in_words(value)
        likely = sorted(numbers.items(), key=lambda one: -one[1])[:3]
        return ", ".join(f"{name} {share:.2g}" for name, share in likely if share > 0)

    def is_labelled(self, examples: Examples) -> NDArray[np.bool_]:
        if examples.label is None:
            return np.zeros(len(examples), dtype=bool)
        return np.array([sum(_distribution(examples, i).values()) > 0 for i in range(len(examples))], dtype=bool)

    def is_known(self, examples: Examples) -> NDArray[np.bool_]:
        rows = (_distribution(examples, i) for i in range(len(labels_of(examples))))
        return np.array([all(self.spelling.of(n) in self._ids for n, v in row.items() if v > 0) for row in rows], dtype=bool)

    def distributions(self, examples: Examples) -> FloatArray:
        """(n, K) the share of each class, each row sums to one. Raises DataError for rows that cannot be read or have none, and
        for classes that training never saw."""
        table = np.zeros((len(examples), len(self.labels)))
        for i in range(len(labels_of(examples))):
            read = _distribution(examples, i)
            for name, value in read.items():
                k = self._ids.get(self.spelling.of(name))
                if k is None and value > 0:
                    where = f"{examples.source}: row {int(examples.row[i])}"
                    raise DataError(
                        f'{where} has the class "{name}", which the training part never had.',
                        "Correct it, or leave such rows out of the score: --ignore-unknown-labels",
                    )
                if k is not None:
                    table[i, k] += value
        return np.asarray(table / np.maximum(table.sum(axis=1, keepdims=True), 1e-12))

    def gold(self, examples: Examples) -> IntArray:
        """(n,) the likeliest class of each."""
        return np.asarray(self.distributions(examples).argmax(axis=1), dtype=np.int64)

    def targets(self, examples: Examples, encoded: Encoded | None = None) -> Any:
        """(n, K) float32, the distributions."""
        return self.distributions(examples).astype(np.float32)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) cross-entropy in nats of (n, K) logits against (n, K) distributions."""
        from torch.nn import functional as F

        return F.cross_entropy(outputs, targets.to(outputs.dtype), reduction="none")

    def adjusted(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Self:
        """As it is: what the loss asks for is the distribution itself."""
        return self

    def statistics(self, examples: Examples, answers: Choices) -> Statistics:
        """Those of the likeliest classes, and how far each answer is from the whole distribution."""
        own, true = super().statistics(examples, answers), self.distributions(examples)
        logs = np.log(np.maximum(answers.probabilities, metrics.PROBABILITY_FLOOR))
        sums = {
            "cross_entropy": -(true * logs).sum(axis=1),
            "total_variation": np.abs(true - answers.probabilities).sum(axis=1) / 2,
        }
        return replace(own, sums={**own.sums, **sums})


OF_WHOLE_DISTRIBUTIONS: dict[str, Score] = {
    "cross_entropy": Ratio({"cross_entropy": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
    "total_variation": Ratio({"total_variation": 1.0}, {"rows": 1.0}, (0.0, np.inf), pooled=True, rises=False),
}


def _numbers(cell: str) -> Mapping[str, float] | None:
    """A cell that is an object from names to numbers, or None."""
    if not cell.startswith("{"):
        return None
    read: dict[str, float] = {}
    try:
        for name, value in json.loads(cell, object_pairs_hook=list):
            number = 0.0 if value is None or not str(value).strip() else float(value)
            read[_class_name(name)] = read.get(_class_name(name), 0.0) + number
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return read


def _class_name(column: str) -> str:
    """Without what the names of several columns begin with."""
    return visible(next((column.removeprefix(prefix) for prefix in OF_DISTRIBUTIONS if column.startswith(prefix)), column))


def _distribution(examples: Examples, i: int) -> Mapping[str, float]:
    """Row i as numbers from 0 on by class, none where it has no label. Raises DataError for what is none."""
    cell = labels_of(examples)[i]
    if not cell:
        return {}
    if cell.startswith("["):
        return _votes(examples, i)
    if not cell.startswith("{"):
        return {cell: 1.0}
    numbers = _numbers(cell)
    if numbers is None or any(not math.isfinite(value) or value < 0 for value in numbers.values()):
        raise DataError(
            f"{examples.source}: row {int(examples.row[i])} has {cell[:80]}, which is no distribution.",
            "Each class has a number from 0 on: a probability, or how many voted for it.",
        )
    return numbers


def _votes(examples: Examples, i: int) -> Mapping[str, float]:
    """A list of names, one for each who voted, as their numbers. Raises DataError for another list."""
    cell = labels_of(examples)[i]
    try:
        names = json.loads(cell)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"{examples.source}: row {int(examples.row[i])} has {cell[:80]}, which is no distribution.",
            "Votes are a list of names, shares an object from names to numbers.",
        )
    return Counter(visible(name) for name in names)
