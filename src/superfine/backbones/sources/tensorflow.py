"""TensorFlow checkpoints, read without TensorFlow: the original releases' (`.index` and `.data-...`) and `tf_model.h5`.

One is converted at first use into a Hugging Face folder in the user's cache, like the embedded models that come in a form of
their own.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from superfine.atomic import checksum
from superfine.backbones.sources.converted import converted_folder
from superfine.backbones.sources.tensor_bundle import TensorBundle, UnreadableError
from superfine.backbones.sources.tensorflow_names import (
    BODIES,
    OF_OBJECTS,
    Weight,
    is_set_aside,
    keras_names,
    original_names,
    type_of,
)
from superfine.errors import ModelError, first_line
from superfine.extras import require

FORMAT = 1
"""Goes up when the folder that is written changes: an older one in a cache is then made again."""
ENDINGS = re.compile(r"\.(?:index|meta|data-\d{5}-of-\d{5})$")
NOT_OF_MODEL = ("tokenizer_config.json", "generation_config.json", "adapter_config.json")
REPORT = "from_tensorflow.json"
"""What became of the tensors, in the folder that is written."""
HEAD_WIDTH = 64
"""Of the models that ELECTRA and BERT were published with; a checkpoint without a configuration does not say it."""
NOT_STORED = ("position_ids", "token_type_ids", "mask_emb", "attn.bias", "masked_bias")
"""Ends of names of what networks have and checkpoints need not hold."""
AUTO_CLASSES = ("AutoModelForPreTraining", "AutoModelForSequenceClassification")
Read = Callable[[str], NDArray[Any]]


@dataclass(frozen=True)
class TensorFlowCheckpoint:
    """A checkpoint that was found. name: what the user called it. files: `NAME.index`, or those of `tf_model.h5`."""

    name: str
    home: Path
    files: tuple[Path, ...]

    def folder(self, say: Callable[[str], None] | None = None) -> Path:
        """The model as a Hugging Face folder, made at first use. Raises ModelError for what cannot be read, and OutputError where
        there is no room."""
        folder = converted_folder(
            self._key,
            lambda: self.files[0],
            partial(_convert, self),
            say,
            advice="Is the download complete? Get it again, or take the model in PyTorch's form: model.safetensors.",
        )
        assert folder is not None
        return folder

    @property
    def is_keras(self) -> bool:
        return self.files[0].suffix == ".h5"

    @property
    def _key(self) -> str:
        """Names the content: an index of TensorFlow's holds the checksum of every tensor."""
        content = hashlib.sha256()
        for path in (*self.files, *sorted({*_configurations(self.home), *_tokenizer_files(self.home).values()})):
            content.update(f"{path.name}\0{checksum(path)}\0".encode())
        readable = re.sub(r"[^\w.-]+", "-", self.home.name)
        return f"{readable}-{content.hexdigest()[:12]}-tf{FORMAT}"


def tensorflow_checkpoint(path: Path, name: str) -> TensorFlowCheckpoint | None:
    """The checkpoint that a folder holds, or that a path without or with its ending names; None where there is none.

    Raises ModelError for a folder with several.
    """
    if not path.is_dir():
        prefix = path.with_name(ENDINGS.sub("", path.name))
        if path.is_file() and path.suffix == ".h5":
            return TensorFlowCheckpoint(name, path.parent, (path,))
        index = prefix.with_name(f"{prefix.name}.index")
        return TensorFlowCheckpoint(name, path.parent, (index,)) if index.is_file() else None
    found = [index for index in sorted(path.glob("*.index")) if any(path.glob(f"{index.stem}.data-*"))]
    if len(found) > 1:
        latest = _latest(path)
        found = [index for index in found if index.stem == latest] or found
    if len(found) > 1:
        names = ", ".join(index.stem for index in found)
        raise ModelError(
            f"The folder {name} holds {len(found)} TensorFlow checkpoints: {names}.", f"Name one of them: {path / found[-1].stem}"
        )
    files = found or sorted(path.glob("tf_model*.h5"))
    if not files and not (path / "config.json").is_file():
        _refuse_half(path, name)
    return TensorFlowCheckpoint(name, path, tuple(files)) if files else None


def _refuse_half(folder: Path, name: str) -> None:
    """Raises ModelError for a folder with one of the two files of a checkpoint."""
    index, data = next(folder.glob("*.index"), None), next(folder.glob("*.data-*-of-*"), None)
    if index is not None:
        raise ModelError(f"The folder {name} holds {index.name} without {index.stem}.data-00000-of-00001.", "Copy that file too.")
    if data is not None:
        raise ModelError(
            f"The folder {name} holds {data.name} without {data.name.rpartition('.')[0]}.index.", "Copy that file too."
        )


