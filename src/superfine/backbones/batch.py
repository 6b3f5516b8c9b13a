"""The one type that flows through training and prediction: a batch of encoded texts, immutable and without padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from superfine.backbones.packed.layout import Layout
from superfine.data.encoded import Encoded
from superfine.records import IGNORED, FloatArray, IntArray, Ragged
from superfine.records.ragged import places_of


@dataclass(frozen=True)
class Batch:
    """n texts as s sequences, T tokens in all, laid end to end, shortest sequence first.

    input_ids: (T,). token_type_ids: (T,). indices: (n,) which of the encoded texts these are, in the batch's order.
    owner: (s,) the place in the batch of the text that each sequence is of, or None where each is a text.
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
    owner: Tensor | None = None

    @property
    def n_sequences(self) -> int:
        return self.layout.n_sequences

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
            owner=None if self.owner is None else self.owner.to(device, non_blocking=True),
        )


def collate(
    encoded: Encoded, indices: IntArray, targets: NDArray[Any] | Ragged | None = None, weights: FloatArray | None = None
) -> Batch:
    """The encoded texts at `indices` as a batch.

    targets: (n, ...) of all texts, not only the batch's, or of all sequences those of their tokens, of which `IGNORED` ones have
    no weight.
    weights: (n,) of all texts.
    """
    if encoded.owner is None:
        indices = indices[np.argsort(encoded.lengths[indices], kind="stable")]
    part = encoded.take(indices)
    sequences = np.argsort(part.lengths, kind="stable")
    if part.owner is not None:
        part = part.in_order(sequences)
    ids = torch.from_numpy(part.ids.astype(np.int64))
    types = torch.zeros_like(ids) if part.type_ids is None else torch.from_numpy(part.type_ids.astype(np.int64))
    own_targets, own_weights = _of_rows(encoded, indices, sequences, targets, weights)
    return Batch(
        input_ids=ids,
        token_type_ids=types,
        layout=Layout.of(torch.from_numpy(part.lengths)),
        indices=indices,
        targets=None if own_targets is None else torch.from_numpy(own_targets),
        weights=None if own_weights is None else torch.from_numpy(own_weights.astype(np.float32)),
        owner=None if part.owner is None else torch.from_numpy(part.owner),
    )


def _of_rows(
    encoded: Encoded,
    indices: IntArray,
    sequences: IntArray,
    targets: NDArray[Any] | Ragged | None,
    weights: FloatArray | None,
) -> tuple[NDArray[Any] | None, FloatArray | None]:
    """The targets and weights of the rows of outputs: of the texts at `indices`, or of their tokens. sequences: the order in
    which their sequences, taken together, are read."""
    own = None if weights is None else weights[indices]
    if not isinstance(targets, Ragged):
        return None if targets is None else targets[indices], own
    first = encoded.first_sequences
    which = places_of(first[indices], first[indices + 1] - first[indices])[sequences]
    found = targets.take(which)
    of_sequences = np.ones(len(which)) if weights is None else weights[encoded.owners[which]]
    return found.values, np.repeat(of_sequences, found.lengths) * (found.values != IGNORED)
