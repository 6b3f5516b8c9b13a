"""The one type that flows through training and prediction: a batch of encoded texts, immutable and without padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from superfine.backbones.packed.layout import Layout
from superfine.data.encode import Encoded
from superfine.records import IGNORED, FloatArray, IntArray, Ragged


@dataclass(frozen=True)
class Batch:
    """n texts, T tokens in all, laid end to end, shortest text first.

    input_ids: (T,). token_type_ids: (T,). indices: (n,) which of the encoded texts these are, in the batch's order.
    targets: (n, ...) of the task, or (T,) where tokens have some, or None. weights: (n,) how much each text counts, or (T,) how
    much each token does, or None: all alike.
    input_embeddings: (T, width), when given they stand in for the embedded `input_ids`.
    """

    input_ids: Tensor
    token_type_ids: Tensor
    layout: Layout
    indices: IntArray
    targets: Tensor | None = None
    weights: Tensor | None = None
    input_embeddings: Tensor | None = None

    @property
    def n_texts(self) -> int:
        return self.layout.n_texts

    @property
    def n_tokens(self) -> int:
        return len(self.input_ids)

    def with_embeddings(self, embeddings: Tensor) -> Self:
        """The same texts, read from these embeddings (T, width)."""
        return replace(self, input_embeddings=embeddings)

    def to(self, device: torch.device) -> Self:
        if device.type == "cpu":
            return self
        return replace(
            self,
            input_ids=self.input_ids.to(device, non_blocking=True),
            token_type_ids=self.token_type_ids.to(device, non_blocking=True),
            layout=self.layout.to(device),
            targets=None if self.targets is None else self.targets.to(device, non_blocking=True),
            weights=None if self.weights is None else self.weights.to(device, non_blocking=True),
        )


def collate(
    encoded: Encoded, indices: IntArray, targets: NDArray[Any] | Ragged | None = None, weights: FloatArray | None = None
) -> Batch:
    """The encoded texts at `indices` as a batch.

    targets: (n, ...) of all texts, not only the batch's, or those of all their tokens, of which `IGNORED` ones have no weight.
    weights: (n,) of all texts.
    """
    order = indices[np.argsort(encoded.lengths[indices], kind="stable")]
    part = encoded.take(order)
    ids = torch.from_numpy(part.ids.astype(np.int64))
    types = torch.zeros_like(ids) if part.type_ids is None else torch.from_numpy(part.type_ids.astype(np.int64))
    own_targets = None if targets is None else targets.take(order).values if isinstance(targets, Ragged) else targets[order]
    own_weights = None if weights is None else weights[order]
    if isinstance(targets, Ragged) and own_targets is not None:
        of_texts = np.ones(len(order)) if own_weights is None else own_weights
        own_weights = np.repeat(of_texts, part.lengths) * (own_targets != IGNORED)
    return Batch(
        input_ids=ids,
        token_type_ids=types,
        layout=Layout.of(torch.from_numpy(part.lengths)),
        indices=order,
        targets=None if own_targets is None else torch.from_numpy(own_targets),
        weights=None if own_weights is None else torch.from_numpy(own_weights.astype(np.float32)),
    )


def length_sorted_batches(encoded: Encoded, max_tokens: int, max_texts: int) -> list[IntArray]:
    """Indices of all texts, longest first, cut into batches of at most `max_tokens` tokens and `max_texts` texts."""
    order = np.argsort(-encoded.lengths, kind="stable")
    batches: list[IntArray] = []
    start, tokens = 0, 0
    for i, length in enumerate(encoded.lengths[order].tolist()):
        if i > start and (tokens + length > max_tokens or i - start >= max_texts):
            batches.append(order[start:i])
            start, tokens = i, 0
        tokens += length
    if start < len(order):
        batches.append(order[start:])
    return batches
