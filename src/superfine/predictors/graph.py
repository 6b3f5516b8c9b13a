"""Exported models: a graph in a file that a runtime computes, without torch and transformers.

Texts are encoded, sorted by length, cut into batches and decoded as those of the model that was exported: what differs is who
multiplies. A graph reads padded rectangles; in batches of similar lengths there is little padding in them.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from superfine.data.encode import Encoder
from superfine.data.encoded import Encoded
from superfine.data.preparation import head_tail_in, windows_in
from superfine.errors import ConfigError, ModelError, first_line
from superfine.extras import require_installed
from superfine.metrics import log_softmax_of_sequences
from superfine.predictors import NEEDS
from superfine.predictors.bundle import MANIFEST, Bundle, GraphFacts
from superfine.predictors.texts import Computed, TextModel
from superfine.records import FloatArray, IntArray
from superfine.tasks.task import Task

TOKENIZER = "tokenizer.json"
LOGITS, WINDOW_SCORES = "logits", "window_scores"
"""The outputs of a graph: (n, n_outputs), or (n, length, n_outputs) where tokens answer, and (n,) how much a window counts."""


class Graph(TextModel):
    """A graph with a runtime behind it: a subclass says how a file is opened, and how one rectangle is computed."""

    def __init__(self, task: Task, encoder: Encoder, facts: GraphFacts, path: Path, *, takes_pairs: bool = False) -> None:
        super().__init__(task, encoder, takes_pairs=takes_pairs)
        self.facts = facts
        try:
            self.open(path)
        except Exception as error:  # runtimes raise what they like
            raise ModelError(f"{path} cannot be opened: {first_line(error)}", "Export the model again.") from None

    @abstractmethod
    def open(self, path: Path) -> None:
        """Make ready to compute."""

    @abstractmethod
    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> tuple[FloatArray, FloatArray | None]:
        """The logits of one rectangle (n, length), and its windows' scores where the graph has such an output."""

    def close(self) -> None:
        """End what runs outside this process."""

    def computed(self, sequences: Encoded, indices: IntArray) -> Computed:
        indices = indices[np.argsort(sequences.lengths[indices], kind="stable")]
        outputs, scores = [], []
        for members in self._together(sequences, indices):
            rectangle = Rectangle.of(sequences, members, self.facts)
            logits, found = self.run({name: getattr(rectangle, name) for name in self.facts.inputs})
            outputs.append(self._of_rows(logits, rectangle, sequences, members))
            scores += [] if found is None else [found]
        return Computed(indices, np.concatenate(outputs), np.concatenate(scores) if scores else None)

    def _together(self, sequences: Encoded, indices: IntArray) -> Iterator[IntArray]:
        """What is computed in one rectangle: all, or the sequences of one length where padding would change their answers, or
        each alone where the graph has fixed sizes."""
        if self.facts.lengths:
            yield from indices[:, None]
            return
        if self.facts.padding != "none":
            yield indices
            return
        for _, members in groupby(indices.tolist(), key=lambda i: int(sequences.lengths[i])):
            yield np.array(list(members), dtype=np.int64)

    def _of_rows(self, logits: FloatArray, rectangle: Rectangle, sequences: Encoded, members: IntArray) -> FloatArray:
        head = self.task.head
        if not head.by_token:
            return logits
        of_tokens = logits[rectangle.attention_mask > 0]
        if not head.extractive:
            return of_tokens
        starts = np.concatenate([[0], np.cumsum(sequences.lengths[members])])
        return log_softmax_of_sequences(of_tokens, starts)

    @classmethod
    def load(cls, bundle: Bundle, device: str = "auto") -> Self:
        """The predictor of a bundle that `superfine export` wrote. Raises ModelError, and ConfigError for a device that it cannot
        compute on."""
        manifest = bundle.manifest
        if device not in ("auto", "cpu"):
            raise ConfigError("An exported model computes on the processor.", "Leave --device out, or ask the run itself.")
        facts = manifest.graph
        if facts is None or manifest.max_length is None:
            raise ModelError(f"{bundle.folder / MANIFEST} says nothing of a graph.", "Export the model again.")
        require_installed(*NEEDS[manifest.predictor])
        task = manifest.open_task()
        try:
            tokenizer = Tokenizer.from_file(str(bundle.folder / TOKENIZER))
        except Exception as error:  # the library raises no other kind
            raise ModelError(
                f"{bundle.folder / TOKENIZER} cannot be read: {first_line(error)}", "Export the model again."
            ) from None
        encoder = Encoder(
            tokenizer,
            manifest.max_length,
            facts.empty_id,
            with_offsets=task.head.by_token,
            windows=windows_in(manifest.preparation),
            head_tail=head_tail_in(manifest.preparation),
        )
        return cls(task, encoder, facts, bundle.folder / facts.file, takes_pairs=manifest.text_pair is not None)


class Rectangle:
    """The inputs of a graph, each (n, length) int64: `input_ids`, `attention_mask`, `token_type_ids`."""

    def __init__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64], types: NDArray[np.int64]) -> None:
        self.input_ids, self.attention_mask, self.token_type_ids = input_ids, attention_mask, types

    @classmethod
    def of(cls, sequences: Encoded, members: IntArray, facts: GraphFacts) -> Self:
        """Of these sequences, padded on the side that the graph was exported for, to a length that it has."""
        lengths = sequences.lengths[members]
        width = int(lengths.max(initial=0))
        if facts.lengths:
            width = facts.lengths[bisect_left(facts.lengths, width)]
        places = np.arange(width)
        is_read = places >= (width - lengths)[:, None] if facts.padding == "left" else places < lengths[:, None]
        ids = np.full(is_read.shape, facts.pad_id, dtype=np.int64)
        types = np.zeros(is_read.shape, dtype=np.int64)
        tokens = sequences.tokens_of(members)
        ids[is_read] = sequences.ids[tokens]
        if sequences.type_ids is not None:
            types[is_read] = sequences.type_ids[tokens]
        return cls(ids, is_read.astype(np.int64), types)


def n_threads() -> int:
    """How many threads a runtime gets: those that this process may use, or as many as OMP_NUM_THREADS says, as for torch."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if asked.isdigit() and int(asked):
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
