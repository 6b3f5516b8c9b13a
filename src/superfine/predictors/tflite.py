"""Exported models that LiteRT computes, TensorFlow's runtime for phones, here on the processor."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from superfine.extras import require
from superfine.predictors.graph import LOGITS, WINDOW_SCORES, Graph, n_threads
from superfine.records import FloatArray


def signature_of(length: int) -> str:
    """The name of the graph that reads this many tokens."""
    return f"length_{length}"


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what the library, which is no Python, writes about itself to the standard error stream."""
    sys.stderr.flush()
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


class TfliteModel(Graph):
    """A .tflite file with a signature for each length."""

    def open(self, path: Path) -> None:
        litert = require("tflite", "ai_edge_litert.interpreter")
        with _quiet():
            # Read, not mapped: a file that is written anew in its place would end the process.
            interpreter = litert.Interpreter(model_content=path.read_bytes(), num_threads=n_threads())
            interpreter.allocate_tensors()
        found = interpreter.get_signature_list()
        missing = [length for length in self.facts.lengths if signature_of(length) not in found]
        if missing:
            raise ValueError(f"it has no graph of {missing[0]} tokens")
        self._runners = {length: interpreter.get_signature_runner(signature_of(length)) for length in self.facts.lengths}
        self._one_at_a_time = threading.Lock()  # signatures share the memory that they compute in

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> tuple[FloatArray, FloatArray | None]:
        length = next(iter(inputs.values())).shape[1]
        with self._one_at_a_time:
            found = self._runners[length](**inputs)
        return np.array(found[LOGITS]), np.array(found[WINDOW_SCORES]) if WINDOW_SCORES in found else None
