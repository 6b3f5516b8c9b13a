"""Trained models as files for other runtimes: what writes them. What reads them stands in `predictors`, without torch."""

from superfine.names import NameTable

RUNTIMES = NameTable(
    "runtime",
    {
        "onnx": "superfine.export.onnx_runtime:OnnxRuntime",
        "openvino": "superfine.export.openvino:OpenVino",
        "tensorflow": "superfine.export.tensorflow.runtime:TensorFlow",
    },
)
"""A runtime provides what `superfine.export.runtime.Runtime` says; its name is that of the predictor that reads its files."""
