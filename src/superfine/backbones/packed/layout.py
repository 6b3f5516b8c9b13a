"""Where each text of a packed batch lies, and which texts attention computes together.

A packed batch is one row of tokens, text after text, shortest first. Everything but attention works on tokens alone and needs
no more. For attention, texts of similar length are neighbours, so a bucket of them is one slice of the row, which is laid out in
lines of one length. Short texts share a line, and a mask keeps them apart.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor

from superfine.records import IntArray

Side = Literal["right", "left"]
LENGTHS = (64, 96, 128, 160, 192, 256, 320, 384, 512)
"""Rectangles of attention are so long, and then by quarters longer. Few lengths, because the first product of a shape costs
half a millisecond: oneDNN writes its machine code then, and keeps it."""
BUCKET_COST = 150.0
LINE_COST = (0.94, 0.027)
"""What a bucket and a line of L places (0.94 L + 0.027 L²) cost, in microseconds on two cores: only their proportion counts."""


ROUNDING = {1024: 16, 4096: 32}
"""Up to so many tokens, their number is rounded up to a multiple of that. It costs 1 %; new shapes took 15 % of a step."""
CUT_TEXTS = 3
"""So many longest texts of one length were cut there, not born so."""


@dataclass(frozen=True)
class Rectangle:
    """Places for some rows of a packed tensor in an (n, length) rectangle, text after text.

    start, stop: which rows. rows: (n, length) the row at each place; places left over repeat a row of the same line.
    filled: (n, length) False at places left over, or None where there are none. text: (n, length) which text a place belongs to.
    places: (stop - start,) the place, counted through the rectangle, of each row.
    """

    start: int
    stop: int
    rows: Tensor
    filled: Tensor | None
    text: Tensor
    places: Tensor

    @property
    def n(self) -> int:
        return self.rows.shape[0]

    @property
    def length(self) -> int:
        return self.rows.shape[1]

    def to(self, device: torch.device) -> Self:
        filled = None if self.filled is None else self.filled.to(device)
        return type(self)(
            self.start, self.stop, self.rows.to(device), filled, self.text.to(device), self.places.to(device)
        )  # fmt: skip


@dataclass(frozen=True)
class Bucket:
    """Texts of similar length whose attention is computed together; short ones share a line.

    tokens: all their tokens. reads: one token of each, numbered by text.
    """

    tokens: Rectangle
    reads: Rectangle

    @property
    def is_plain(self) -> bool:
        """Whether every line is one text with nothing left over, so that no mask is needed."""
        return self.tokens.filled is None and self.reads.length == 1

    def to(self, device: torch.device) -> Self:
        return type(self)(self.tokens.to(device), self.reads.to(device))


@dataclass(frozen=True)
class Layout:
    """n sequences of ascending length, laid end to end. starts: (n + 1,) int64; sequence i is tokens
    `starts[i]:starts[i + 1]`.
    """

    starts: Tensor
    buckets: tuple[Bucket, ...]
    prepared: dict[Hashable, Any] = field(default_factory=dict, compare=False)
    """What attention derives from the layout once for all layers."""

    @classmethod
    def of(cls, lengths: Tensor) -> Self:
        """The layout of sequences with these lengths (n,), which must ascend and be at least 1."""
        if len(lengths) == 0 or int(lengths.min()) < 1 or bool((lengths[1:] < lengths[:-1]).any()):
            raise ValueError("lengths must be positive and ascending")
        starts = torch.zeros(len(lengths) + 1, dtype=torch.long)
        torch.cumsum(lengths, 0, out=starts[1:])
        return cls(starts, tuple(_bucket(lengths.numpy(), *part) for part in _parts(lengths.tolist())))

    @property
    def n_sequences(self) -> int:
        return len(self.starts) - 1

    @property
    def n_tokens(self) -> int:
        return int(self.starts[-1])

    @property
    def n_rows(self) -> int:
        """`n_tokens`, rounded up so that batches of nearly as many tokens have products of one shape (see `LENGTHS`)."""
        step = next((step for most, step in ROUNDING.items() if self.n_tokens <= most), 1)
        return -(-self.n_tokens // step) * step

    @cached_property
    def lengths(self) -> Tensor:
        """(n,) tokens per sequence."""
        return self.starts[1:] - self.starts[:-1]

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int(self.lengths[-1])

    @cached_property
    def positions(self) -> Tensor:
        """(tokens,) the place of each token in its own sequence, from 0."""
        return torch.arange(self.n_tokens, device=self.starts.device) - torch.repeat_interleave(self.starts[:-1], self.lengths)

    @cached_property
    def sequence_of_token(self) -> Tensor:
        """(tokens,) which sequence each token belongs to."""
        return torch.repeat_interleave(torch.arange(self.n_sequences, device=self.starts.device), self.lengths)

    @property
    def first(self) -> Tensor:
        """(n,) where each sequence begins."""
        return self.starts[:-1]

    @property
    def last(self) -> Tensor:
        """(n,) where each sequence's last token stands."""
        return self.starts[1:] - 1

    def mask(self, side: Side = "right") -> Tensor:
        """(n, longest) True where a rectangle padded on that side holds a token."""
        longest = int(self.lengths.max())
        places = torch.arange(longest, device=self.starts.device)
        if side == "right":
            return places < self.lengths[:, None]
        return places >= longest - self.lengths[:, None]

    def pad(self, packed: Tensor, value: float = 0, side: Side = "right") -> Tensor:
        """(tokens, ...) to (n, longest, ...), filled up with `value`: the inverse of `unpad`."""
        mask = self.mask(side)
        padded = packed.new_full((*mask.shape, *packed.shape[1:]), value)
        return padded.masked_scatter(mask.view(*mask.shape, *[1] * (packed.dim() - 1)).expand_as(padded), packed)

    def unpad(self, padded: Tensor, side: Side = "right") -> Tensor:
        """(n, longest, ...) to (tokens, ...)."""
        return padded[self.mask(side)]

    def to(self, device: torch.device) -> Self:
        return type(self)(self.starts.to(device), tuple(bucket.to(device) for bucket in self.buckets))


