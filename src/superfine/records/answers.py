"""What a predictor answers, by the shape of the answer. Tables of columns with one row for each text."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from superfine.records.arrays import FloatArray, IntArray
from superfine.records.decisions import Decisions
from superfine.records.ragged import Ragged

SHOWN, MOST_ROWS = 3, 10
"""Answers in a line, and rows of the table in a notebook."""
A = TypeVar("A")


class Answers(Protocol):
    """What all shapes have in common."""

    @property
    def row(self) -> IntArray:
        """(n,) the rows of the user's file."""
        ...

    @property
    def label(self) -> list[Any]:
        """What is said of each text."""
        ...

    @property
    def confidence(self) -> FloatArray | None:
        """(n,) how sure each answer is, from 0 to 1, or None where nothing tells."""
        ...

    def __len__(self) -> int: ...

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        ...

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The answers of several parts, one at least, one after the other."""
        ...

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table, `prediction` first."""
        ...

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each text, for JSON, with its `prediction`."""
        ...


class _Table:
    """What a table of answers can do, whatever their shape."""

    def __getitem__(self: Any, key: Any) -> Any:
        """`answers[3]` is the answer for one text as an object; a slice, a mask or places give a table of these."""
        if isinstance(key, int | np.integer):
            return self.take(np.arange(len(self))[[int(key)]]).to_objects()[0]
        return self.take(np.arange(len(self))[key])

    def __repr__(self: Any) -> str:
        said = [str(value) for value in self.take(np.arange(min(len(self), SHOWN))).to_columns()["prediction"]]
        more = ", …" if len(self) > SHOWN else ""
        return f"{type(self).__name__}({len(self)} text{'' if len(self) == 1 else 's'}: {', '.join(said)}{more})"

    def _repr_html_(self: Any) -> str:
        """The first rows as a table, for notebooks."""
        columns = self.take(np.arange(min(len(self), MOST_ROWS))).to_columns()
        head = "".join(f"<th>{escape(name)}</th>" for name in columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(str(written(value)))}</td>" for value in row) + "</tr>"
            for row in zip(*columns.values(), strict=True)
        )
        more = f"<p>{len(self) - MOST_ROWS} more rows</p>" if len(self) > MOST_ROWS else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"

    def to_frame(self: Any) -> Any:
        """The columns as a pandas frame. Raises ImportError where pandas is not installed."""
        import pandas as pd

        return pd.DataFrame(self.to_columns())

    def to_csv(self: Any, path: str | Path) -> None:
        """Write the columns as CSV in UTF-8, numbers as `superfine predict` writes them."""
        columns = self.to_columns()
        with open(path, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([written(value) for value in row] for row in zip(*columns.values(), strict=True))


def written(value: Any) -> Any:
    """A value as it stands in a table that is written: numbers in six digits, nothing for those that are none."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return ""
    return f"{value:.6f}" if value == 0 or abs(value) >= 5e-7 else f"{value:.6g}"


