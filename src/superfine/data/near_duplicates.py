"""Texts that are nearly the same: pairs with a large Jaccard similarity, found without comparing all with all.

A text is the set of its terms and of the pairs of terms that are neighbours. Minima of the hashes of a set agree for two sets as
often as their Jaccard similarity (Broder 1997); bands of minima find candidates (Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, section 3.4), whose similarity is then counted exactly. Deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from superfine.data.terms import pairs_of
from superfine.records import FloatArray, IntArray, Ragged
from superfine.records.arrays import distinct

SIMILAR = 0.8
"""The share of terms and pairs that two texts must have in common, of those that either has."""
FEWEST_TERMS = 5
"""Shorter texts are only the same or not: of four words one makes half of the difference."""
BANDS, MINIMA, FEWEST_BANDS = 16, 4, 2
"""Two texts of similarity s agree in a band with probability s⁴ and are candidates where they do in two of 16: with probability
0.997 at 0.8, 0.26 at 0.5, 0.007 at 0.3."""
NEIGHBOURS = 3
"""In a band, a text is compared with the first that has its minima, and with so many before it."""
CHUNK = 1 << 20
"""Terms that are hashed or compared at a time."""
Hashes = NDArray[np.uint32]


class NearPairs(NamedTuple):
    """first, second: (m,) texts, first < second, each pair once. similarity: (m,) at least `SIMILAR`."""

    first: IntArray
    second: IntArray
    similarity: FloatArray


def near_pairs(terms: Ragged, on_rows: Callable[[int], None] = lambda n: None) -> NearPairs:
    """Pairs of texts that are nearly the same; of many that are, not all pairs, but each with another one of them.

    terms: of different texts. on_rows is called with how many more texts are hashed.
    """
    bands = _bands(terms, on_rows)
    long_enough = np.flatnonzero(terms.lengths >= FEWEST_TERMS)
    keys, n_bands = np.unique(
        np.concatenate([_candidates(band[long_enough], long_enough, len(terms)) for band in bands]), return_counts=True
    )
    keys = keys[n_bands >= FEWEST_BANDS]
    first, second = keys // max(1, len(terms)), keys % max(1, len(terms))
    chunks = _chunks(terms.lengths[first] + terms.lengths[second])
    similarity = np.concatenate([np.zeros(0), *(_similarity(terms, first[a:b], second[a:b]) for a, b in chunks)])
    near = similarity >= SIMILAR
    return NearPairs(first[near], second[near], similarity[near])


def _bands(terms: Ragged, on_rows: Callable[[int], None]) -> list[NDArray[np.uint64]]:
    """`BANDS` arrays (n,): what two texts must have in common to be candidates."""
    multipliers = _mixed(np.arange(1, BANDS * MINIMA + 1, dtype=np.uint32)) | np.uint32(1)
    bands = [np.zeros(len(terms), dtype=np.uint64) for _ in range(BANDS)]
    for start, end in _chunks(terms.lengths):
        rows = np.arange(start, end)
        values, starts = _shingles(terms.take(rows))
        filled = np.flatnonzero(np.diff(starts))
        for k, multiplier in enumerate(multipliers):
            # A product with an odd number is a permutation of the 32-bit numbers.
            minima = np.minimum.reduceat(values * multiplier, starts[filled]) if len(filled) else values
            band = bands[k // MINIMA]
            band[start + filled] = band[start + filled] * np.uint64(0x9E3779B97F4A7C15) + _mixed(minima)
        on_rows(len(rows))
    return bands


def _chunks(lengths: IntArray) -> list[tuple[int, int]]:
    """Ranges of rows with about `CHUNK` terms together, one row at least."""
    if not len(lengths):
        return []
    chunk = (np.cumsum(lengths) - lengths) // CHUNK
    starts = np.flatnonzero(np.diff(chunk, prepend=-1))
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(lengths)], strict=True))


def _shingles(terms: Ragged) -> tuple[Hashes, IntArray]:
    """The hashes of all terms and pairs of neighbours, row after row, and (n + 1,) where each row's begin."""
    singles = _mixed(terms.values.astype(np.uint32))
    first, _ = pairs_of(terms)
    pairs = _mixed(singles[first] * np.uint32(0x85EBCA6B) + singles[first + 1])
    lengths = terms.lengths
    starts = np.concatenate([[0], np.cumsum(lengths + np.maximum(0, lengths - 1))]).astype(np.int64)
    values = np.empty(len(singles) + len(pairs), dtype=np.uint32)
    places = np.arange(len(singles)) + np.concatenate([[0], np.cumsum(np.maximum(0, lengths - 1))])[terms.row_of_value]
    values[places] = singles
    is_single = np.zeros(len(values), dtype=bool)
    is_single[places] = True
    values[~is_single] = pairs  # of one row they follow its terms, in order
    return values, starts


def _mixed(values: Hashes) -> Hashes:
    """Bits spread over the whole word (the finaliser of MurmurHash3, Austin Appleby, public domain)."""
    with np.errstate(over="ignore"):
        values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
        values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
        return np.asarray(values ^ (values >> np.uint32(16)), dtype=np.uint32)


def _candidates(band: NDArray[np.uint64], texts: IntArray, n: int) -> IntArray:
    """Keys first · n + second of pairs that agree in a band."""
    order = np.argsort(band, kind="stable")
    band, texts = band[order], texts[order]
    is_first = np.concatenate([[True], band[1:] != band[:-1]]) if len(band) else np.zeros(0, dtype=bool)
    run = np.cumsum(is_first) - 1
    leader = texts[np.flatnonzero(is_first)][run] if len(band) else texts
    found = [leader[~is_first] * n + texts[~is_first]]
    for step in range(1, NEIGHBOURS + 1):
        same = np.flatnonzero(run[step:] == run[:-step])
        found.append(texts[same] * n + texts[same + step])
    return distinct(np.concatenate(found))


def _similarity(terms: Ragged, first: IntArray, second: IntArray) -> FloatArray:
    """(m,) the Jaccard similarity of the texts of each pair."""
    sides, sizes = [], []
    for texts in (first, second):
        values, starts = _shingles(terms.take(texts))
        keys = np.repeat(np.arange(len(texts), dtype=np.uint64), np.diff(starts)) << np.uint64(32) | values
        keys = distinct(keys)
        sides.append(keys)
        sizes.append(np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=len(texts)))
    both = np.intersect1d(sides[0], sides[1], assume_unique=True)
    common = np.bincount((both >> np.uint64(32)).astype(np.int64), minlength=len(first))
    return np.asarray(common / np.maximum(1, sizes[0] + sizes[1] - common), dtype=np.float64)
