"""Exported models that ONNX Runtime computes, on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from superfine.predictors.graph import LOGITS, WINDOW_SCORES, Graph, n_threads
from superfine.records import FloatArray


class OnnxModel(Graph):
    """A graph in the Open Neural Network Exchange format."""

    def open(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads()
        options.log_severity_level = 3  # errors alone: warnings are of how the graph was optimised
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._outputs = [name for name in (LOGITS, WINDOW_SCORES) if name in {out.name for out in self._session.get_outputs()}]

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> tuple[FloatArray, FloatArray | None]:
        found = self._session.run(self._outputs, dict(inputs))
        return np.asarray(found[0]), np.asarray(found[1]) if len(found) > 1 else None
