"""`superfine doctor`: what this installation can do, and what to install for more."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from superfine.backbones.sources.embedded import EMBEDDED, EmbeddedModel
from superfine.errors import SuperfineError
from superfine.extras import declared

FOR_PEOPLE = {
    "train": "trains models and predicts with them (torch, transformers)",
    "files": "reads Excel, Parquet and .zst files",
    "export": "writes models for ONNX Runtime and OpenVINO, also in eight bits",
    "onnx": "predicts with exported models by ONNX Runtime, without torch",
    "openvino": "predicts with exported models by OpenVINO, without torch",
    "tensorboard": "tells TensorBoard of runs",
    "mlflow": "tells MLflow of runs",
    "wandb": "tells Weights & Biases of runs",
    "plots": "draws figures of a run in Python",
    "offline": "brings the model for English texts, for use without the hub",
    "multilingual": "brings the model for all other languages, for use without the hub",
}
"""What the extras that users need are for; those of developers are left out."""


@dataclass(frozen=True)
class Extra:
    """An extra, what it is for, and whether all its packages are there."""

    name: str
    purpose: str
    installed: bool
    command: str


@dataclass(frozen=True)
class Diagnosis:
    """Versions by package, devices with the precision that training chooses there, extras, the state of each embedded model."""

    versions: dict[str, str]
    python: str
    threads: int
    devices: list[dict[str, str]]
    extras: list[Extra]
    embedded_models: dict[str, str]
    hub: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def examine() -> Diagnosis:
    """Look at this installation. Nothing is downloaded, nothing is written."""
    return Diagnosis(
        versions={name: _version(name) for name in ("superfine", "torch", "transformers", "tokenizers", "numpy")},
        python=platform.python_version(),
        threads=_threads(),
        devices=_devices(),
        extras=[
            Extra(name, purpose, _installed(name), f"pip install 'superfine[{name}]'") for name, purpose in FOR_PEOPLE.items()
        ],
        embedded_models={model.name: _state(model) for model in EMBEDDED},
        hub=os.environ.get("HF_ENDPOINT", "https://huggingface.co"),
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _threads() -> int:
    if not _installed("train"):
        return os.cpu_count() or 1
    import torch

    return torch.get_num_threads()


def _devices() -> list[dict[str, str]]:
    """Each device with the precision that training chooses there; none without the training part."""
    if not _installed("train"):
        return []
    import torch

    from superfine.training.precision import choose_precision, name_of

    devices = [torch.device("cpu"), *(torch.device("cuda", i) for i in range(torch.cuda.device_count()))]
    return [{"name": _device_name(device), "precision": name_of(choose_precision("auto", device))} for device in devices]


def _device_name(device: Any) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"cpu ({platform.machine()})"


def _installed(extra: str) -> bool:
    """Whether every package that the extra names is there."""
    ours = re.compile(rf"""extra == ['"]{extra}['"]""")
    names = [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in requires("superfine") or [] if ours.search(text)]
    try:
        return extra in declared() and all(version(name) for name in names)
    except PackageNotFoundError:
        return False


def _state(model: EmbeddedModel) -> str:
    try:
        if model.source is None:
            return "converted before, its package is not installed" if model.at_hand else "not installed"
        model.check()
        if model.convert is None:
            return "installed, checksum right"
        return "installed and converted, checksums right" if model.is_converted else "installed, will be converted at first use"
    except SuperfineError as error:
        return error.message
