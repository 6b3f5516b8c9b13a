"""Graphs for ONNX Runtime: as they are, or with weights, and mostly products too, in eight bits.

Only products with weights are quantised: attention, norms and the softmax stay in float32, and tables of embeddings are kept in
float16. Weights have a scale for each output
and use seven of their eight bits, since processors without VNNI add two products of eight bits into sixteen and may overflow:
the file gives the same numbers on every processor.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superfine.export.runtime import Inputs, Quantisation, Runtime
from superfine.extras import require_installed
from superfine.predictors.bundle import GraphFacts

PRODUCTS = ("MatMul", "Gemm")
SMOOTHING = 0.8
"""How much of the outliers of states is moved into the weights. Xiao et al. 2023 take 0.5 for weights with one scale for all;
these have one for each output and bear more, see docs/experiments.md."""
LEAST = 1e-5
FEWEST_ROWS = 256
"""Of a table that is kept in float16."""


class OnnxRuntime(Runtime):
    """Microsoft's runtime, which reads the format itself."""

    title = "ONNX Runtime"
    graph = "model.onnx"
    ways = (
        Quantisation("static, smoothed", static=True, smoothed=True),
        Quantisation("dynamic"),
        Quantisation("static, smoothed, first and last sixth spared", static=True, smoothed=True, spared=True),
        Quantisation("weights only", weights_only=True),
    )

    def check(self) -> None:
        require_installed("export", "onnx", "onnxscript", "onnxruntime")

    def convert(self, source: Path, target: Path, facts: GraphFacts) -> None:
        for part in source.parent.glob(f"{source.name}*"):  # weights of more than 2 GB lie beside it
            shutil.copyfile(part, target.with_name(part.name))

    def quantise(self, source: Path, target: Path, facts: GraphFacts, way: Quantisation, calibration: Sequence[Inputs]) -> None:
        import onnx

        if way.weights_only:
            _store_weights(source, target)
            halve_tables(target)
            return
        graph = onnx.load(str(source))
        spared = _of_both_ends(graph) if way.spared else []
        if way.smoothed:
            smooth(graph, source, calibration, spared)
            source = target.with_name(f"smoothed-{target.name}")
            onnx.save(graph, str(source))
        try:
            with _quiet():
                if way.static:
                    _static(source, target, calibration, spared)
                else:
                    _dynamic(source, target, spared)
        finally:
            if way.smoothed:
                source.unlink(missing_ok=True)
        halve_tables(target)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back advice on how to quantise otherwise."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _dynamic(source: Path, target: Path, spared: list[str]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        op_types_to_quantize=list(PRODUCTS),
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=spared,
        extra_options={"MatMulConstBOnly": True},
    )


def _static(source: Path, target: Path, inputs: Sequence[Inputs], spared: list[str]) -> None:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    quantize_static(
        str(source),
        str(target),
        _reader(inputs),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(PRODUCTS),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=spared,
        calibrate_method=CalibrationMethod.MinMax,
        extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": list(PRODUCTS)},
    )


def _store_weights(source: Path, target: Path) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import DefaultWeightOnlyQuantConfig, MatMulNBitsQuantizer

    config = DefaultWeightOnlyQuantConfig(block_size=32, is_symmetric=True, accuracy_level=1, bits=8)
    quantizer = MatMulNBitsQuantizer(str(source), algo_config=config)
    quantizer.process()
    quantizer.model.save_model_to_file(str(target), use_external_data_format=False)


