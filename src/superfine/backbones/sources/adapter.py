"""Folders of peft that hold an adapter alone: small matrices and a head, for a model that lies elsewhere.

peft writes `adapter_config.json`, which names that model, and `adapter_model.safetensors`, whose names begin with
"base_model.model.".
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from superfine.atomic import checksum
from superfine.errors import ModelError, first_line
from superfine.extras import require

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."


BASE = "base.json"
"""Of which weights an adapter of ours is, beside it."""


class AdapterBase(NamedTuple):
    """The model that an adapter belongs to. name: a path from the root, or a name of the hub. revision: of the hub's.
    fingerprint: of the files of a folder; None where the revision says it."""

    name: str
    revision: str | None
    fingerprint: str | None = None


@dataclass(frozen=True)
class AdapterFolder:
    """base: what `--model` would take for the model that the adapter belongs to. fingerprint: of that model's files, where it is
    known."""

    folder: Path
    base: str
    fingerprint: str | None = None

    def beside(self) -> Path | None:
        """The model in a folder of the same name beside the adapter's, or beside the run that it is of; None where there is none
        that is the same."""
        name = Path(self.base).name
        places = [parent / name for parent in list(self.folder.absolute().parents)[:3]]
        same = (place for place in places if place.is_dir() and fingerprint_of(place) == self.fingerprint)
        return next(same, None) if self.fingerprint is not None else None


def fingerprint_of(folder: Path) -> str | None:
    """SHA-256 over the weights and the configuration in a folder; None where it has no weights."""
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    if not files:
        return None
    content = hashlib.sha256()
    for path in (*files, folder / "config.json"):
        if path.is_file():
            content.update(f"{path.name}\0{checksum(path)}\0".encode())
    return content.hexdigest()


def adapter_in(folder: Path, name: str) -> AdapterFolder | None:
    """The adapter that a folder holds, or None where it holds none, or the whole model as well. name: what the user called it.

    Raises ModelError for an adapter of another kind than LoRA, or one that names no model.
    """
    if not (folder / CONFIG).is_file() or any(folder.glob("model*.safetensors")) or any(folder.glob("pytorch_model*.bin")):
        return None
    try:
        content = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("it is no JSON object")
        kind, base = content.get("peft_type"), content.get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder / CONFIG} cannot be read: {first_line(error)}", "Copy the adapter again.") from error
    if kind not in (None, "LORA"):
        raise ModelError(
            f"The folder {name} holds an adapter of the kind {kind}, which is not read here.",
            "Merge it with peft: AutoPeftModel.from_pretrained(folder).merge_and_unload().save_pretrained(other).",
        )
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"The folder {name} holds an adapter, and {CONFIG} does not name the model that it belongs to.",
            'Add it to the file: "base_model_name_or_path".',
        )
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"The folder {name} holds an adapter without its weights, {WEIGHTS}.", "Copy the adapter again.")
    revision = content.get("revision")
    return AdapterFolder(folder, f"{base}@{revision}" if revision and not Path(base).exists() else base, _fingerprint(folder))


def _fingerprint(folder: Path) -> str | None:
    try:
        found = json.loads((folder / BASE).read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def merge_into(network: Any, folder: Path) -> tuple[set[str], set[str]]:
    """Add an adapter to the weights of a network, and put in the head that lies beside it.

    Returns the names of the head's parameters that were taken, and of those that have another shape here. Raises ModelError for
    an adapter that does not fit the network.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from superfine.backbones.window_attention import KEY as OF_WINDOWS

    peft = require("lora", "peft")
    try:
        loaded = {name.removeprefix(PREFIX): value for name, value in load_file(folder / WEIGHTS).items()}
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{folder / WEIGHTS} cannot be read: {first_line(error)}", "Copy the adapter again.") from error
    # Biases that learned stand where they are once the matrices are beside them.
    tensors = {name if ".lora_" in name else name.replace(".base_layer.", "."): value for name, value in loaded.items()}
    own = dict(network.named_parameters())
    head = {name: value for name, value in tensors.items() if ".lora_" not in name and name in own}
    taken = {name for name, value in head.items() if value.shape == own[name].shape}
    with torch.no_grad():
        for name in taken:
            own[name].copy_(head[name])
    of_layers = {name: value for name, value in tensors.items() if ".lora_" in name}
    others = [name for name in tensors if name not in own and name not in of_layers and name != OF_WINDOWS]
    try:
        if others:
            raise ValueError(f"no place for {', '.join(others[:3])}")
        config = peft.LoraConfig.from_pretrained(str(folder))
        config.modules_to_save, config.inference_mode = None, True
        tuner = peft.LoraModel(network, {"default": config}, "default")
        found = peft.set_peft_model_state_dict(tuner, {f"model.{name}": value for name, value in of_layers.items()}, "default")
        lacking = [name for name in found.missing_keys if ".lora_" in name]
        if found.unexpected_keys or lacking:
            raise ValueError(f"no place for {', '.join([*found.unexpected_keys, *lacking][:3])}")
        tuner.merge_and_unload()
        network.requires_grad_(True)  # peft had frozen what lies below
    except (ValueError, RuntimeError, TypeError, KeyError) as error:
        raise ModelError(
            f"The adapter in {folder} does not fit a network of type {network.config.model_type}: {first_line(error)}",
            "Is the model that it names the one that it was trained on?",
        ) from error
    return taken, set(head) - taken
