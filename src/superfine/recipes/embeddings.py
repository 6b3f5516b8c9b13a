"""Texts as vectors of a model, and the nearest of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from superfine.records import Examples, FloatArray, IntArray

if TYPE_CHECKING:
    from superfine.model import Model


def vectors_of(model: Model, examples: Examples, on_batch: Callable[[int], None] | None = None) -> FloatArray:
    """(n, width) of the texts, of length 1, in bfloat16 where the processor has it."""
    import torch

    from superfine.backbones.processor import multiplies_bfloat16

    backbone = model.backbone
    with backbone.computing_in(torch.bfloat16 if multiplies_bfloat16() else backbone.compute_dtype):
        return model.embeddings(model.encoder.encode(examples), on_batch)


def nearest(vectors: FloatArray, others: FloatArray, k: int) -> IntArray:
    """(n, k) the places of those of `others` (m, width) that are most similar, the most similar first."""
    similarity = vectors @ others.T
    k = min(k, similarity.shape[1])
    some = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(similarity, some, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(some, order, axis=1), dtype=np.int64)