def tensorflow_notes(folder: Path, name: str) -> tuple[str, ...]:
    """What the user should know of a folder that was made of a TensorFlow checkpoint."""
    path = folder / REPORT
    if not path.is_file():
        return ()
    report = json.loads(path.read_text(encoding="utf-8"))
    notes = [_read_as(name, report["type"], report["n_weights"], report["n_aside"])]
    if report["assumed"]:
        notes.append(_assumed(name, report["assumed"]))
    if report["left"]:
        notes.append(_left(name, report["left"]))
    return tuple(notes)


def _latest(folder: Path) -> str | None:
    """The checkpoint that TensorFlow's file `checkpoint` names."""
    try:
        found = re.search(
            r'^model_checkpoint_path: "(?:.*/)?([^/"]+)"', (folder / "checkpoint").read_text(encoding="utf-8"), re.MULTILINE
        )
    except (OSError, ValueError):
        return None
    return None if found is None else found[1]


def _convert(checkpoint: TensorFlowCheckpoint, source: Path, folder: Path) -> None:
    """Write the Hugging Face folder. Raises UnreadableError for files that are not whole, ModelError for other reasons."""
    from safetensors.numpy import save_file

    with _opened(checkpoint) as (shapes, read):
        names = list(shapes)
        config, assumed = _configuration(checkpoint, shapes)
        model_type = config["model_type"]
        names = [each for each in names if not is_set_aside(model_type, each)]
        known, prefix = _known_to_transformers(config)
        if checkpoint.is_keras:
            weights, body = keras_names(names, prefix), f"{prefix}."
        else:
            n_layers = int(config.get("n_layer") or config.get("num_hidden_layers") or 0)
            weights = original_names(model_type, names, n_layers, untied=bool(config.get("untie_r", True)))
            body = BODIES[model_type]
        left = [weight for weight in weights if weight.name not in known]
        _refuse_other_network(checkpoint, model_type, [weight.source for weight in left], body, prefix)
        kept = [weight for weight in weights if weight.name in known]
        values = {weight.name: _values(weight, read, known) for weight in kept}
        _refuse_other_shapes(checkpoint, values, known, f"{prefix}.")
        save_file(values, folder / "model.safetensors", {"format": "pt"})
    report = {
        "type": model_type,
        "n_weights": len({weight.source for weight in kept}),
        "n_aside": len(shapes) - len(names),
        "assumed": assumed,
        "left": sorted(weight.source for weight in left),
    }
    for name, content in (("config.json", config), (REPORT, report)):
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    _write_tokenizer(checkpoint.home, model_type, folder)


@contextmanager
def _opened(checkpoint: TensorFlowCheckpoint) -> Iterator[tuple[dict[str, tuple[int, ...]], Read]]:
    """The shapes of the tensors by their names, and how one is read."""
    if not checkpoint.is_keras:
        bundle = TensorBundle(checkpoint.files[0].with_suffix(""))
        yield {name: entry.shape for name, entry in bundle.entries.items()}, bundle.tensor
        return
    h5py = require("h5", "h5py")
    files = []
    try:
        datasets: dict[str, Any] = {}
        for path in checkpoint.files:
            files.append(h5py.File(path, "r"))
            datasets |= dict(_datasets(files[-1]))
        yield {name: tuple(data.shape) for name, data in datasets.items()}, lambda name: np.asarray(datasets[name])
    except OSError as error:
        raise UnreadableError(str(error)) from error
    finally:
        for file in files:
            file.close()


def _datasets(file: Any) -> Iterator[tuple[str, Any]]:
    """The arrays of an HDF5 file by the names of the weights, which Keras keeps beside each layer."""
    for layer in _names_in(file, "layer_names"):
        group = file[layer]
        if hasattr(group, "dtype"):  # as in one of several files, which have no groups
            yield layer, group
            continue
        for name in _names_in(group, "weight_names"):
            yield name, group[name]
    if not _names_in(file, "layer_names"):
        found: list[tuple[str, Any]] = []
        file.visititems(lambda name, item: found.append((name, item)) if hasattr(item, "dtype") else None)
        yield from found


def _names_in(group: Any, key: str) -> list[str]:
    """Names that Keras keeps in an attribute, or in several where they are too many for one: key0, key1, ..."""
    keys = [key] if key in group.attrs else [name for i in range(len(group.attrs)) if (name := f"{key}{i}") in group.attrs]
    return [name.decode() if isinstance(name, bytes) else str(name) for each in keys for name in group.attrs[each]]


