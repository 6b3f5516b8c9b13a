"""Pairs whose second text is read in windows, each of which stands after the first text: questions and their contexts.

A text that several pairs share is tokenised once, and the sequences are put together from its tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from superfine.data.encoded import Encoded
from superfine.data.offsets import settled_offsets
from superfine.data.windows import pieces_of
from superfine.records import Examples, IntArray
from superfine.records.ragged import Ragged, places_of

TOGETHER = 1_000_000
"""Characters that are tokenised at a time, for the memory that it takes."""
FEWEST_READ = 8
"""A window reads so many tokens of the second text at least, however long the first one is."""


class WholeTexts(Protocol):
    """What is asked of an encoder where sequences are put together from the tokens of whole texts."""

    tokenizer: Tokenizer
    cleans: bool
    max_length: int
    empty_id: int
    with_offsets: bool
    unknown_id: int | None

    def encode_alone(self, texts: list[str]) -> list[Encoding]:
        """Each text by itself, whole and without special tokens."""
        ...


@dataclass(frozen=True)
class Template:
    """What the tokenizer puts before, between and behind the two texts of a pair, and the type ids of the five parts."""

    around: tuple[list[int], list[int], list[int]]
    types: tuple[int, int, int, int, int]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Template:
        """Found by asking it for a pair."""
        asked = tokenizer.encode("a", "b")
        sides = np.array([-1 if side is None else side for side in asked.sequence_ids])
        ids, types = np.array(asked.ids), np.array(asked.type_ids)
        first, second = np.flatnonzero(sides == 0), np.flatnonzero(sides == 1)
        parts = (slice(0, first[0]), slice(first[-1] + 1, second[0]), slice(second[-1] + 1, None))
        before, between, behind = (ids[part].tolist() for part in parts)
        of_special = [int(types[part][0]) if len(types[part]) else 0 for part in parts]
        own = (of_special[0], int(types[first[0]]), of_special[1], int(types[second[0]]), of_special[2])
        return cls((before, between, behind), own)

    @property
    def n_special(self) -> int:
        return sum(map(len, self.around))


def encode_contexts(
    encoder: WholeTexts, examples: Examples, stride: int, on_chunk: Callable[[int], None] | None = None
) -> Encoded:
    """See the module. stride: tokens of the second text that neighbouring windows share, or fewer where there is little room.

    truncated: pairs whose first text was cut, to half of what the model reads. Offsets are those of the second text alone.
    """
    template = Template.of(encoder.tokenizer)
    questions, which_question = _different(examples.text)
    contexts, which_context = _different(examples.text_pair or [])
    most = max(1, encoder.max_length // 2 - template.n_special)
    first, is_cut = _cut(tokenised(encoder, questions)[0], most)
    uses = np.bincount(which_context, minlength=len(contexts))
    second, offsets = tokenised(encoder, contexts, uses, on_chunk)
    room = np.maximum(FEWEST_READ, encoder.max_length - first.lengths[which_question] - template.n_special)
    windows = _Windows.of(second.lengths[which_context], room, stride)

    # Each sequence is runs of one flat source: special tokens, the first text, special tokens, a window, special tokens.
    special = np.array([token for part in template.around for token in part] + [encoder.empty_id], dtype=np.int32)
    source = np.concatenate([special, first.values, second.values]).astype(np.int32)
    at_second = len(special) + len(first.values)
    question, context = which_question[windows.owner], which_context[windows.owner]
    before, between, behind = map(len, template.around)
    context_at = at_second + second.starts[context]
    own = first.lengths[question], windows.read
    # Where nothing at all is left, a token that stands for nothing.
    is_empty = ((own[0] + own[1] == 0) & (template.n_special == 0)).astype(np.int64)
    runs = side_by_side(
        0, len(special) + first.starts[question], before, context_at + windows.start, before + between, len(special) - 1
    )
    lengths = side_by_side(before, own[0], between, own[1], behind, is_empty)
    places = places_of(runs.ravel(), lengths.ravel())
    ids, of_second, per_window = source[places], places >= at_second, lengths.sum(axis=1)
    own_offsets = np.zeros((len(ids), 2), dtype=np.int32)
    own_offsets[of_second] = offsets[places[of_second] - at_second]
    types = np.repeat(np.tile(np.array([*template.types, 0], dtype=np.int8), len(lengths)), lengths.ravel())
    unknown = 0 if encoder.unknown_id is None else int((ids == encoder.unknown_id).sum())
    return Encoded(
        ids=ids,
        starts=np.concatenate([[0], np.cumsum(per_window)]).astype(np.int64),
        truncated=is_cut[which_question],
        unknown_share=unknown / max(1, len(ids) - len(lengths) * template.n_special),
        type_ids=types if types.any() else None,
        offsets=own_offsets,
        owner=windows.owner,
        answers=of_second & windows.holds(places - np.repeat(context_at, per_window), per_window),
    )


@dataclass(frozen=True)
class _Windows:
    """Windows of n texts, by text, w in all. owner: (w,) the text. start, read: (w,) its first token, and how many it has. low,
    high: (w,) from which token of the text to which those are that stand in no other window further from an edge."""

    owner: IntArray
    start: IntArray
    read: IntArray
    low: IntArray
    high: IntArray

    @classmethod
    def of(cls, lengths: IntArray, room: IntArray, stride: int) -> _Windows:
        """lengths: (n,) tokens of the texts. room: (n,) how many of them a window takes."""
        shared = np.minimum(stride, room // 2)
        step = room - shared
        count = 1 + np.maximum(0, -(-(lengths - room) // step))
        owner = np.repeat(np.arange(len(lengths)), count)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
        start = number * step[owner]
        read = np.minimum(room[owner], lengths[owner] - start)
        low = start + np.where(number > 0, (shared[owner] + 1) // 2, 0)
        high = start + read - np.where(number + 1 < count[owner], shared[owner] // 2, 0)
        return cls(owner, start, read, low, high)

    def holds(self, token: IntArray, per_window: IntArray) -> NDArray[np.bool_]:
        """Which of these tokens, by their places in their texts, are read in the window that they stand in here. per_window:
        (w,) how many there are of each."""
        return (token >= np.repeat(self.low, per_window)) & (token < np.repeat(self.high, per_window))


def side_by_side(*columns: IntArray | int) -> IntArray:
    """(n, c) side by side; a number stands in every row."""
    return np.stack(np.broadcast_arrays(*columns), axis=1)


def _cut(tokens: Ragged, most: int) -> tuple[Ragged, NDArray[np.bool_]]:
    """At most so many of each row, and which rows have more."""
    kept = np.minimum(tokens.lengths, most)
    return Ragged.of_lengths(tokens.values[places_of(tokens.starts[:-1], kept)], kept), tokens.lengths > most


def _different(texts: Sequence[str]) -> tuple[list[str], IntArray]:
    """The different texts, and for each text which of them it is."""
    places = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return list(places), np.array([places[text] for text in texts], dtype=np.int64)


def tokenised(
    encoder: WholeTexts, texts: Sequence[str], uses: IntArray | None = None, on_chunk: Callable[[int], None] | None = None
) -> tuple[Ragged, NDArray[np.int32]]:
    """The tokens of each text, without special ones, and their (tokens, 2) offsets, where the encoder tells them. uses: (n,) for
    how many pairs each text stands, for `on_chunk`."""
    ids, offsets = [np.zeros(0, dtype=np.int32)], [np.zeros((0, 2), dtype=np.int32)]
    lengths = np.zeros(len(texts), dtype=np.int64)
    for pieces in _together(texts):
        for (text, at, piece), encoding in zip(pieces, encoder.encode_alone([piece for _, _, piece in pieces]), strict=True):
            ids.append(np.array(encoding.ids, dtype=np.int32))
            if encoder.with_offsets:
                found = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
                settled = settled_offsets(piece, found, np.ones(len(found), dtype=bool), cleans=encoder.cleans)
                offsets.append((settled + at).astype(np.int32))
            lengths[text] += len(encoding.ids)
        if on_chunk is not None and uses is not None:  # a text counts when its last piece is done
            on_chunk(sum(int(uses[text]) for text, at, piece in pieces if at + len(piece) == len(texts[text])))
    return Ragged.of_lengths(np.concatenate(ids), lengths), np.concatenate(offsets)


def _together(texts: Sequence[str]) -> Iterator[list[tuple[int, int, str]]]:
    """Pieces of texts as (which text, where in it, piece), so many at a time as memory takes."""
    pieces: list[tuple[int, int, str]] = []
    size = 0
    for i, text in enumerate(texts):
        for at, piece in pieces_of(text):
            pieces.append((i, at, piece))
            size += len(piece)
            if size > TOGETHER:
                yield pieces
                pieces, size = [], 0
    if pieces:
        yield pieces
