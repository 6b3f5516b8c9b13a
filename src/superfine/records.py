"""The nouns that travel through the house, without torch: tables of columns, not lists of objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Examples:
    """Texts, and what is known of them: one column per field, all of length n.

    `row` points back into the user's file: the number a spreadsheet shows (the header is row 1), or the line of a JSONL file.
    `columns` are the columns of the file as they were read, for the table of predictions.
    """

    row: IntArray
    text: list[str]
    text_pair: list[str] | None = None
    label: list[str] | None = None
    group: list[str] | None = None
    source: str = ""
    columns: Mapping[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.text)

    def take(self, indices: Sequence[int] | IntArray) -> Self:
        """The examples at `indices`, in that order."""

        def pick(column: list[str] | None) -> list[str] | None:
            return None if column is None else [column[i] for i in indices]

        return replace(
            self,
            row=self.row[np.asarray(indices, dtype=np.int64)],
            text=[self.text[i] for i in indices],
            text_pair=pick(self.text_pair),
            label=pick(self.label),
            group=pick(self.group),
            columns={name: [column[i] for i in indices] for name, column in self.columns.items()},
        )

    @classmethod
    def of_texts(cls, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> Self:
        """Examples straight from texts; the rows are numbered from 1."""
        return cls(
            row=np.arange(1, len(texts) + 1, dtype=np.int64),
            text=list(texts),
            text_pair=None if text_pairs is None else list(text_pairs),
        )


@dataclass(frozen=True)
class Predictions:
    """Class probabilities for n texts.

    labels: the K class names, in the order of the columns of `probabilities`.
    probabilities: (n, K), each row sums to one.
    """

    row: IntArray
    labels: tuple[str, ...]
    probabilities: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: IntArray) -> Self:
        """The predictions at `indices`, in that order."""
        return replace(self, row=self.row[indices], probabilities=self.probabilities[indices])

    @property
    def class_ids(self) -> IntArray:
        """(n,) the index of the most probable class."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @property
    def label(self) -> list[str]:
        """The name of the most probable class of each text."""
        return [self.labels[i] for i in self.class_ids]

    @property
    def confidence(self) -> FloatArray:
        """(n,) the probability of the most probable class."""
        return self.probabilities.max(axis=1) if len(self) else np.zeros(0)


@dataclass(frozen=True)
class Interval:
    """A measured value between the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def holds_zero(self) -> bool:
        return self.low <= 0.0 <= self.high

    def to_json(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Evaluation:
    """What a predictor scores on n labelled texts.

    scores: metric name to interval. per_class: class name to {"precision": interval, ..., "support": count}.
    confusion: (K, K) counts, rows are the true classes.
    """

    labels: tuple[str, ...]
    n: int
    scores: Mapping[str, Interval]
    per_class: Mapping[str, Mapping[str, Interval | int]]
    confusion: IntArray

    def to_json(self) -> dict[str, Any]:
        per_class = {
            name: {key: v.to_json() if isinstance(v, Interval) else v for key, v in scores.items()}
            for name, scores in self.per_class.items()
        }
        scores = {name: score.to_json() for name, score in self.scores.items()}
        return {"n": self.n, **scores, "per_class": per_class, "confusion": self.confusion.tolist()}


Severity = Literal["blocking", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing an audit of data or of a model has to say.

    `share` is `count` over the number of rows looked at; `rows` point into the user's file.
    """

    name: str
    severity: Severity
    count: int
    share: float
    rows: tuple[int, ...]
    message: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "severity": self.severity,
            "count": self.count,
            "share": self.share,
            "rows": list(self.rows),
            "message": self.message,
            "advice": self.advice,
        }


class Predictor(Protocol):
    """All that comes after training speaks to this, whether a network, a file or a baseline stands behind it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order of the probabilities."""
        ...

    def predict_examples(self, examples: Examples) -> Predictions:
        """Class probabilities for each example, in the order given."""
        ...


class TextPredictor(Predictor, Protocol):
    """A predictor that also takes plain texts, and tells how far it is."""

    def predict_examples(self, examples: Examples, on_batch: Callable[[int], None] | None = None) -> Predictions:
        """Class probabilities for each example, in the order given. `on_batch` hears how many more are done."""
        ...

    def predict(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> Predictions:
        """Class probabilities of texts, or of pairs of texts."""
        ...
