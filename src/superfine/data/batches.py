"""Which sequences are computed together: those of similar lengths, so that little or nothing is padded."""

from __future__ import annotations

import numpy as np

from superfine.data.encoded import Encoded
from superfine.records import IntArray

MAX_TOKENS = 2048
MAX_SEQUENCES = 256
"""Bounds of a batch in prediction: large enough to keep the processor busy, small enough for its caches."""


def length_sorted_batches(encoded: Encoded, max_tokens: int = MAX_TOKENS, max_sequences: int = MAX_SEQUENCES) -> list[IntArray]:
    """Indices of all sequences, longest first, cut into batches of at most `max_tokens` tokens and `max_sequences` sequences."""
    order = np.argsort(-encoded.lengths, kind="stable")
    batches: list[IntArray] = []
    start, tokens = 0, 0
    for i, length in enumerate(encoded.lengths[order].tolist()):
        if i > start and (tokens + length > max_tokens or i - start >= max_sequences):
            batches.append(order[start:i])
            start, tokens = i, 0
        tokens += length
    if start < len(order):
        batches.append(order[start:])
    return batches
