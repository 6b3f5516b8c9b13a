"""What is drawn again, and what is swapped: rows, or the groups they belong to.

Units that add the same to every sum are one cell with a count. Drawing n units with replacement draws the counts of the cells
from a multinomial distribution, exactly, so that a million rows of ten classes cost as much as a hundred.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from superfine.records import FloatArray, IntArray, Statistics

CHUNK = 1_000_000
"""Numbers of draws and totals that are held at a time."""


@dataclass(frozen=True)
class Units:
    """sums: by name, (units, k). of_row: (n,) the unit of each row. n_groups: how many there are, or None where rows stand
    alone."""

    sums: Mapping[str, Any]
    of_row: IntArray
    n_groups: int | None

    @classmethod
    def of(cls, statistics: Statistics, groups: Sequence[str] | None = None) -> Units:
        """Rows, or the groups that `groups` (n,) names; a row without a name is a group of its own."""
        sums = {name: as_table(block) for name, block in statistics.sums.items()}
        if groups is None:
            return cls(sums, np.arange(len(statistics)), None)
        from scipy.sparse import csr_array

        named = [group if group.strip() else f"\x1f{i}" for i, group in enumerate(groups)]
        _, of_row = np.unique(np.asarray(named, dtype=object), return_inverse=True)
        n_groups = int(of_row.max(initial=-1)) + 1
        add = csr_array((np.ones(len(of_row)), (of_row, np.arange(len(of_row)))), shape=(n_groups, len(of_row)))
        return cls({name: add @ block for name, block in sums.items()}, of_row.astype(np.int64), n_groups)

    def __len__(self) -> int:
        return int(next(iter(self.sums.values())).shape[0])

    def totals(self) -> dict[str, FloatArray]:
        """(k,) each sum over all units."""
        return {name: np.asarray(block.sum(axis=0), dtype=np.float64).ravel() for name, block in self.sums.items()}


def as_table(block: Any) -> Any:
    """(n,) or (n, k), dense or sparse, as (n, k) float64 rows."""
    if hasattr(block, "tocsr"):
        return block.tocsr()
    block = np.asarray(block, dtype=np.float64)
    return block[:, None] if block.ndim == 1 else block


@dataclass(frozen=True)
class Cells:
    """Units that add the same, together. sums: by name, (cells, k). counts: (cells,) how many units each stands for."""

    sums: Mapping[str, Any]
    counts: IntArray

    @classmethod
    def of(cls, sums: Mapping[str, Any]) -> Cells:
        """The different rows of these tables."""
        rng = np.random.default_rng(0)
        n = next(iter(sums.values())).shape[0]
        # Rows are told apart by two random projections of all that they hold: equal rows give equal numbers.
        seen = np.zeros(n, dtype=np.complex128)
        for block in sums.values():
            seen += block @ rng.random(block.shape[1]) + 1j * (block @ rng.random(block.shape[1]))
        _, first, counts = np.unique(seen, return_index=True, return_counts=True)
        return cls({name: block[first] for name, block in sums.items()}, counts.astype(np.int64))

    def resampled_totals(self, n_resamples: int, seed: int) -> Iterator[dict[str, FloatArray]]:
        """Chunks of totals (b, k) by name, each of as many units drawn with replacement."""
        rng = np.random.default_rng(seed)
        n = int(self.counts.sum())
        for size in self._chunks(n_resamples):
            yield self.totals(rng.multinomial(n, self.counts / n, size=size))

    def swapped_totals(self, n_swaps: int, seed: int) -> Iterator[dict[str, FloatArray]]:
        """Chunks of totals (b, k) of random halves: each unit is in with probability one half."""
        rng = np.random.default_rng(seed)
        for size in self._chunks(n_swaps):
            yield self.totals(rng.binomial(self.counts, 0.5, size=(size, len(self.counts))))

    def totals(self, draws: IntArray) -> dict[str, FloatArray]:
        """(b, k) by name: the sums of draws (b, cells) that say how often each cell is in."""
        return {name: np.asarray((block.T @ draws.T).T, dtype=np.float64) for name, block in self.sums.items()}

    def _chunks(self, n: int) -> Iterator[int]:
        size = max(1, min(n, CHUNK // (len(self.counts) + sum(block.shape[1] for block in self.sums.values()))))
        for start in range(0, n, size):
            yield min(size, n - start)


def row_weights(units: Units, n_resamples: int, seed: int) -> Iterator[FloatArray]:
    """Chunks of (b, n): how often each resample of the units holds each row."""
    rng, n = np.random.default_rng(seed), len(units)
    step = max(1, min(n_resamples, CHUNK // max(1, n)))
    for start in range(0, n_resamples, step):
        weights = np.zeros((min(step, n_resamples - start), n))
        for b in range(len(weights)):
            weights[b] = np.bincount(rng.integers(0, n, n), minlength=n)
        yield weights[:, units.of_row]


def named_sums(units: Units, names: Iterable[str], prefix: str = "") -> dict[str, Any]:
    """Some of the units' tables, under names that begin with `prefix`."""
    return {prefix + name: units.sums[name] for name in dict.fromkeys(names)}
