"""Answers that are taken out of a text: the spans of a context that answer a question, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from superfine.records.answers import _joined, _Table, as_json
from superfine.records.arrays import FloatArray, IntArray
from superfine.records.ragged import Ragged


@dataclass(frozen=True, repr=False)
class Extracted(_Table):
    """The answer for each of n questions: a span of its context, or that it has none.

    texts: (n,) the raw contexts. places: for each question (m, 2) int64: start and end of the spans that answer it best, in
    characters of the context, end excluded, the best first. scores: (total,) the probability of each, in the order of
    `places.values`. answered: (n,) whether the best one is the answer; else the context has none. no_answer: (n,) the probability
    of that.
    """

    row: IntArray
    texts: list[str]
    places: Ragged
    scores: FloatArray
    answered: NDArray[np.bool_]
    no_answer: FloatArray

    def __len__(self) -> int:
        return len(self.row)

    def take(self, indices: IntArray) -> Self:
        """The answers at `indices`, in that order."""
        indices = np.arange(len(self))[indices]  # a mask, or places from the end
        return replace(
            self,
            row=self.row[indices],
            texts=[self.texts[i] for i in indices],
            places=self.places.take(indices),
            scores=Ragged(self.scores, self.places.starts).take(indices).values,
            answered=self.answered[indices],
            no_answer=self.no_answer[indices],
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The answers of several parts, one at least, one after the other."""
        values = np.concatenate([part.places.values for part in parts])
        places = Ragged.of_lengths(values, np.concatenate([part.places.lengths for part in parts]))
        texts = [text for part in parts for text in part.texts]
        return replace(_joined(parts, "row", "scores", "answered", "no_answer"), texts=texts, places=places)

    @property
    def best(self) -> IntArray:
        """(n, 2) start and end of the answers; (-1, -1) where there is none."""
        found = np.full((len(self), 2), -1, dtype=np.int64)
        found[self.answered] = self.places.values[self.places.starts[:-1][self.answered]]
        return found

    @property
    def label(self) -> list[str]:
        """The answers, as they stand in their contexts; "" where there is none."""
        return [text[start:end] if start >= 0 else "" for text, (start, end) in zip(self.texts, self.best.tolist(), strict=True)]

    @property
    def confidence(self) -> FloatArray:
        """(n,) the probability of the answer, or of there being none."""
        found = self.no_answer.copy()
        found[self.answered] = self.scores[self.places.starts[:-1][self.answered]]
        return found

    @property
    def spans(self) -> list[list[dict[str, Any]]]:
        """The spans that answer each question best, whether or not the first of them is the answer: `text`, `start`, `end` and
        `score`, its probability."""
        every = [
            {"text": self.texts[i][start:end], "start": start, "end": end, "score": score}
            for i, (start, end), score in zip(
                self.places.row_of_value.tolist(), self.places.values.tolist(), self.scores.tolist(), strict=True
            )
        ]
        return [every[first:stop] for first, stop in pairwise(self.places.starts.tolist())]

    def to_columns(self) -> dict[str, list[Any]]:
        """Columns for a table: `prediction`, the answer, `confidence`, `start` and `end` in characters of the context (empty
        where there is no answer), and `answers`, the best spans as a JSON list."""
        places: list[list[Any]] = [[start, end] if start >= 0 else ["", ""] for start, end in self.best.tolist()]
        return {
            "prediction": self.label,
            "confidence": self.confidence.tolist(),
            "start": [start for start, _ in places],
            "end": [end for _, end in places],
            "answers": [as_json(spans) for spans in self.spans],
        }

    def to_objects(self) -> list[dict[str, Any]]:
        """An object for each question, for JSON; `start` and `end` are None where there is no answer."""
        return [
            {
                "prediction": said,
                "confidence": sure,
                "start": start if start >= 0 else None,
                "end": end if start >= 0 else None,
                "answers": spans,
            }
            for said, sure, (start, end), spans in zip(
                self.label, self.confidence.tolist(), self.best.tolist(), self.spans, strict=True
            )
        ]
