"""Predictors that read texts: what they share, whatever computes the outputs."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from superfine.data.batches import length_sorted_batches
from superfine.data.encode import Encoder
from superfine.data.encoded import Encoded
from superfine.data.frames import as_texts
from superfine.data.personal import redacted_examples
from superfine.errors import ModelError
from superfine.records import Answers, Choices, Evaluation, Examples, FloatArray, IntArray, Sets
from superfine.tasks.task import Task

CHUNK_TEXTS = 50_000
"""Texts are encoded and predicted in chunks of this many, so that memory does not grow with the file."""

CHUNK_CHARACTERS = 1 << 26
"""Or when they have so many characters, where they are read in windows."""
PAIR_COSTS = 4
"""So many times what a text takes of memory a second text does, in which an answer is looked for."""

OnBatch = Callable[[int], None]
"""Is called with how many more texts are done."""


class TextPredictor(ABC):
    """Answers for examples, and so for plain texts: a subclass says how in `answers`. redacts: whether personal data is replaced
    before a text is read."""

    task: Task
    takes_pairs: bool
    redacts: bool = False
    opened_from: Any = None

    def __repr__(self) -> str:
        shown = self.task.shown
        return f"{type(self).__name__}({shown.title.lower()}, {shown.summary}{', of pairs' if self.takes_pairs else ''})"

    def __reduce__(self) -> Any:
        """A pickle holds the files of the bundle, never the network's objects. Raises TypeError for what was not opened."""
        if self.opened_from is None:
            raise TypeError("a predictor is pickled with the files that it was opened from, and this one was not opened")
        from superfine.predictors.bundle import packed, reopened

        opened = self.opened_from
        return reopened, (packed(opened.folder), opened.precision, opened.device)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of what is told apart, in the order of the probabilities."""
        return self.task.labels

    @abstractmethod
    def answers(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        """The answer for each example, in the order given. Their texts are prepared."""

    def predict_examples(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        """The answer for each example, in the order given."""
        return self.answers(redacted_examples(examples) if self.redacts else examples, on_batch)

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

    def predict_proba(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> FloatArray:
        """(n, K) the probabilities, columns in the order of `labels`. Raises TypeError where the answer has none."""
        answers = self.predict(texts, text_pairs)
        if not isinstance(answers, Choices | Sets):
            raise TypeError(f"a {self.task.shown.title.lower()} gives no probabilities of labels: use predict")
        return answers.probabilities

    def answer(self, question: str, context: str) -> dict[str, Any]:
        """The answer to a question about a text: `prediction`, its text ("" for none), `confidence`, `start` and `end` in
        characters of the context (None for none), and `answers`, the best spans. Many at once: `predict(questions, contexts)`.

        Raises TypeError for a model that answers no questions.
        """
        if not self.task.head.extractive:
            raise TypeError(f"a {self.task.shown.title.lower()} answers no questions: use predict")
        found: dict[str, Any] = self.predict([question], [context])[0]  # type: ignore[index]
        return found

    def evaluate(self, texts: Sequence[str], labels: Sequence[Any], text_pairs: Sequence[str] | None = None) -> Evaluation:
        """The scores of n texts with their true labels, with 95 % intervals.

        labels: as in the training data. Raises ValueError for lists of different lengths, DataError for labels that the model
        does not know.
        """
        from superfine.evaluation.evaluate import evaluate

        if len(texts) != len(labels):
            raise ValueError(f"{len(texts)} texts and {len(labels)} labels")
        answers = self.predict(texts, text_pairs)
        second = None if text_pairs is None else as_texts(text_pairs, "text_pairs")
        written = [
            json.dumps(label, ensure_ascii=False) if isinstance(label, list | tuple | dict) else str(label) for label in labels
        ]
        examples = replace(Examples.of_texts(as_texts(texts), second), label=written)
        return evaluate(self.task.statistics(self.task.spelled(examples), answers), self.task.scores)


class Computed(NamedTuple):
    """What a network says of m sequences. indices: (m,) which they are, in the order of the rows. outputs: (m, n_outputs), or
    those of all their tokens, one sequence after the other. scores: (m,) how much each window counts in its text, before softmax;
    None where all count alike."""

    indices: IntArray
    outputs: FloatArray
    scores: FloatArray | None = None


class TextModel(TextPredictor):
    """A predictor with a tokenizer and a task: texts are encoded, a subclass computes batches, and the task decodes them."""

    def __init__(self, task: Task, encoder: Encoder, *, takes_pairs: bool = False) -> None:
        self.task = task
        self.encoder = encoder
        self.takes_pairs = takes_pairs

    @abstractmethod
    def computed(self, sequences: Encoded, indices: IntArray) -> Computed:
        """What the network says of a batch. sequences: each as if it were a text. indices: (m,) those of the batch."""

    @contextmanager
    def computing(self, n_batches: int) -> Iterator[None]:
        """Around the computation of so many batches."""
        yield

    def outputs(self, encoded: Encoded, on_batch: OnBatch | None = None) -> FloatArray:
        """(s, n_outputs) what the network says of encoded sequences, in their order, or (tokens, n_outputs) where tokens
        answer. `on_batch` is called with how many more texts are done."""
        return self._outputs_and_scores(encoded, on_batch)[0]

    def pooled_outputs(self, encoded: Encoded, on_batch: OnBatch | None = None) -> FloatArray:
        """(n, n_outputs) what the network says of encoded texts, in their order, or (tokens, n_outputs) where tokens answer."""
        outputs, scores = self._outputs_and_scores(encoded, on_batch)
        return outputs if self.task.head.by_token else pooled(outputs, encoded, scores)

    def _outputs_and_scores(self, encoded: Encoded, on_batch: OnBatch | None) -> tuple[FloatArray, FloatArray | None]:
        """What `outputs` gives, and (s,) how much each window counts in its text, before softmax; None where all count alike."""
        by_token = self.task.head.by_token
        sequences, read = encoded.as_sequences(), 0
        out = np.zeros((len(encoded.ids) if by_token else len(sequences), len(self.task.head)))
        scores: FloatArray | None = None
        batches = length_sorted_batches(sequences)
        with self.computing(len(batches)):
            for indices in batches:
                found = self.computed(sequences, indices)
                out[encoded.tokens_of(found.indices) if by_token else found.indices] = found.outputs
                if found.scores is not None:
                    scores = np.zeros(len(sequences)) if scores is None else scores
                    scores[found.indices] = found.scores
                read += len(indices)
                if on_batch is not None:  # a text counts by its windows that are read
                    on_batch(read * len(encoded) // len(sequences) - (read - len(indices)) * len(encoded) // len(sequences))
        return out, scores

    @property
    def max_length(self) -> int:
        return self.encoder.max_length

    def answers(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        """The answer for each example, in the order given. Their texts are prepared."""
        parts = [self._answers(examples.take(chunk), on_batch) for chunk in chunks_of(examples)]
        return parts[0] if len(parts) == 1 else type(parts[0]).joined(parts)

    def _answers(self, examples: Examples, on_batch: OnBatch | None) -> Answers:
        encoded = self.encoder.encode(examples)
        outputs = self.pooled_outputs(encoded, on_batch)
        if not np.isfinite(outputs).all():
            raise ModelError("What the model computes is no number (nan): its weights are damaged.", "Train again.")
        return self.task.decode(examples, outputs, encoded)


def chunks_of(examples: Examples) -> list[range]:
    """The positions of examples that are predicted together, one range after the other; one without any where there are none."""
    pairs = examples.text_pair or [""] * len(examples)
    ends = np.cumsum(
        [len(text) + PAIR_COSTS * len(pair) for text, pair in zip(examples.text, pairs, strict=True)], dtype=np.int64
    )
    chunks, start = [], 0
    while start < len(examples):
        read = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, read + CHUNK_CHARACTERS, side="right"))
        stop = max(start + 1, min(stop, start + CHUNK_TEXTS))
        chunks.append(range(start, stop))
        start = stop
    return chunks or [range(0)]


def pooled(outputs: FloatArray, encoded: Encoded, scores: FloatArray | None = None) -> FloatArray:
    """(n, n_outputs) of texts, the means over their windows, of (s, n_outputs) of sequences. scores: (s,) how much each counts,
    before the softmax over those of a text; all alike where they are absent."""
    if encoded.owner is None or not len(encoded):
        return outputs
    first = encoded.first_sequences[:-1]
    scores = np.zeros(len(outputs)) if scores is None else scores
    weights = np.exp(scores - np.maximum.reduceat(scores, first)[encoded.owner])
    totals = np.add.reduceat(outputs * weights[:, None], first, axis=0)
    return np.asarray(totals / np.add.reduceat(weights, first)[:, None])