def _reader(inputs: Sequence[Inputs]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._left = iter(inputs)

        def get_next(self) -> dict[str, NDArray[np.int64]] | None:
            following = next(self._left, None)
            return None if following is None else dict(following)

    return Reader()


def _products(graph: Any) -> Iterator[tuple[Any, Any]]:
    """The products with weights, and these: (inputs, outputs), or the other way round in a `Gemm` that turns them."""
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type in PRODUCTS and node.input[1] in weights and len(weights[node.input[1]].dims) == 2:
            yield node, weights[node.input[1]]


def halve_tables(path: Path) -> None:
    """Keep tables that rows are looked up in, above all the embeddings of words, in float16, in place: they are most of a small
    model's file, and what is looked up is computed with in float32."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = onnx.load(str(path))
    readers: dict[str, list[Any]] = {}
    for node in graph.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for tensor in graph.graph.initializer:
        found = readers.get(tensor.name, [])
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 2 or tensor.dims[0] < FEWEST_ROWS:
            continue
        if not all(node.op_type == "Gather" and node.input[0] == tensor.name for node in found):
            continue  # one that is multiplied with too
        table = numpy_helper.to_array(tensor)
        if np.abs(table).max() > np.finfo(np.float16).max:
            continue
        tensor.CopyFrom(numpy_helper.from_array(table.astype(np.float16), tensor.name))
        for node in found:
            place = next(i for i, other in enumerate(graph.graph.node) if other is node)
            wide, node.output[0] = node.output[0], f"{node.output[0]}_half"
            graph.graph.node.insert(place + 1, helper.make_node("Cast", [node.output[0]], [wide], name=f"{wide}_wide", to=1))
    onnx.save(graph, str(path))


def _of_both_ends(graph: Any) -> list[str]:
    """The names of the first and the last sixth of the products: of twelve layers these are two and two."""
    names = [node.name for node, _ in _products(graph)]
    n_outer = max(1, len(names) // 6)
    return [*names[:n_outer], *names[-n_outer:]]


def smooth(graph: Any, path: Path, inputs: Sequence[Inputs], spared: list[str] | None = None) -> None:
    """Move outliers of states into the weights that they meet, in place: `(x / s) (s W)` is the same product, and its first
    factor has no column that is much larger than the others (SmoothQuant, Xiao et al. 2023, equation 4).

    path: of the same graph, which is computed to see how large states are.
    """
    import onnx
    from onnx import helper, numpy_helper

    meeting: dict[str, list[tuple[Any, Any]]] = {}
    for node, weight in _products(graph):
        if node.op_type == "MatMul" and node.name not in (spared or []):
            meeting.setdefault(node.input[0], []).append((node, weight))
    largest = _largest(path, list(meeting), inputs)
    for name, members in meeting.items():
        matrices = [numpy_helper.to_array(weight) for _, weight in members]
        own = np.max([np.abs(matrix).max(axis=1) for matrix in matrices], axis=0)
        scale = np.maximum(largest[name], LEAST) ** SMOOTHING / np.maximum(own, LEAST) ** (1 - SMOOTHING)
        scale = np.maximum(scale / np.exp(np.log(scale).mean()), LEAST).astype(np.float32)
        factor, smoothed = f"{name}_smoothing", f"{name}_smoothed"
        graph.graph.initializer.append(numpy_helper.from_array(1 / scale, factor))
        first = min(i for i, node in enumerate(graph.graph.node) if any(node is other for other, _ in members))
        graph.graph.node.insert(first, helper.make_node("Mul", [name, factor], [smoothed], name=smoothed))
        for (node, _), matrix in zip(members, matrices, strict=True):
            own_name = f"{node.name}_weight"  # layers may share one (ALBERT), and each has a scale of its own
            graph.graph.initializer.append(numpy_helper.from_array(matrix * scale[:, None], own_name))
            node.input[0], node.input[1] = smoothed, own_name
    _drop_unused(graph)
    onnx.checker.check_model(graph)


def _drop_unused(graph: Any) -> None:
    """Leave out weights that no node reads any more."""
    read = {name for node in graph.graph.node for name in node.input}
    unused = [tensor for tensor in graph.graph.initializer if tensor.name not in read]
    for tensor in unused:
        graph.graph.initializer.remove(tensor)


def _largest(path: Path, names: list[str], inputs: Sequence[Inputs]) -> dict[str, NDArray[np.float32]]:
    """The largest absolute value of each column of these states over all inputs."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper

    graph = onnx.load(str(path))
    for name in names:
        graph.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found: dict[str, NDArray[np.float32]] = {}
    for one in inputs:
        for name, states in zip(names, session.run(names, dict(one)), strict=True):
            columns = np.abs(states).reshape(-1, states.shape[-1]).max(axis=0)
            found[name] = np.maximum(found[name], columns) if name in found else columns
    return found
