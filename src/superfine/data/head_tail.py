"""Of a text longer than the model reads its beginning and its end, without the middle (Sun, Qiu, Xu and Huang 2019)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from superfine.data.contexts import WholeTexts, side_by_side, tokenised
from superfine.data.encoded import Encoded
from superfine.records import Examples
from superfine.records.ragged import places_of

TOGETHER = 8_000_000
"""Characters of texts whose tokens are held at a time."""


def encode_head_tail(
    encoder: WholeTexts, examples: Examples, head: int, on_chunk: Callable[[int], None] | None = None
) -> Encoded:
    """See the module. head: tokens of the beginning; of the end so many are read as there is room for then."""
    before, behind = special_tokens(encoder)
    room = max(2, encoder.max_length - len(before) - len(behind))
    head = min(head, room - 1)
    special = np.array([*before, *behind, encoder.empty_id], dtype=np.int32)
    ids, lengths, cut = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=bool)]
    for texts in _together(examples.text):
        tokens, _ = tokenised(encoder, texts)
        own = tokens.lengths
        is_cut = own > room
        first, last = np.where(is_cut, head, own), np.where(is_cut, room - head, 0)
        # Five runs of one flat source: special tokens, the head, the tail, special tokens, and what stands for nothing at all.
        empty = (own == 0) & (len(before) + len(behind) == 0)
        at = len(special)
        starts = side_by_side(0, at + tokens.starts[:-1], at + tokens.starts[1:] - last, len(before), at - 1)
        sizes = side_by_side(len(before), first, last, len(behind), empty.astype(np.int64))
        source = np.concatenate([special, tokens.values]).astype(np.int32)
        ids.append(source[places_of(starts.ravel(), sizes.ravel())])
        lengths.append(sizes.sum(axis=1))
        cut.append(is_cut)
        if on_chunk is not None:
            on_chunk(len(texts))
    every, counts = np.concatenate(ids), np.concatenate(lengths)
    unknown = 0 if encoder.unknown_id is None else int((every == encoder.unknown_id).sum())
    return Encoded(
        ids=every,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        truncated=np.concatenate(cut),
        unknown_share=unknown / max(1, len(every) - len(counts) * (len(before) + len(behind))),
    )


def special_tokens(encoder: WholeTexts) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and behind a text."""
    asked = encoder.tokenizer.encode("a")
    own = [i for i, side in enumerate(asked.sequence_ids) if side is not None]
    return asked.ids[: own[0]], asked.ids[own[-1] + 1 :]


def _together(texts: list[str]) -> Iterator[list[str]]:
    """So many at a time as memory takes."""
    start, size = 0, 0
    for i, text in enumerate(texts):
        size += len(text)
        if size > TOGETHER:
            yield texts[start : i + 1]
            start, size = i + 1, 0
    if start < len(texts):
        yield texts[start:]
