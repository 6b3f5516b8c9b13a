"""Predictors that read texts: what they share, whatever computes the outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from superfine.data.encode import Encoded, Encoder
from superfine.data.frames import as_texts
from superfine.errors import ModelError
from superfine.records import Answers, Examples, FloatArray
from superfine.tasks.task import Task

CHUNK_TEXTS = 50_000
"""Texts are encoded and predicted in chunks of this many, so that memory does not grow with the file."""

OnBatch = Callable[[int], None]
"""Is called with how many more texts are done."""


class TextPredictor(ABC):
    """Answers for examples, and so for plain texts: a subclass says how in `predict_examples`."""

    task: Task
    takes_pairs: bool

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of what is told apart, in the order of the probabilities."""
        return self.task.labels

    @abstractmethod
    def predict_examples(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        """The answer for each example, in the order given."""

    def predict(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> Answers:
        """The answers for texts: `model.predict(["Lovely!"]).label` is `["positive"]`.

        Raises TypeError for what is no list of texts, ValueError for pairs where the model reads single texts and the other way
        round, or for lists of different lengths.
        """
        first = as_texts(texts)
        second = None if text_pairs is None else as_texts(text_pairs, "text_pairs")
        if second is not None and len(first) != len(second):
            raise ValueError(f"{len(first)} texts and {len(second)} text_pairs")
        if self.takes_pairs != (text_pairs is not None):
            raise ValueError(
                "the model was trained on pairs of texts" if self.takes_pairs else "the model was trained on single texts"
            )
        return self.predict_examples(Examples.of_texts(first, second))


class TextModel(TextPredictor):
    """A predictor with a tokenizer and a task: texts are encoded, a subclass computes `outputs`, and the task decodes them."""

    def __init__(self, task: Task, encoder: Encoder, *, takes_pairs: bool = False) -> None:
        self.task = task
        self.encoder = encoder
        self.takes_pairs = takes_pairs

    @abstractmethod
    def outputs(self, encoded: Encoded, on_batch: OnBatch | None = None) -> FloatArray:
        """(n, n_outputs) what the network says of encoded texts, in their order, or (tokens, n_outputs) where tokens answer."""

    @property
    def max_length(self) -> int:
        return self.encoder.max_length

    def predict_examples(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        """The answer for each example, in the order given."""
        starts = range(0, max(1, len(examples)), CHUNK_TEXTS)
        chunks = (examples.take(range(start, min(start + CHUNK_TEXTS, len(examples)))) for start in starts)
        parts = [self._answers(chunk, on_batch) for chunk in chunks]
        return parts[0] if len(parts) == 1 else type(parts[0]).joined(parts)

    def _answers(self, examples: Examples, on_batch: OnBatch | None) -> Answers:
        encoded = self.encoder.encode(examples)
        outputs = self.outputs(encoded, on_batch)
        if not np.isfinite(outputs).all():
            raise ModelError("What the model computes is no number (nan): its weights are damaged.", "Train again.")
        return self.task.decode(examples, outputs, encoded)
