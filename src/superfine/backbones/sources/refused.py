"""Folders that hold a model in a form that cannot be fine-tuned: what it is, and what to do instead."""

from __future__ import annotations

import json
from pathlib import Path

from superfine.errors import ModelError

READ = ("*.safetensors", "pytorch_model*.bin")
"""The first kind that is there is read."""
TOKENIZERS = ("tokenizer.json", "vocab.txt", "spiece.model")
"""So is the first of these."""
POINTER = b"version https://git-lfs.github.com/spec/"
OTHER_FORMS = {
    "*.gguf": "GGUF, the form of llama.cpp, whose weights are rounded for prediction",
    "*.onnx": "ONNX, which is made for prediction",
    "onnx/*.onnx": "ONNX, which is made for prediction",
    "openvino_model.xml": "OpenVINO, which is made for prediction",
    "*.tflite": "TensorFlow Lite, which is made for prediction",
    "flax_model*.msgpack": "Flax",
    "rust_model.ot": "rust-bert",
}
"""By the files that tell them."""


def holds_weights(folder: Path) -> bool:
    """Whether there are weights in a form that transformers reads."""
    return any(any(folder.glob(pattern)) for pattern in READ)


def refuse_other_forms(folder: Path, name: str) -> None:
    """Raises ModelError for a folder without weights that can be read, and for weights that are not the original ones.

    name: what the user called the folder.
    """
    weights: list[Path] = next((there for pattern in READ if (there := sorted(folder.glob(pattern)))), [])
    files = [*weights, folder / "config.json", *[path for file in TOKENIZERS if (path := folder / file).is_file()][:1]]
    for path in files:
        if path.is_file() and not path.stat().st_size:
            raise ModelError(f"{path} is empty.", "Copy the model again.")
        if path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(POINTER):
            raise ModelError(f"{path} is a pointer of Git LFS, not the file itself.", "Run git lfs pull in that folder.")
    _refuse_no_object(folder / "config.json")
    if not weights:
        found = next((form for pattern, form in OTHER_FORMS.items() if any(folder.glob(pattern))), None)
        if found is None:
            return
        raise ModelError(
            f"The model in {name} is in the form of {found}: it cannot be trained on here.",
            "Take the original weights, as model.safetensors or pytorch_model.bin.",
        )
    if (method := _rounded_by(folder / "config.json")) is not None:
        raise ModelError(
            f"The weights in {name} are quantised ({method}): they cannot be fine-tuned whole.",
            "Take the original model that they were made from.",
        )


def _refuse_no_object(path: Path) -> None:
    """Raises ModelError for a configuration that is JSON, and no object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # loading tells what is wrong
        return
    if not isinstance(content, dict):
        raise ModelError(f"{path} is no configuration of a model: it holds no JSON object.", "Copy the model again.")


def _rounded_by(path: Path) -> str | None:
    """The method by which the weights were quantised, where they were."""
    found = _content(path).get("quantization_config")
    if not isinstance(found, dict):
        return None
    method = str(found.get("quant_method", "?"))
    # This library's settings are written for weights that are whole, too.
    whole = method == "bitsandbytes" and not (found.get("load_in_4bit") or found.get("load_in_8bit"))
    return None if whole else method


def _content(path: Path) -> dict[str, object]:
    """What a JSON file holds; nothing where it cannot be read, which loading the model will tell."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