def _parts(lengths: list[int]) -> list[tuple[int, int, int]]:
    """(first text, behind the last text, length of the lines) of each bucket, for ascending lengths."""
    parts: list[tuple[int, int, int]] = []
    start = 0
    while start < len(lengths):
        line = _line_length(lengths[start])
        stop = bisect_right(lengths, line)
        # Few lines are cheaper among longer ones than in a bucket of their own.
        while stop < len(lengths):
            longer = _line_length(lengths[stop])
            n_lines = -(-sum(lengths[start:stop]) // line)
            if n_lines * (_line_cost(longer) - _line_cost(line)) > BUCKET_COST:
                break
            line, stop = longer, bisect_right(lengths, longer)
        parts.append((start, stop, _own_length(lengths[start:stop], line)))
        start = stop
    return parts if len(lengths) > 1 else [(0, 1, lengths[0])]


def _own_length(lengths: list[int], line: int) -> int:
    """Where long texts were cut at one length, that is the length of their lines."""
    longest = lengths[-1]
    return longest if longest > LENGTHS[0] and lengths[-CUT_TEXTS:] == [longest] * CUT_TEXTS else line


def _line_length(length: int) -> int:
    """The shortest usual length that holds `length` tokens."""
    line = next((usual for usual in LENGTHS if usual >= length), LENGTHS[-1])
    while line < length:
        line += line // 4
    return line


def _line_cost(length: int) -> float:
    return LINE_COST[0] * length + LINE_COST[1] * length * length


def _bucket(lengths: IntArray, first: int, last: int, line: int) -> Bucket:
    """The bucket of texts `first:last`, filled line by line in their order."""
    start = int(lengths[:first].sum())
    own = lengths[first:last]
    line_of_text, column = np.zeros(len(own), dtype=np.int64), np.zeros(len(own), dtype=np.int64)
    at_line, used = 0, 0
    for i, length in enumerate(own.tolist()):
        if used + length > line:
            at_line, used = at_line + 1, 0
        line_of_text[i], column[i] = at_line, used
        used += length
    n = at_line + 1
    within = np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
    places = np.repeat(line_of_text * line + column, own) + within
    tokens = _rectangle(n, line, start, places, np.repeat(np.arange(first, last), own))
    order = np.arange(len(own)) - np.searchsorted(line_of_text, line_of_text)
    most = int(order.max()) + 1
    return Bucket(tokens, _rectangle(n, most, first, line_of_text * most + order, np.arange(first, last)))


def _rectangle(n: int, length: int, start: int, places: IntArray, text: IntArray) -> Rectangle:
    """Rows `start`, `start + 1`, ... at `places`, which ascend. text: of each row."""
    rows, texts = np.full(n * length, -1), np.zeros(n * length, dtype=np.int64)
    rows[places] = np.arange(len(places))
    filled = rows >= 0
    # Left-over places follow the filled ones of their line, so the nearest filled place before is of the same line.
    rows = np.maximum.accumulate(rows)
    texts = text[rows]
    return Rectangle(
        start,
        start + len(places),
        torch.from_numpy((rows + start).reshape(n, length)),
        None if filled.all() else torch.from_numpy(filled.reshape(n, length)),
        torch.from_numpy(texts.reshape(n, length)),
        torch.from_numpy(places),
    )
