"""Exported models that OpenVINO computes, on the processor."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from superfine.extras import require
from superfine.predictors.graph import LOGITS, WINDOW_SCORES, Graph, n_threads
from superfine.records import FloatArray


def import_openvino() -> Any:
    """The library, without the package through which it and NNCF report each use to Google Analytics, unasked, and leave files in
    the user's home: both do without where it is missing."""
    sys.modules.setdefault("openvino_telemetry", cast(Any, None))
    return require("openvino", "openvino")


class OpenVinoModel(Graph):
    """A graph in OpenVINO's intermediate representation."""

    def open(self, path: Path) -> None:
        openvino = import_openvino()
        settings = {
            "INFERENCE_NUM_THREADS": n_threads(),
            "PERFORMANCE_HINT": "LATENCY",  # one batch at a time, with all threads
            "INFERENCE_PRECISION_HINT": "f32",  # else it rounds to bfloat16 where the processor has that
        }
        core = openvino.Core()
        core.set_property({"ENABLE_MMAP": False})  # a file that is written anew in its place would end the process
        compiled = core.compile_model(str(path), "CPU", settings)
        names = {name for output in compiled.outputs for name in output.get_names()}
        self._outputs = [name for name in (LOGITS, WINDOW_SCORES) if name in names]
        self._request = compiled.create_infer_request()
        self._one_at_a_time = threading.Lock()  # a request keeps its results, and threads would read each other's

    def run(self, inputs: Mapping[str, NDArray[np.int64]]) -> tuple[FloatArray, FloatArray | None]:
        with self._one_at_a_time:
            self._request.infer(dict(inputs))
            found = [self._request.get_tensor(name).data.copy() for name in self._outputs]
        return found[0], found[1] if len(found) > 1 else None
