"""Where each text of a packed batch lies, and which texts attention computes together.

A packed batch is one row of tokens, text after text, shortest first. Everything but attention works on tokens alone and needs
no more. For attention, texts of similar length are neighbours, so a bucket of them is one slice of the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import torch
from torch import Tensor

Side = Literal["right", "left"]
BUCKET_STEP = 8
"""Texts whose lengths fall between the same multiples of this share a bucket, above 64 tokens in steps of an eighth."""


@dataclass(frozen=True)
class Bucket:
    """Texts of similar length: tokens `start:stop` of the packed row, seen as an (n, length) rectangle.

    gather: (n * length,) which packed token (counted from `start`) stands at each place; None when all texts are equally long.
    scatter: (stop - start,) which place each packed token has. keys: (n, 1, 1, length) True where a token stands.
    """

    start: int
    stop: int
    n: int
    length: int
    gather: Tensor | None
    scatter: Tensor | None
    keys: Tensor | None

    def to(self, device: torch.device) -> Self:
        if self.gather is None or self.scatter is None or self.keys is None:
            return self
        return type(self)(
            self.start, self.stop, self.n, self.length,
            self.gather.to(device), self.scatter.to(device), self.keys.to(device),
        )  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """n texts of ascending length, laid end to end. starts: (n + 1,) int64; text i is tokens `starts[i]:starts[i + 1]`."""

    starts: Tensor
    buckets: tuple[Bucket, ...]

    @classmethod
    def of(cls, lengths: Tensor) -> Self:
        """The layout of texts with these lengths (n,), which must ascend and be at least 1."""
        if len(lengths) == 0 or int(lengths.min()) < 1 or bool((lengths[1:] < lengths[:-1]).any()):
            raise ValueError("lengths must be positive and ascending")
        starts = torch.zeros(len(lengths) + 1, dtype=torch.long)
        torch.cumsum(lengths, 0, out=starts[1:])
        edges = _bucket_edges(lengths.tolist())
        return cls(starts, tuple(_bucket(lengths[a:b], int(starts[a])) for a, b in edges))

    @property
    def n_texts(self) -> int:
        return len(self.starts) - 1

    @property
    def n_tokens(self) -> int:
        return int(self.starts[-1])

    @cached_property
    def lengths(self) -> Tensor:
        """(n,) tokens per text."""
        return self.starts[1:] - self.starts[:-1]

    @cached_property
    def positions(self) -> Tensor:
        """(tokens,) the place of each token in its own text, from 0."""
        return torch.arange(self.n_tokens, device=self.starts.device) - torch.repeat_interleave(self.starts[:-1], self.lengths)

    @cached_property
    def text_of_token(self) -> Tensor:
        """(tokens,) which text each token belongs to."""
        return torch.repeat_interleave(torch.arange(self.n_texts, device=self.starts.device), self.lengths)

    @property
    def first(self) -> Tensor:
        """(n,) where each text begins."""
        return self.starts[:-1]

    @property
    def last(self) -> Tensor:
        """(n,) where each text's last token stands."""
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


def _step(length: int) -> int:
    return BUCKET_STEP if length <= 8 * BUCKET_STEP else max(BUCKET_STEP, length // 8)


def _bucket_edges(lengths: list[int]) -> list[tuple[int, int]]:
    edges, start = [], 0
    for i in range(1, len(lengths) + 1):
        if i == len(lengths) or lengths[i] > lengths[start] + _step(lengths[start]):
            edges.append((start, i))
            start = i
    return edges


def _bucket(lengths: Tensor, start: int) -> Bucket:
    n, longest, total = len(lengths), int(lengths[-1]), int(lengths.sum())
    if int(lengths[0]) == longest:
        return Bucket(start, start + total, n, longest, None, None, None)
    offsets = torch.cumsum(lengths, 0) - lengths
    within = torch.arange(longest)
    keys = within < lengths[:, None]
    # Places without a token repeat the text's last one: its keys are masked and its queries are not read.
    gather = (offsets[:, None] + torch.minimum(within, lengths[:, None] - 1)).reshape(-1)
    scatter = keys.reshape(-1).nonzero().squeeze(1)
    return Bucket(start, start + total, n, longest, gather, scatter, keys.view(n, 1, 1, longest))