@dataclass(frozen=True, repr=False)
class Choices(_Table):
    """One class of K for each of n texts.

    labels: the K class names, in the order of the columns of `probabilities`.
    probabilities: (n, K), each row sums to one. grades: (K,) the numbers of classes that are grades in rising order, or None.
    levels: of classes that are paths of a tree, by level the part of each path (K,) down to there; the last are the paths.
    decisions: what is done with the probabilities, beyond naming the largest.
    """

    row: IntArray
    labels: tuple[str, ...]
    probabilities: FloatArray
    grades: FloatArray | None = None
    levels: tuple[tuple[str, ...], ...] = ()
    decisions: Decisions | None = None

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        return replace(self, row=self.row[indices], probabilities=self.probabilities[indices])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The answers of several parts, one at least, one after the other; nothing is decided where the parts decide by different
        rules."""
        whole = _joined(parts, "row", "probabilities")
        return whole if all(part.decisions == whole.decisions for part in parts) else replace(whole, decisions=None)

    @property
    def class_ids(self) -> IntArray:
        """(n,) the index of the most probable class, or of the median grade."""
        if self.grades is None:
            return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)
        upto = self.probabilities.cumsum(axis=1)
        return np.asarray((upto < 0.5).sum(axis=1).clip(0, len(self.labels) - 1), dtype=np.int64)

    @property
    def label(self) -> list[str]:
        """The name of the class that is said of each text."""
        return [self.labels[i] for i in self.class_ids]

    @property
    def confidence(self) -> FloatArray:
        """(n,) the probability of that class."""
        return self.probabilities[np.arange(len(self)), self.class_ids]

    @property
    def expected_grade(self) -> FloatArray | None:
        """(n,) the mean of the grades by their probabilities, or None where classes are no grades."""
        return None if self.grades is None else np.asarray(self.probabilities @ self.grades)

    def _decided(self) -> dict[str, list[Any]]:
        """`decision` and `set`, as columns."""
        if self.decisions is None:
            return {}
        found: dict[str, list[Any]] = {}
        if self.decisions.answers_from is not None or self.decisions.costs is not None:
            found["decision"] = self.decisions.decided(self.labels, self.probabilities, self.class_ids)
        if self.decisions.set_from is not None:
            found["set"] = ["|".join(names) for names in self.decisions.sets(self.labels, self.probabilities)]
        return found

    def _by_level(self) -> list[FloatArray]:
        """(n,) for each level but the last: the probability of the part of the path that is said, down to there."""
        said, found = self.class_ids, []
        for level in self.levels[:-1]:
            _, ids = np.unique(level, return_inverse=True)
            found.append((self.probabilities * (ids[None] == ids[said][:, None])).sum(axis=1))
        return found

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table: `prediction`, `confidence`, `decision` (empty where a person
        decides) and `set` where these are wanted, and `p:LABEL` for each class; `expected_grade` of grades; of paths
        `confidence_1` and so on, the probability of the part down to that level."""
        columns: dict[str, list[Any]] = {"prediction": self.label, "confidence": self.confidence.tolist(), **self._decided()}
        if self.expected_grade is not None:
            columns["expected_grade"] = self.expected_grade.tolist()
        columns |= {f"confidence_{d}": values.tolist() for d, values in enumerate(self._by_level(), 1)}
        return columns | {f"p:{label}": self.probabilities[:, k].tolist() for k, label in enumerate(self.labels)}

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each text, for JSON: `prediction`, `confidence`, `expected_grade` of grades, `probabilities` by class."""
        found: list[dict[str, Any]] = [
            {"prediction": label, "confidence": float(confidence), "probabilities": dict(zip(self.labels, row, strict=True))}
            for label, confidence, row in zip(self.label, self.confidence, self.probabilities.tolist(), strict=True)
        ]
        for name, cells in self._decided().items():
            found = [one | {name: cell} for one, cell in zip(found, cells, strict=True)]
        if self.expected_grade is not None:
            found = [one | {"expected_grade": float(grade)} for one, grade in zip(found, self.expected_grade, strict=True)]
        for d, values in enumerate(self._by_level(), 1):
            found = [one | {f"confidence_{d}": float(value)} for one, value in zip(found, values, strict=True)]
        return found


NONE = "none"
"""What is written for a text that has none of the labels, where no label is called so."""


@dataclass(frozen=True, repr=False)
class Sets(_Table):
    """Any of K labels for each of n texts.

    labels: the K names, in the order of the columns of `probabilities`. probabilities: (n, K), each on its own. thresholds: (K,)
    from which on a label is said, or (n, K) where several models answered. separator: between the labels of a cell.
    """

    row: IntArray
    labels: tuple[str, ...]
    probabilities: FloatArray
    thresholds: FloatArray
    separator: str = "|"

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        thresholds = self.thresholds if self.thresholds.ndim == 1 else self.thresholds[indices]
        return replace(self, row=self.row[indices], probabilities=self.probabilities[indices], thresholds=thresholds)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The answers of several parts, one at least, one after the other."""
        whole = _joined(parts, "row", "probabilities")
        if all(np.array_equal(part.thresholds, whole.thresholds) for part in parts):
            return whole
        own = [np.broadcast_to(part.thresholds, part.probabilities.shape) for part in parts]
        return replace(whole, thresholds=np.concatenate(own))

    @property
    def members(self) -> NDArray[np.bool_]:
        """(n, K) which labels are said."""
        return np.asarray(self.probabilities >= self.thresholds)

    @property
    def label(self) -> list[tuple[str, ...]]:
        """The labels of each text, in the order of `labels`."""
        return [tuple(self.labels[k] for k in np.flatnonzero(row)) for row in self.members]

    def _written(self, names: tuple[str, ...]) -> str:
        """With the separator between them, or as a JSON list where a label holds it."""
        is_plain = not any(self.separator in label for label in self.labels)
        return self.separator.join(names) if is_plain or not names else json.dumps(list(names), ensure_ascii=False)

    @property
    def confidence(self) -> None:
        """None: each label has a probability of its own."""
        return None

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table: `prediction`, the labels with the separator between them, and `p:LABEL` for each label."""
        nothing = "" if NONE in self.labels else NONE
        columns: dict[str, list[Any]] = {"prediction": [self._written(names) or nothing for names in self.label]}
        return columns | {f"p:{label}": self.probabilities[:, k].tolist() for k, label in enumerate(self.labels)}

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each text, for JSON: `prediction`, a list, and `probabilities` by label."""
        return [
            {"prediction": list(names), "probabilities": dict(zip(self.labels, row, strict=True))}
            for names, row in zip(self.label, self.probabilities.tolist(), strict=True)
        ]


