"""Weights that will be saved in float16: rounded before the model is scored, so that what is scored is what is saved.

Half the size for nothing where the answers stay: float16 keeps 11 binary digits of a weight, and the network computes in float32.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from superfine.config import SavedWeights
from superfine.data.encoded import Encoded
from superfine.metrics import activated
from superfine.model import Model
from superfine.records import Activation, Examples, FloatArray
from superfine.training.kept import Kept

LARGE = 300_000_000
"""Bytes of weights in float32 from which on half of them is worth it."""
BOUND = 5e-3
"""A probability may move by so much (a number by as many of its standard deviations), and no class may change. Of 300 Chinese
example reviews the most that one moved was 0.0015, and half of them moved by less than 0.00001."""
N_TEXTS = 256
ROWS = 1 << 13


def round_weights(model: Model, setting: SavedWeights, examples: Examples, encoded: Encoded) -> bool:
    """Round the float32 weights of a trained model to those of float16, in place, and have them saved so, or not: say which.

    Left alone where the setting says so, where the model is small, and where an answer to one of some validation texts
    (`examples`, `encoded`) would change. With "float16" it is done whatever changes, unless a weight is too large for the format.
    """
    weights = _saved_weights(model)
    if setting == "float32" or (setting == "auto" and sum(4 * weight.numel() for weight in weights) < LARGE):
        return False
    if not all(_fits(weight) for weight in weights):
        return False
    some = np.arange(0, len(encoded), max(1, -(-len(encoded) // N_TEXTS)))
    if setting == "auto" and not _answers_stay(model, examples.take(some), encoded.take(some)):
        return False
    for weight in weights:
        _round(weight)
    model.backbone.saved_dtype = torch.float16
    return True


def _answers_stay(model: Model, examples: Examples, encoded: Encoded) -> bool:
    """Whether rounded weights answer alike; the weights are what they were afterwards.

    Of the table of word embeddings only the rows that these texts read are rounded: a copy of it would take as much memory again.
    """
    table = model.backbone.word_embeddings.weight
    read = torch.from_numpy(np.unique(encoded.ids)).to(table.device, torch.int64)
    others = [weight for weight in _saved_weights(model) if weight.data_ptr() != table.data_ptr()]
    activation = model.task.head.activation
    given = model.pooled_outputs(encoded)
    before = activated(given, activation)
    with torch.no_grad():
        kept, kept_rows = Kept({str(i): weight.shape for i, weight in enumerate(others)}), table.detach()[read]
        for i, weight in enumerate(others):
            kept.put(str(i), weight)
            _round(weight)
        table.index_copy_(0, read, kept_rows.half().float())
        rounded = model.pooled_outputs(encoded)
        after = activated(rounded, activation)
        for weight, value in zip(others, kept.values(), strict=True):
            weight.copy_(value)
        table.index_copy_(0, read, kept_rows)
    said = [model.task.decode(examples, outputs, encoded).label for outputs in (given, rounded)]
    # Of tokens that nobody asks the likeliest tag may change.
    are_alike = alike(before, after, "sigmoid" if model.task.head.by_token else activation)
    return are_alike and (activation == "none" or said[0] == said[1])


def _saved_weights(model: Model) -> list[Tensor]:
    """All numbers that are saved, buffers as well, each once whatever its names."""
    found = {value.data_ptr(): value for value in model.backbone.network.state_dict().values() if value.is_floating_point()}
    return list(found.values())


def alike(before: FloatArray, after: FloatArray, activation: Activation) -> bool:
    """Whether (n, n_outputs) answers say the same classes, and no number of them has moved by more than the bound."""
    same = activation != "softmax" or bool((before.argmax(axis=1) == after.argmax(axis=1)).all())
    unit = float(before.std()) if activation == "none" and len(before) else 1.0
    return same and float(np.abs(before - after).max(initial=0.0)) <= BOUND * unit


def _fits(weight: Tensor) -> bool:
    return not weight.numel() or float(weight.abs().max()) <= torch.finfo(torch.float16).max


def _round(weight: Tensor) -> None:
    """In place, some rows at a time: the rounded copy of a large table would be as large as half of it."""
    for part in torch.split(weight, ROWS) if weight.dim() else (weight,):
        part.copy_(part.half())
