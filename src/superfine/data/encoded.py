"""Texts as tokens: ragged columns in flat arrays, so a million texts are a few arrays and no padding exists.

A sequence is not a text: a text that is longer than the model reads may be read in several windows, each a sequence of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from superfine.records import IntArray
from superfine.records.ragged import places_of


@dataclass(frozen=True)
class Encoded:
    """n texts as s token sequences laid end to end: one for each text, or several where texts are read in windows.

    ids: (tokens,) int32. starts: (s + 1,); sequence i is `ids[starts[i]:starts[i + 1]]`.
    truncated: (n,) whether the text was longer than what is read of it. unknown_share: of the tokens that are no special tokens.
    type_ids: (tokens,) int8, which text of a pair a token belongs to; None when all are 0.
    offsets: (tokens, 2) int32, where each token begins and ends in its text, in characters of the raw text, or None where nobody
    asked. Special tokens have none: (0, 0).
    owner: (s,) the text that each sequence is of, ascending; None where each is a text. answers: (tokens,) whether this is where
    a token is read that stands in several windows: in the one where it is furthest from an edge. None where each stands in one.
    """

    ids: NDArray[np.int32]
    starts: IntArray
    truncated: NDArray[np.bool_]
    unknown_share: float
    type_ids: NDArray[np.int8] | None = None
    offsets: NDArray[np.int32] | None = None
    owner: IntArray | None = None
    answers: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.truncated)

    @property
    def lengths(self) -> IntArray:
        """(s,) tokens per sequence."""
        return np.diff(self.starts)

    @property
    def owners(self) -> IntArray:
        """(s,) the text that each sequence is of."""
        return np.arange(len(self)) if self.owner is None else self.owner

    @cached_property
    def first_sequences(self) -> IntArray:
        """(n + 1,): the sequences of text i are `first_sequences[i]` to `first_sequences[i + 1]`, the end excluded."""
        return np.arange(len(self) + 1) if self.owner is None else np.searchsorted(self.owner, np.arange(len(self) + 1))

    @property
    def tokens_per_text(self) -> IntArray:
        """(n,) tokens of each text, in all its windows."""
        return np.diff(self.starts[self.first_sequences])

    def as_sequences(self) -> Self:
        """Each sequence as if it were a text."""
        if self.owner is None:
            return self
        return replace(self, owner=None, truncated=self.truncated[self.owner])

    def keys(self) -> list[bytes]:
        """Equal for texts that the model reads alike."""
        types, bounds = self.type_ids, self.starts[self.first_sequences]
        pairs = zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)
        return [self.ids[a:b].tobytes() + (b"" if types is None else types[a:b].tobytes()) for a, b in pairs]

    def take(self, indices: IntArray) -> Self:
        """The texts at `indices`, in that order."""
        if self.owner is None:
            return self._of_sequences(indices, None, self.truncated[indices])
        first = self.first_sequences
        counts = first[indices + 1] - first[indices]
        sequences = places_of(first[indices], counts)
        return self._of_sequences(sequences, np.repeat(np.arange(len(indices)), counts), self.truncated[indices])

    def in_order(self, sequences: IntArray) -> Self:
        """The same with the sequences in this order, for whoever computes them: `owner` is no longer ascending."""
        owner = None if self.owner is None else self.owner[sequences]
        return self._of_sequences(sequences, owner, self.truncated[sequences] if owner is None else self.truncated)

    def with_at_most(self, n_windows: int) -> Self:
        """With at most so many windows of each text, evenly spread over it; texts that have more count as truncated."""
        counts = np.diff(self.first_sequences)
        if self.owner is None or counts.max(initial=0) <= n_windows:
            return self
        chosen = [
            first + np.unique(np.linspace(0, count - 1, min(count, n_windows)).round().astype(np.int64))
            for first, count in zip(self.first_sequences[:-1].tolist(), counts.tolist(), strict=True)
        ]
        sequences = np.concatenate(chosen)
        return self._of_sequences(sequences, self.owner[sequences], self.truncated | (counts > n_windows))

    def tokens_of(self, sequences: IntArray) -> IntArray:
        """(t,) the places in `ids` of the tokens of these sequences, one sequence after the other."""
        return places_of(self.starts[sequences], self.lengths[sequences])

    def _of_sequences(self, sequences: IntArray, owner: IntArray | None, truncated: NDArray[np.bool_]) -> Self:
        tokens = self.tokens_of(sequences)
        return replace(
            self,
            ids=self.ids[tokens],
            starts=np.concatenate([[0], np.cumsum(self.lengths[sequences])]),
            type_ids=None if self.type_ids is None else self.type_ids[tokens],
            truncated=truncated,
            offsets=None if self.offsets is None else self.offsets[tokens],
            owner=owner,
            answers=None if self.answers is None else self.answers[tokens],
        )
