"""Graphs in OpenVINO's intermediate representation: converted from ONNX, and quantised by NNCF."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from superfine.export.runtime import Inputs, Quantisation, Runtime
from superfine.extras import require_installed
from superfine.predictors.bundle import GraphFacts
from superfine.predictors.openvino import import_openvino


class OpenVino(Runtime):
    """Intel's runtime. A graph is a .xml with its weights in a .bin beside it."""

    title = "OpenVINO"
    graph = "model.xml"
    ways = (
        Quantisation("static, smoothed", static=True, smoothed=True),  # NNCF smooths where it quantises a transformer
        Quantisation("weights only", weights_only=True),
    )

    def check(self) -> None:
        require_installed("export", "onnx", "onnxscript", "openvino", "nncf")

    def convert(self, source: Path, target: Path, facts: GraphFacts) -> None:
        openvino = import_openvino()
        openvino.save_model(openvino.Core().read_model(str(source)), str(target), compress_to_fp16=False)

    def quantise(self, source: Path, target: Path, facts: GraphFacts, way: Quantisation, calibration: Sequence[Inputs]) -> None:
        openvino = import_openvino()
        import nncf  # after it, see there

        graph = openvino.Core().read_model(str(source))
        with _quiet():
            if way.weights_only:
                graph = nncf.compress_weights(graph, mode=nncf.CompressWeightsMode.INT8_SYM)
            else:
                inputs = [dict(one) for one in calibration]
                graph = nncf.quantize(
                    graph,
                    nncf.Dataset(inputs),
                    model_type=nncf.ModelType.TRANSFORMER,
                    preset=nncf.QuantizationPreset.MIXED,
                    subset_size=len(inputs),
                )
        openvino.save_model(graph, str(target), compress_to_fp16=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back NNCF's own bars and notes."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