def _configuration(checkpoint: TensorFlowCheckpoint, shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, Any], str]:
    """What becomes config.json, and what had to be assumed for it, in words; nothing where the checkpoint says it all."""
    paths = _configurations(checkpoint.home)
    content: dict[str, Any] = {}
    if paths:
        content = _json_object(paths[0])
    if checkpoint.is_keras:
        if not content.get("model_type"):
            raise ModelError(
                f"The folder {checkpoint.name} holds no config.json that says what type of model {checkpoint.files[0].name} is.",
                'Put the model\'s config.json beside it, with its "model_type".',
            )
        return content, ""
    if any(OF_OBJECTS in name for name in shapes):
        raise ModelError(
            f"The checkpoint {checkpoint.name} was written by TensorFlow 2 from objects: its tensors have no names of layers.",
            "Take the original release of the model, or the model in PyTorch's form: model.safetensors.",
        )
    model_type = type_of(shapes)
    if model_type is None:
        raise ModelError(
            f"The checkpoint {checkpoint.name} is none of BERT, ALBERT, ELECTRA, RoBERTa, XLNet or GPT-2: it holds "
            f"{', '.join(list(shapes)[:3])}, ...",
            "Take the model in PyTorch's form: model.safetensors.",
        )
    if model_type == "gpt2":
        renamed = {"n_vocab": "vocab_size", "n_ctx": "n_positions"}
        content = {renamed.get(key, key): value for key, value in content.items()}
    elif model_type == "xlnet" and "n_token" in content:
        content["vocab_size"] = content.pop("n_token")
    if model_type in ("albert", "xlnet"):
        # Their releases call gelu what their code computes by tanh.
        key = "hidden_act" if model_type == "albert" else "ff_activation"
        content[key] = "gelu_new" if content.get(key, "gelu") == "gelu" else content[key]
    assumed = ""
    if not content:
        content, assumed = _configuration_of_shapes(checkpoint.name, model_type, shapes)
    if (n_outputs := shapes.get("output_bias")) is not None:
        content["id2label"] = {i: f"LABEL_{i}" for i in range(n_outputs[0])}
    return {**content, "model_type": model_type}, assumed


def _json_object(path: Path) -> dict[str, Any]:
    """The settings in a file. Raises ModelError where it holds none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {first_line(error)}", "Take the file of the release again.") from None
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path} holds no settings of a network.", "Take the file of the release again.")
    return content


def _configuration_of_shapes(name: str, model_type: str, shapes: Mapping[str, tuple[int, ...]]) -> tuple[dict[str, Any], str]:
    """Of a network of BERT's kind, whose release brings none, as ELECTRA's: all but the number of heads lies in the shapes."""
    if model_type not in ("bert", "electra", "roberta"):
        raise ModelError(
            f"The folder of {name} holds no configuration.", "Put the one of the release beside it, a file *config.json."
        )
    body = BODIES[model_type]
    needed = [f"{body}encoder/layer_0/{part}/dense/kernel" for part in ("intermediate", "output")]
    needed += [f"{body}embeddings/{table}_embeddings" for table in ("word", "position", "token_type")]
    if lacking := [each for each in needed if each not in shapes]:
        raise UnreadableError(f"it has no {lacking[0]}")
    layers = {found[1] for each in shapes if (found := re.match(rf"{body}encoder/layer_(\d+)/", each))}
    inner, width = (shapes[f"{body}encoder/layer_0/{part}/dense/kernel"][1] for part in ("intermediate", "output"))
    n_tokens, embedding = shapes[f"{body}embeddings/word_embeddings"]
    content = {
        "vocab_size": n_tokens,
        "hidden_size": width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": max(1, width // HEAD_WIDTH),
        "intermediate_size": inner,
        "max_position_embeddings": shapes[f"{body}embeddings/position_embeddings"][0],
        "type_vocab_size": shapes[f"{body}embeddings/token_type_embeddings"][0],
    }
    if model_type == "electra":
        content["embedding_size"] = embedding
    return content, f"num_attention_heads={content['num_attention_heads']}"


def _known_to_transformers(config: Mapping[str, Any]) -> tuple[dict[str, tuple[int, ...]], str]:
    """The names of the weights that transformers' networks of this configuration have, with their shapes, and what they call
    their body."""
    import torch
    import transformers

    from superfine.backbones.process import quiet_transformers

    known: dict[str, tuple[int, ...]] = {}
    with quiet_transformers(), torch.device("meta"):
        try:
            settings = transformers.CONFIG_MAPPING[config["model_type"]].from_dict(dict(config))
            for auto_class in AUTO_CLASSES:
                network = getattr(transformers, auto_class).from_config(settings)
                known |= {name: tuple(value.shape) for name, value in network.state_dict().items()}
            prefix = str(network.base_model_prefix)
            body = transformers.AutoModel.from_config(settings)  # with the pooler that some heads leave out
            known |= {f"{prefix}.{name}": tuple(value.shape) for name, value in body.state_dict().items()}
        except Exception as error:  # transformers raises its own kinds for settings that do not fit together
            raise UnreadableError(f"its configuration cannot be used: {error}") from error
    return known, prefix


def _refuse_other_network(checkpoint: TensorFlowCheckpoint, model_type: str, left: list[str], body: str, prefix: str) -> None:
    """Raises ModelError where the body has tensors that transformers' network has no place for: it would compute another one."""
    of_body = [name for name in left if name.startswith(body) or f"/{prefix}/" in name]
    if of_body:
        raise ModelError(
            f"The checkpoint {checkpoint.name} holds {len(of_body)} tensors that a network of type {model_type} with this "
            f"configuration has no place for: {', '.join(of_body[:3])}{', ...' if len(of_body) > 3 else ''}.",
            "Is the configuration that of this checkpoint? Else take the model in PyTorch's form: model.safetensors.",
        )


