"""Texts longer than the model reads, in windows that share some tokens with their neighbours."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from superfine.records import IntArray

PIECE = 100_000
"""Characters of a text that are tokenised at a time: the tokens of a megabyte take gigabytes while they are made. A window does
not reach from one piece into the next."""
SEARCHED = 1000
"""A piece ends at a blank among its last characters, where there is one."""


def pieces_of(text: str) -> Iterator[tuple[int, str]]:
    """Pieces of a text that together are the text, each with the place where it begins."""
    start = 0
    while len(text) - start > PIECE:
        stop = max(text.rfind(blank, start + PIECE - SEARCHED, start + PIECE) for blank in (" ", "\n"))
        stop = stop if stop > start else start + PIECE
        yield start, text[start:stop]
        start = stop
    yield start, text[start:]


def answering(is_special: list[NDArray[np.bool_]], owner: IntArray, stride: int) -> NDArray[np.bool_]:
    """(tokens,) where each token of a text is read: in the window in which it stands furthest from an edge.

    is_special: for each window, in the order of its text, (t,) which tokens are no part of the text. Neighbours of one owner
    share `stride` tokens; the first half of these is read in the earlier window.
    """
    read = []
    for i, special in enumerate(is_special):
        tokens = np.flatnonzero(~special)
        if i and owner[i - 1] == owner[i]:
            tokens = tokens[(stride + 1) // 2 :]
        if i + 1 < len(owner) and owner[i + 1] == owner[i]:
            tokens = tokens[: len(tokens) - stride // 2]
        found = np.zeros(len(special), dtype=bool)
        found[tokens] = True
        read.append(found)
    return np.concatenate(read) if read else np.zeros(0, dtype=bool)
