"""Texts and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self, TypeVar

import numpy as np

from superfine.records.arrays import IntArray

T = TypeVar("T")


@dataclass(frozen=True)
class Examples:
    """Texts, and what is known of them: one column per field, all of length n.

    `row` points back into the user's file: the number a spreadsheet shows (the header is row 1), or the line of a JSONL file.
    `weight` says how much a row counts in training.
    `columns` are the columns of the file as they were read, for the table of predictions.
    Where several columns are joined, `text_columns` names them and `column_starts` (n, c) says where in `text` each begins; -1
    where its cell is empty.
    """

    row: IntArray
    text: list[str]
    text_pair: list[str] | None = None
    label: list[str] | None = None
    group: list[str] | None = None
    weight: list[float] | None = None
    source: str = ""
    columns: Mapping[str, list[str]] = field(default_factory=dict)
    text_columns: tuple[str, ...] = ()
    column_starts: IntArray | None = None

    def __len__(self) -> int:
        return len(self.text)

    def take(self, indices: Sequence[int] | IntArray) -> Self:
        """The examples at `indices`, in that order."""

        def pick(column: list[T] | None) -> list[T] | None:
            return None if column is None else [column[i] for i in indices]

        return replace(
            self,
            row=self.row[np.asarray(indices, dtype=np.int64)],
            text=[self.text[i] for i in indices],
            text_pair=pick(self.text_pair),
            label=pick(self.label),
            group=pick(self.group),
            weight=pick(self.weight),
            columns={name: [column[i] for i in indices] for name, column in self.columns.items()},
            column_starts=None if self.column_starts is None else self.column_starts[np.asarray(indices, dtype=np.int64)],
        )

    @classmethod
    def of_texts(cls, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> Self:
        """Examples straight from texts; the rows are numbered from 1."""
        return cls(
            row=np.arange(1, len(texts) + 1, dtype=np.int64),
            text=list(texts),
            text_pair=None if text_pairs is None else list(text_pairs),
        )

    def _weights(self) -> list[float]:
        return [1.0] * len(self) if self.weight is None else self.weight

    def joined(self, other: Self) -> Self:
        """These examples and then those of `other`, with the columns that both files have."""

        def both(a: list[T] | None, b: list[T] | None) -> list[T] | None:
            return None if a is None or b is None else a + b

        starts = None
        if self.column_starts is not None and other.column_starts is not None:
            starts = np.concatenate([self.column_starts, other.column_starts])
        return replace(
            self,
            row=np.concatenate([self.row, other.row]),
            text=self.text + other.text,
            text_pair=both(self.text_pair, other.text_pair),
            label=both(self.label, other.label),
            group=both(self.group, other.group),
            weight=None if self.weight is None and other.weight is None else self._weights() + other._weights(),
            columns={name: column + other.columns[name] for name, column in self.columns.items() if name in other.columns},
            column_starts=starts,
        )
