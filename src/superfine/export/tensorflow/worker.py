"""Runs in TensorFlow's own environment, as a program: neither Superfine nor what it depends on is there.

    python worker.py check                     which versions are there, as JSON
    python worker.py convert PLAN.json         graphs of fixed lengths → a SavedModel and a TFLite file
    python worker.py answer SAVED_MODEL        answers what is asked on standard input, until it ends

A graph for each length is converted alone and holds all weights. What is written holds them once: constants of equal content
become one variable, or one buffer, of all signatures.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
import unittest.mock
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # its products differ more from those of other runtimes
os.environ["CUDA_VISIBLE_DEVICES"] = ""

PACKAGES = ("tensorflow", "onnx2tf", "numpy", "protobuf")
FEWEST_SHARED = 1024
"""Bytes of a constant below which it is left where it is."""


def check() -> dict[str, str]:
    import onnx2tf  # noqa: F401
    import tensorflow  # noqa: F401

    return {name: importlib.metadata.version(name) for name in PACKAGES}


def convert(plan: dict[str, Any]) -> None:
    """plan: `graphs` (signature → file of ONNX), `saved_model`, `tflite` (where to write), `inputs`, `outputs` (names),
    `eight_bits` (whether the file's products are computed so)."""
    import tensorflow as tf

    module, functions = tf.Module(), {}
    shared: dict[str, Any] = {}
    for signature, path in plan["graphs"].items():
        definition, given, found = _converted(Path(path), plan["inputs"])
        functions[signature] = _function(definition, given, dict(zip(plan["outputs"], found, strict=True)), shared)
    module.shared = list(shared.values())
    longest = list(functions)[-1]
    tf.saved_model.save(module, plan["saved_model"], signatures={**functions, "serving_default": functions[longest]})
    converter = tf.lite.TFLiteConverter.from_saved_model(plan["saved_model"], signature_keys=list(functions))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if plan["eight_bits"]:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    Path(plan["tflite"]).write_bytes(converter.convert())


class Converted(BaseException):
    """Ends the converter's work where the Keras model is there: it would go on to write a SavedModel and two TFLite files of this
    length alone, which takes minutes, as Keras describes every weight in JSON."""

    def __init__(self, model: Any) -> None:
        self.model = model


def _converted(path: Path, inputs: list[str]) -> tuple[Any, dict[str, Any], list[str]]:
    """A graph as TensorFlow's definition, its inputs by their names, and the names of its outputs there."""
    import onnx2tf
    import tensorflow as tf

    def end(model: Any, _folder: str) -> None:
        raise Converted(model)

    model = None
    with tempfile.TemporaryDirectory() as scratch, unittest.mock.patch.object(tf.saved_model, "save", end):
        try:
            onnx2tf.convert(
                input_onnx_file_path=str(path),
                output_folder_path=scratch,
                keep_shape_absolutely_input_names=inputs,
                non_verbose=True,
            )
        except Converted as converted:
            model = converted.model
    if model is None:
        raise RuntimeError(f"onnx2tf {importlib.metadata.version('onnx2tf')} ended without a model")
    given = [tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name) for tensor in model.inputs]
    traced = tf.function(lambda *tensors: model(tensors), input_signature=given).get_concrete_function()
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    frozen = convert_variables_to_constants_v2(traced)
    known = {spec.name.partition(":")[0]: tensor for spec, tensor in zip(given, frozen.inputs, strict=True)}
    return frozen.graph.as_graph_def(), {name: known[name] for name in inputs}, [tensor.name for tensor in frozen.outputs]


def _function(definition: Any, given: dict[str, Any], outputs: dict[str, str], shared: dict[str, Any]) -> Any:
    """A function of one signature, whose large constants are variables that others may share."""
    import tensorflow as tf
    from tensorflow.python.framework import tensor_util

    kept, variables = tf.compat.v1.GraphDef(), {}
    kept.versions.CopyFrom(definition.versions)
    kept.library.CopyFrom(definition.library)
    for node in definition.node:
        value = tensor_util.MakeNdarray(node.attr["value"].tensor) if node.op == "Const" else None
        if value is None or value.nbytes < FEWEST_SHARED:
            kept.node.add().CopyFrom(node)
            continue
        key = hashlib.sha256(f"{value.dtype} {value.shape}".encode() + value.tobytes()).hexdigest()
        if key not in shared:
            shared[key] = tf.Variable(value, trainable=False, name=f"constant_{len(shared)}")
        variables[f"{node.name}:0"] = shared[key]

    def answered(*tensors: Any) -> dict[str, Any]:
        bound = {tensor.name: own for tensor, own in zip(given.values(), tensors, strict=True)}
        bound.update({name: variable.read_value() for name, variable in variables.items()})
        found = tf.import_graph_def(kept, input_map=bound, return_elements=list(outputs.values()), name="")
        return dict(zip(outputs, found, strict=True))

    asked = [tf.TensorSpec(tensor.shape, tensor.dtype, wanted) for wanted, tensor in given.items()]
    return tf.function(answered, input_signature=asked).get_concrete_function()


def answer(saved_model: str) -> None:
    """A question is a line of JSON (the signature, and name, type and shape of each input) and the inputs' bytes; so is an
    answer."""
    import numpy as np
    import tensorflow as tf

    model = tf.saved_model.load(saved_model)
    asked, said = sys.stdin.buffer, sys.stdout.buffer
    said.write(b"ready\n")
    said.flush()
    while line := asked.readline():
        question = json.loads(line)
        given = {}
        for name, dtype, shape in question["inputs"]:
            n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
            given[name] = tf.constant(np.frombuffer(asked.read(n_bytes), dtype=dtype).reshape(shape))
        answers = model.signatures[question["signature"]](**given)
        found = {name: np.ascontiguousarray(value.numpy()) for name, value in answers.items()}
        said.write(json.dumps([[name, value.dtype.str, value.shape] for name, value in found.items()]).encode() + b"\n")
        said.write(b"".join(value.tobytes() for value in found.values()))
        said.flush()


def main(arguments: list[str]) -> None:
    verb, *rest = arguments
    if verb == "check":
        print(json.dumps(check()))
    elif verb == "answer":
        answer(rest[0])
    else:
        with contextlib.redirect_stdout(sys.stderr):  # what the libraries say of their own parts
            convert(json.loads(Path(rest[0]).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