def _refuse_other_shapes(
    checkpoint: TensorFlowCheckpoint, values: Mapping[str, NDArray[Any]], known: Mapping[str, tuple[int, ...]], body: str
) -> None:
    """Raises ModelError where the configuration describes a body with other shapes, or with weights that are not there."""
    source = next(iter(_configurations(checkpoint.home)), None)
    said = "the shapes of its tensors" if source is None else str(source)
    advice = "Is the configuration that of this checkpoint?"
    other = [name for name, value in values.items() if name.startswith(body) and value.shape != known[name]]
    if other:
        name = other[0]
        raise ModelError(
            f"{said} does not fit the checkpoint {checkpoint.name}: {name} has the shape {values[name].shape}, not "
            f"{known[name]}.",
            advice,
        )
    lacking = [name for name in known if name.startswith(body) and name not in values and ".pooler." not in name]
    lacking = [name for name in lacking if not name.endswith(NOT_STORED)]
    if lacking:
        raise ModelError(
            f"{said} does not fit the checkpoint {checkpoint.name}, which lacks {len(lacking)} of the weights that it describes: "
            f"{', '.join(lacking[:3])}{', ...' if len(lacking) > 3 else ''}.",
            advice,
        )


def _values(weight: Weight, read: Read, known: Mapping[str, tuple[int, ...]]) -> NDArray[Any]:
    values = read(weight.source)
    if weight.layer is not None:
        values = values[weight.layer]
    values = values.T if weight.transposed else values
    if (shape := known[weight.name]) != values.shape and len(shape) != values.ndim:
        # A bias or a kernel with a leading one, as of a convolution.
        values = values.reshape([n for n in values.shape if n != 1]) if shape != () and 1 not in shape else values.reshape(shape)
    return np.ascontiguousarray(values.astype(np.float32, copy=False))


def _configurations(home: Path) -> list[Path]:
    """The files that may describe the network, the likeliest first."""
    found = [path for path in sorted(home.glob("*config*.json")) if path.name not in NOT_OF_MODEL]
    found.sort(key=lambda path: (path.name != "config.json", "generator" in path.name, path.name))
    return [*found, *([home / "hparams.json"] if (home / "hparams.json").is_file() else [])]


def _tokenizer_files(home: Path) -> dict[str, Path]:
    """The tokenizer's files, by the names that transformers looks for."""
    names = {
        "tokenizer.json": ("tokenizer.json",),
        "tokenizer_config.json": ("tokenizer_config.json",),
        "special_tokens_map.json": ("special_tokens_map.json",),
        "vocab.txt": ("vocab.txt", "vocab*.txt"),
        "spiece.model": ("spiece.model", "*.model"),
        "vocab.json": ("vocab.json", "encoder.json"),
        "merges.txt": ("merges.txt", "vocab.bpe"),
    }
    found = {
        name: [*dict.fromkeys(path for pattern in patterns for path in sorted(home.glob(pattern)))]
        for name, patterns in names.items()
    }
    return {name: paths[0] for name, paths in found.items() if paths}


def _write_tokenizer(home: Path, model_type: str, folder: Path) -> None:
    found = _tokenizer_files(home)
    for name, path in found.items():
        shutil.copyfile(path, folder / name)
    if "vocab.txt" in found and "tokenizer_config.json" not in found and "tokenizer.json" not in found:
        # transformers asks the type of the model for the tokenizer's class; a vocabulary of this kind is BERT's.
        lines = found["vocab.txt"].read_text(encoding="utf-8", errors="replace").split("\n")
        words = [line for line in lines if not re.fullmatch(r"[\[<].*[\]>]", line)]
        settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": not any(word != word.lower() for word in words)}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings) + "\n", encoding="utf-8")


def _read_as(name: str, model_type: str, n_weights: int, n_aside: int) -> str:
    return (
        f"{name} is a TensorFlow checkpoint of type {model_type}: {n_weights} tensors are read, {n_aside} of its training are "
        "not needed."
    )


def _assumed(name: str, what: str) -> str:
    return f"{name} comes without a configuration: it is taken from the shapes of its tensors, with {what}."


def _left(name: str, names: list[str]) -> str:
    return f"{name} holds tensors that no known head has: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}."
