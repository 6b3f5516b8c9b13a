"""Texts as padded rectangles, for networks that compute nothing else, and which padding leaves their answers alone.

A text's answer must not hang on the texts beside it. Some networks mix padding into it (FNet, ConvBERT), or count positions from
padding on the left (GPT-Neo): what holds for the network at hand is found out by trying.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Literal

import numpy as np
from tokenizers import Tokenizer
from torch import Tensor

from superfine.backbones.batch import Batch, collate
from superfine.data.encode import Encoder
from superfine.records import Examples

Padding = Literal["right", "left", "none"]
"""none: only texts of one length are computed together."""
SHORT = (1, 5, 19)
IN_SEVERAL_BUCKETS = (*SHORT, 70)
"""Tokens of the texts that a network is tried on; attention lays texts of such different lengths in rectangles of their own."""
BOUND, SHARE = 1e-4, 2e-3
"""Logits of the same texts, computed in two ways, must agree within this, and within this share of what texts differ by: a new
head's logits are so small that the first alone says little."""
REFUSALS = (ValueError, RuntimeError, TypeError, LookupError, AttributeError, AssertionError)
"""What networks raise where they cannot compute an input. (What they do not implement is a RuntimeError.)"""


def rectangles(batch: Batch, padding: Padding, pad_id: int, *, with_types: bool) -> Iterator[dict[str, Tensor]]:
    """The inputs of transformers' forward pass for a batch, in its order: one rectangle, or one for each length."""
    if padding != "none":
        yield _padded(batch, padding, pad_id, with_types=with_types)
        return
    start = 0
    for length, members in groupby(batch.layout.lengths.tolist()):
        n = len(list(members))
        stop = start + n * length
        inputs = {"attention_mask": batch.input_ids.new_ones(n, length)}
        if batch.input_embeddings is None:
            inputs["input_ids"] = batch.input_ids[start:stop].view(n, length)
        else:
            inputs["inputs_embeds"] = batch.input_embeddings[start:stop].view(n, length, -1)
        if with_types:
            inputs["token_type_ids"] = batch.token_type_ids[start:stop].view(n, length)
        yield inputs
        start = stop


def _padded(batch: Batch, side: Literal["right", "left"], pad_id: int, *, with_types: bool) -> dict[str, Tensor]:
    layout = batch.layout
    inputs = {"attention_mask": layout.mask(side).long()}
    if batch.input_embeddings is None:
        inputs["input_ids"] = layout.pad(batch.input_ids, pad_id, side)
    else:
        inputs["inputs_embeds"] = layout.pad(batch.input_embeddings, 0, side)
    if with_types:
        inputs["token_type_ids"] = layout.pad(batch.token_type_ids, 0, side)
    return inputs


def probe(tokenizer: Tokenizer, lengths: Sequence[int], longest: int | None, empty_id: int) -> tuple[Batch, list[Batch]]:
    """Texts of so many random tokens, and the first one once more, as one batch and one by one.

    They have special tokens, as all texts have, and at most `longest` tokens. No global random state is touched.
    """
    rng = np.random.default_rng(0)
    size = tokenizer.get_vocab_size(with_added_tokens=False)
    texts = [tokenizer.decode(rng.integers(size // 2, size, n).tolist()) for n in lengths]
    texts.append(texts[0])
    encoded = Encoder(tokenizer, longest or max(lengths) + 2, empty_id).encode(Examples.of_texts(texts))
    together = collate(encoded, np.arange(len(encoded)))
    return together, [collate(encoded, np.array([i])) for i in together.indices]


def agree(found: Tensor, expected: Tensor) -> bool:
    """Whether logits (n, K) computed in two ways are the same but for rounding."""
    spread = float(expected.std(dim=0).max())
    return float((found - expected).abs().max()) <= min(BOUND, 1e-6 + SHARE * spread)


def differ_plainly(found: Tensor, expected: Tensor) -> bool:
    """Whether logits (n, K) are those of another computation, not of the same one with other rounding."""
    bound = 0.1 * float(expected.std(dim=0).max()) + 1e-3 * float(expected.abs().max())
    return float((found - expected).abs().max()) > bound


def first_sound(
    compute: Callable[[Batch, Padding], Tensor], paddings: Sequence[Padding], batch: Batch, alone: Tensor
) -> Padding | None:
    """The first padding with which the texts of the batch have the logits (n, K) that they have alone; None where none has."""
    for padding in paddings:
        try:
            if agree(compute(batch, padding), alone):
                return padding
        except REFUSALS:
            continue
    return None