@dataclass(frozen=True, repr=False)
class Values(_Table):
    """A number for each of n texts. low, high: (n,) the ends of its 95 % interval, or infinite where nothing tells."""

    row: IntArray
    values: FloatArray
    low: FloatArray
    high: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        return replace(self, row=self.row[indices], values=self.values[indices], low=self.low[indices], high=self.high[indices])

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The answers of several parts, one at least, one after the other."""
        return _joined(parts, "row", "values", "low", "high")

    @property
    def label(self) -> list[float]:
        """The number of each text."""
        return self.values.tolist()  # type: ignore[no-any-return]

    @property
    def confidence(self) -> None:
        """None: the interval tells how sure a number is."""
        return None

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table: `prediction`, `low` and `high`."""
        return {"prediction": self.values.tolist(), "low": self.low.tolist(), "high": self.high.tolist()}

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each text, for JSON: `prediction`, `low` and `high`, None where nothing bounds it."""
        return [
            {name: value if np.isfinite(value) else None for name, value in zip(("prediction", "low", "high"), row, strict=True)}
            for row in zip(self.values.tolist(), self.low.tolist(), self.high.tolist(), strict=True)
        ]


@dataclass(frozen=True, repr=False)
class Spans(_Table):
    """Spans of each of n texts, each of one type, in the order of the text and without overlap.

    labels: the names of the types. texts: (n,) the raw texts. places: for each text (m, 3) int64: start and end of each span, in
    characters of the raw text, end excluded, and the number of its type. scores: (total,) the probability of each span, in the
    order of `places.values`. text_columns, column_starts: of texts that are made of several columns, see `Examples`.
    """

    row: IntArray
    labels: tuple[str, ...]
    texts: list[str]
    places: Ragged
    scores: FloatArray
    text_columns: tuple[str, ...] = ()
    column_starts: IntArray | None = None

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        indices = np.arange(len(self))[indices]  # a mask, or places from the end
        return replace(
            self,
            column_starts=None if self.column_starts is None else self.column_starts[indices],
            row=self.row[indices],
            texts=[self.texts[i] for i in indices],
            places=self.places.take(indices),
            scores=Ragged(self.scores, self.places.starts).take(indices).values,
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The answers of several parts, one at least, one after the other."""
        values = np.concatenate([part.places.values for part in parts])
        places = Ragged.of_lengths(values, np.concatenate([part.places.lengths for part in parts]))
        whole = _joined(parts, "row", "scores")
        starts = [part.column_starts for part in parts if part.column_starts is not None]
        texts = [text for part in parts for text in part.texts]
        return replace(whole, texts=texts, places=places, column_starts=np.concatenate(starts) if starts else None)

    @property
    def label(self) -> list[list[tuple[int, int, str]]]:
        """The spans of each text: start, end and type, in characters of the whole text."""
        every = [(start, end, self.labels[label]) for start, end, label in self.places.values.tolist()]
        return [every[first:stop] for first, stop in pairwise(self.places.starts.tolist())]

    @property
    def spans(self) -> list[list[dict[str, Any]]]:
        """The spans of each text: `start`, `end`, `label`, `text` and `score`, its probability; where texts are made of several
        columns, `column`, and start and end in that one."""
        every = [
            {
                **(place := self._place(i, start, end)),
                "label": self.labels[label],
                "text": self.texts[i][start : start + place["end"] - place["start"]],
                "score": score,
            }
            for i, (start, end, label), score in zip(
                self.places.row_of_value.tolist(), self.places.values.tolist(), self.scores.tolist(), strict=True
            )
        ]
        return [every[first:stop] for first, stop in pairwise(self.places.starts.tolist())]

    def _place(self, i: int, start: int, end: int) -> dict[str, Any]:
        if self.column_starts is None:
            return {"start": start, "end": end}
        return place_in_columns(self.text_columns, self.column_starts[i], start, end)

    @property
    def confidence(self) -> None:
        """None: each span has a probability of its own."""
        return None

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table: `prediction`, the spans of a text as a JSON list, scores in six digits."""
        return {"prediction": [as_json(spans) for spans in self.spans]}

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each text, for JSON: `prediction`, the list of its spans."""
        return [{"prediction": spans} for spans in self.spans]


def place_in_columns(names: Sequence[str], starts: IntArray, start: int, end: int) -> dict[str, Any]:
    """A span of a text that is made of columns, by the column that it begins in, with which it ends at the latest. starts: (c,)
    see `Examples.column_starts`."""
    k = int(np.flatnonzero((starts >= 0) & (starts <= start))[-1])
    later = starts[starts > start]
    end = min(end, int(later.min()) - 1) if len(later) else end  # before the separator
    return {"column": names[k], "start": int(start - starts[k]), "end": int(end - starts[k])}


def as_json(spans: Sequence[dict[str, Any]]) -> str:
    """Spans of a text as they are written into a cell."""
    rounded = [{k: round(v, 6) if isinstance(v, float) else v for k, v in span.items()} for span in spans]
    return json.dumps(rounded, ensure_ascii=False)


def _joined(parts: Sequence[A], *names: str) -> A:
    """The first part with these arrays of all parts, one after the other."""
    arrays: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return replace(cast(Any, parts[0]), **arrays)  # type: ignore[no-any-return]
