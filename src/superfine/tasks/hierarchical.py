"""One path of a tree of classes for each text: `animal > bird > owl`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from superfine.data.labels import Spelling
from superfine.errors import DataError
from superfine.records import Choices, Examples, FloatArray, IntArray, Ratio, Score, Statistics
from superfine.tasks.classification import Classification
from superfine.tasks.task import Shown, labels_of

if TYPE_CHECKING:
    from torch import Tensor

    from superfine.data.encoded import Encoded

SEPARATORS = (" > ", ">", " / ", "::")
"""Tried in this order. A path is written with the first one that was found."""
DEEPEST = 20


class Hierarchical(Classification):
    """Softmax over the paths that occur; the loss is the mean, over the levels of a path, of the cross-entropy of its part.

    The probability of a part is the sum of those of the paths through it, so a path that training never had is never said, and
    the levels of an answer agree. Paths may end at different levels.
    """

    name = "hierarchical"
    main = "accuracy"
    regularisers = {}

    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        separator: str | None = Field(None, pattern=r"\S", description='between the levels of a path; absent: " > " and the like')

    def __init__(
        self,
        labels: Sequence[str],
        spelling: Spelling | None = None,
        separator: str = SEPARATORS[0],
    ) -> None:
        super().__init__(labels, spelling)
        self.separator = separator
        self.levels = levels_of(self.labels, separator)

    @classmethod
    def suits(cls, labels: Sequence[str], n_columns: int) -> str:
        """Names of which all, or nearly all, are paths whose first parts recur."""
        separator = found_separator(labels)
        return "" if separator is None or n_columns > 1 else f'paths, between their levels "{separator.strip()}"'

    @classmethod
    def is_possible(cls, labels: Sequence[str], n_columns: int) -> bool:
        return bool(cls.suits(labels, n_columns))

    @classmethod
    def learn(cls, examples: Examples, options: Any = None, *, merges: bool = False) -> Self:
        """The paths that occur. Raises DataError for paths of a single level everywhere."""
        options = options or cls.Options()
        labels = labels_of(examples)
        separator = options.separator or found_separator(labels) or SEPARATORS[0]
        paths = [path_of(label, separator) for label in labels]
        usual = Classification.learn(replace(examples, label=paths), merges=merges)
        task = cls(usual.labels, usual.spelling, separator)
        if len(task.levels) < 2:
            raise DataError(
                f'No label of the training part has a second level: none holds "{separator.strip()}".',
                "Name what stands between levels with --set task.options.separator=..., or choose another --task.",
            )
        return task

    def facts(self) -> dict[str, Any]:
        return super().facts() | {"separator": self.separator}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        usual = Classification.from_facts(facts)
        task = cls(usual.labels, usual.spelling, str(facts.get("separator") or SEPARATORS[0]))
        task.calibrated = usual.calibrated
        return task

    @property
    def shown(self) -> Shown:
        summary = f"{len(self.labels)} paths"
        n_levels = len(self.levels)
        first = len(set(self.levels[0]))
        return super().shown.model_copy(
            update={
                "title": "Hierarchical text classifier",
                "summary": summary,
                "purpose": f"Says one of {len(self.labels)} paths of {n_levels} levels, {first} classes in the first.",
                "headline": ("accuracy", "accuracy_1", "macro_f1"),
            }
        )

    @property
    def scores(self) -> dict[str, Score]:
        """Those of a classification of paths, and the accuracy up to each level."""
        own = {f"accuracy_{d}": Ratio({f"right_{d}": 1.0}, {"rows": 1.0}, pooled=True) for d in range(1, len(self.levels))}
        return {**super().scores, **own}

    def spelled(self, examples: Examples) -> Examples:
        return super().spelled(self._as_paths(examples))

    def _as_paths(self, examples: Examples) -> Examples:
        if examples.label is None:
            return examples
        known = {label: path_of(label, self.separator) for label in set(examples.label)}
        return replace(examples, label=[known[label] for label in examples.label])

    def is_known(self, examples: Examples) -> NDArray[np.bool_]:
        return super().is_known(self._as_paths(examples))

    def gold(self, examples: Examples) -> IntArray:
        return super().gold(self._as_paths(examples))

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(n,) the mean over the levels of each path, in nats."""
        import torch

        usual = super().loss(outputs, targets)
        logs = torch.log_softmax(outputs, dim=-1)
        total, counts = usual, torch.ones_like(usual)
        for level, ends in zip(self.levels[:-1], self.levels[1:], strict=True):
            ids = torch.as_tensor(np.unique(level, return_inverse=True)[1], device=outputs.device)
            inside = ids[None] == ids[targets][:, None]
            part = -torch.logsumexp(logs.masked_fill(~inside, -torch.inf), dim=-1)
            # A path that ends here has this level as its last one, which is counted already.
            goes_on = torch.as_tensor([a != b for a, b in zip(level, ends, strict=True)], device=outputs.device)[targets]
            total = total + part * goes_on
            counts = counts + goes_on
        return total / counts

    def decode(self, examples: Examples, outputs: FloatArray, encoded: Encoded | None = None) -> Choices:
        return replace(super().decode(examples, outputs), levels=self.levels)

    def statistics(self, examples: Examples, answers: Choices) -> Statistics:
        """Those of a classification of paths, and whether each part so far is right."""
        usual = super().statistics(examples, answers)
        true, said = self.gold(examples), answers.class_ids
        sums = dict(usual.sums)
        for d, level in enumerate(self.levels[:-1], 1):
            ids = np.unique(level, return_inverse=True)[1]
            sums[f"right_{d}"] = (ids[true] == ids[said]).astype(np.float64)
        return Statistics(sums, usual.columns, usual.labels)


def path_of(label: str, separator: str) -> str:
    """The label with its parts trimmed and those without a name left out. Around ">" blanks are free: hardly a name holds it."""
    parts = [part.strip() for part in label.split(separator.strip() if separator.strip() == ">" else separator)]
    return separator.join(part for part in parts if part) or label


def levels_of(paths: Sequence[str], separator: str) -> tuple[tuple[str, ...], ...]:
    """By level the part of each path down to there, the whole one where it ends before; the last level are the paths."""
    parts = [path.split(separator) for path in paths]
    depth = min(DEEPEST, max(map(len, parts), default=1))
    return *(tuple(separator.join(part[: d + 1]) for part in parts) for d in range(depth - 1)), tuple(paths)


def found_separator(labels: Sequence[str]) -> str | None:
    """What stands in nine of ten labels, where fewer first parts than labels are different; None where nothing does."""
    counts = Counter(label for label in labels if label)
    for separator in SEPARATORS:
        inside = [label for label in counts if separator in label.strip(separator)]
        firsts = {label.split(separator)[0].strip() for label in counts}
        if len(inside) > 0.9 * len(counts) and 1 < len(firsts) < len(counts):
            return separator
    return None
