"""Exported models that OpenVINO computes, on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from superfine.predictors.graph import LOGITS, WINDOW_SCORES, Graph, n_threads
from superfine.records import FloatArray


class OpenVinoModel(Graph):
    """A graph in OpenVINO's intermediate representation."""

    def open(self, path: Path) -> None:
        settings = {
            "INFERENCE_NUM_THREADS": n_threads(),
            "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, with all threads
            "INFERENCE_PRECISION_HINT": "f32",  # else it rounds to bfloat16 where the processor has that
        }
        compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        names = {name for output in compiled.outputs for name in output.get_names()}
        self._outputs = [name for name in (LOGITS, WINDOW_SCORES) if name in names]
        self._request = compiled.create_infer_request()

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> tuple[FloatArray, FloatArray | None]:
        self._request.infer(dict(inputs))
        found = [self._request.get_tensor(name).data.copy() for name in self._outputs]
        return found[0], found[1] if len(found) > 1 else None
