"""TensorFlow: a SavedModel for its servers, and a TFLite file, by which predictions are made here.

Both hold one graph for each of some fixed lengths, as TensorFlow's tools convert them reliably, and the weights once. A text is
padded to the least of these lengths.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from superfine.errors import ModelError
from superfine.export.runtime import Inputs, Quantisation, Runtime
from superfine.export.tensorflow import environment
from superfine.export.tensorflow.saved_model import SavedModel
from superfine.extras import require_installed
from superfine.predictors.bundle import GraphFacts
from superfine.predictors.graph import Graph
from superfine.predictors.tflite import signature_of

if TYPE_CHECKING:
    from superfine.backbones.padding import Padding

LENGTHS = (32, 128, 512, 2048)
"""In tokens: those below the longest that a model reads, which is the last. Each makes a file's graph longer, not its weights."""
SAVED_MODEL = "saved_model"
MOST_AXES = 8
"""A constant with so many whole numbers may be the sizes of something."""


class TensorFlow(Runtime):
    """A .tflite with the SavedModel's folder beside it."""

    title = "TensorFlow"
    graph = "model.tflite"
    is_raced = False  # one text at a time, of fixed lengths
    ways = (Quantisation("dynamic"),)

    def check(self) -> None:
        require_installed("export", "onnx", "onnxscript", "onnxruntime")
        require_installed("tflite", "ai_edge_litert")
        environment.check()

    def make_ready(self, say: Callable[[str], None]) -> None:
        self._python = environment.python(say)

    def facts_of(self, facts: GraphFacts, source: Path, max_length: int, max_positions: int | None) -> GraphFacts:
        wanted = (*(length for length in LENGTHS if length < max_length), max_length)
        lengths = told_apart(wanted, sizes_in(source), max_positions)
        return super().facts_of(facts, source, max_length, max_positions).model_copy(update={"lengths": lengths})

    def why_unsuited(self, padding: Padding) -> str:
        if padding == "none":
            return "Padding changes its answers, and TensorFlow's graphs have fixed lengths, to which texts are padded."
        return ""

    def convert(self, source: Path, target: Path, facts: GraphFacts) -> None:
        self._write(source, target, facts, target.with_name(SAVED_MODEL))

    def quantise(self, source: Path, target: Path, facts: GraphFacts, way: Quantisation, calibration: Sequence[Inputs]) -> None:
        with tempfile.TemporaryDirectory() as scratch:  # a SavedModel has no eight bits
            self._write(source, target, facts, Path(scratch) / SAVED_MODEL, eight_bits=True)

    def twins(self, target: Path) -> Mapping[str, Callable[..., Graph]]:
        return {SAVED_MODEL: partial(SavedModel, self._python)} if target.with_name(SAVED_MODEL).is_dir() else {}

    def versions(self) -> Mapping[str, str]:
        return environment.versions_in(self._python)

    def _write(self, source: Path, target: Path, facts: GraphFacts, saved_model: Path, *, eight_bits: bool = False) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            graphs = {}
            for length in facts.lengths:
                path = Path(scratch) / f"{length}.onnx"
                outputs = with_fixed_length(source, path, length)
                graphs[signature_of(length)] = str(path)
            plan = Path(scratch) / "plan.json"
            content = {
                "graphs": graphs, "inputs": list(facts.inputs), "outputs": outputs,
                "saved_model": str(saved_model), "tflite": str(target), "eight_bits": eight_bits,
            }  # fmt: skip
            plan.write_text(json.dumps(content), encoding="utf-8")
            ran = subprocess.run(
                environment.command(self._python, "convert", str(plan)),
                capture_output=True, text=True, check=False, encoding="utf-8", errors="replace",
            )  # fmt: skip
            if ran.returncode:
                lines = [line for line in ran.stderr.splitlines() if line.strip()]
                raise ModelError(lines[-1] if lines else f"the converter ended with {ran.returncode}", "Choose another format.")


def told_apart(lengths: Sequence[int], sizes: Collection[int], most: int | None) -> tuple[int, ...]:
    """The same lengths, or slightly larger ones: onnx2tf tells axes apart by their sizes, and takes one for another where a
    length is the width of a layer. most: no length may be larger. Raises ModelError where there is none for the largest."""
    found = set()
    for length in lengths:
        free = next((n for n in range(length, (most or length + len(sizes)) + 1) if n not in sizes), None)
        if free is not None:
            found.add(free)
    if max(found, default=0) < max(lengths):
        raise ModelError(
            f"TensorFlow's converter confuses the length of {max(lengths)} tokens with the width of a layer.",
            f"Train with less of a text: --set model.max_length={max(lengths) - 1}. Or choose another format.",
        )
    return tuple(sorted(found))


def sizes_in(graph: Path) -> set[int]:
    """All sizes of weights in an ONNX graph, and those that states are cut into."""
    import onnx
    from onnx import numpy_helper

    weights = onnx.load(str(graph), load_external_data=False).graph.initializer
    sizes = {int(size) for tensor in weights for size in tensor.dims}
    for tensor in weights:
        if tensor.data_type == onnx.TensorProto.INT64 and np.prod(tensor.dims) <= MOST_AXES:
            sizes |= {int(size) for size in numpy_helper.to_array(tensor).ravel()}
    return sizes


def with_fixed_length(source: Path, target: Path, length: int) -> list[str]:
    """Write an ONNX graph for one sequence of one length, whose sizes are worked out: the names of its outputs."""
    import onnx
    import onnxruntime

    from superfine.export.onnx import MOST_IN_ONE_FILE

    graph = onnx.load(str(source))
    for one in graph.graph.input:
        for dimension, size in zip(one.type.tensor_type.shape.dim, (1, length), strict=True):
            dimension.Clear()
            dimension.dim_value = size
    del graph.graph.value_info[:]
    fixed = target.with_suffix(".fixed.onnx")
    onnx.save(graph, str(fixed), save_as_external_data=graph.ByteSize() > MOST_IN_ONE_FILE)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(fixed), options, providers=["CPUExecutionProvider"])
    fixed.unlink()
    return [one.name for one in graph.graph.output]
