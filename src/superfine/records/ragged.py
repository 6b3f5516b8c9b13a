"""Rows of different lengths laid end to end: the one ragged type of the house."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from superfine.records.arrays import IntArray

IGNORED = -1
"""The target of a token that has none."""


@dataclass(frozen=True)
class Ragged:
    """n rows: row i is `values[starts[i]:starts[i + 1]]`. values: (m, ...). starts: (n + 1,)."""

    values: NDArray[Any]
    starts: IntArray

    @classmethod
    def of_lengths(cls, values: NDArray[Any], lengths: Sequence[int] | IntArray) -> Self:
        """Values laid end to end, cut into rows of these lengths (n,)."""
        return cls(values, np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> IntArray:
        """(n,)"""
        return np.diff(self.starts)

    @property
    def row_of_value(self) -> IntArray:
        """(m,) the row that each value is of."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: IntArray) -> Self:
        """The rows at `rows`, in that order."""
        lengths = self.lengths[rows]
        return type(self).of_lengths(self.values[places_of(self.starts[rows], lengths)], lengths)


def places_of(starts: IntArray, lengths: IntArray) -> IntArray:
    """(sum of lengths,) the places `start, start + 1, ...` of runs, one run after the other. starts, lengths: (n,)."""
    ends = np.cumsum(lengths)
    return np.asarray(np.repeat(starts - ends + lengths, lengths) + np.arange(int(ends[-1]) if len(ends) else 0))
