"""Holding rows out: seeded, stratified by class, and never splitting a group or a repeated text over two parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from superfine.records import IntArray


def split(
    targets: IntArray, keys: Sequence[str], share: float, *, seed: int, groups: Sequence[str] | None = None
) -> tuple[IntArray, IntArray]:
    """Indices of the rows that stay and of those held out, both in ascending order.

    About `share` of the rows of each class is held out; what rounding leaves over goes to the next class, so that many small
    classes give their share too. Rows with the same key (text) or the same group go to the same part.
    The last unit of a class stays, so a class with one text is not missing from training. (A unit counts for the class of its
    first row: where a text or group has several classes, one of them may be.)
    """
    units = _units(keys, groups)
    unit_class = np.zeros(int(units.max(initial=-1)) + 1, dtype=np.int64)
    unit_class[units[::-1]] = targets[::-1]  # the class of the first row of each unit
    unit_size = np.bincount(units, minlength=len(unit_class))
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(unit_class), dtype=bool)
    by_class = np.split(np.argsort(unit_class, kind="stable"), np.cumsum(np.bincount(unit_class))[:-1])
    wanted = 0.0
    for k in rng.permutation(len(by_class)):
        members = rng.permutation(by_class[k])
        wanted += share * unit_size[members].sum()
        if groups is None:
            # A unit is taken when at least half of it still fits; the last one of a class stays.
            fits = np.cumsum(unit_size[members]) - unit_size[members] / 2 <= wanted
        else:
            fits = _fitting(unit_size[members], wanted)
        fits[-1:] = False
        held_out[members[fits]] = True
        # Not more than a row: what a class of few large units cannot give would distort the next one.
        wanted = float(np.clip(wanted - unit_size[members[fits]].sum(), -1.0, 1.0))
    if groups is not None:
        _give_each_part_every_class(held_out, units, targets, unit_size, share)
    is_held_out = held_out[units]
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def fold_of(targets: IntArray, keys: Sequence[str], n_folds: int, *, seed: int, groups: Sequence[str] | None = None) -> IntArray:
    """(n,) the fold of each row, from 0. Rows with the same key or group are in one fold; each fold has about the same share of
    each class."""
    units = _units(keys, groups)
    n_units = int(units.max(initial=-1)) + 1
    unit_class = np.zeros(n_units, dtype=np.int64)
    unit_class[units[::-1]] = targets[::-1]
    unit_size = np.bincount(units, minlength=n_units)
    # The large ones of a class first: small ones fill what they leave uneven.
    order = np.lexsort((np.random.default_rng(seed).permutation(n_units), -unit_size, unit_class))
    fold = np.zeros(n_units, dtype=np.int64)
    if unit_size.max(initial=1) == 1:
        fold[order] = np.arange(n_units) % n_folds
        return fold[units]
    in_class, in_all = np.zeros((int(targets.max(initial=0)) + 1, n_folds), dtype=np.int64), np.zeros(n_folds, dtype=np.int64)
    for unit in order.tolist():
        k = unit_class[unit]
        least = int(np.lexsort((in_all, in_class[k]))[0])
        fold[unit] = least
        in_class[k, least] += unit_size[unit]
        in_all[least] += unit_size[unit]
    return fold[units]


def _fitting(sizes: IntArray, wanted: float) -> NDArray[np.bool_]:
    """Which units are taken, one after the other: those of which half still fits. One that is too large is passed over."""
    taken, fits = 0, np.zeros(len(sizes), dtype=bool)
    for i, size in enumerate(sizes.tolist()):
        if taken + size / 2 <= wanted:
            fits[i], taken = True, taken + size
    return fits


def _give_each_part_every_class(
    held_out: NDArray[np.bool_], units: IntArray, targets: IntArray, unit_size: IntArray, share: float
) -> None:
    """Move units over until both parts have every class that two units have, where a row of it at least was to be held out.

    The smallest unit is moved that takes no class from the part it leaves. Changes `held_out` in place.
    """
    pairs = np.unique(np.stack([units, targets]), axis=1)
    class_sizes = np.bincount(targets)
    for goes_to_held_out in (False, True):
        for k in np.flatnonzero(class_sizes if not goes_to_held_out else share * class_sizes >= 1):
            having = pairs[0, pairs[1] == k]
            if len(having) < 2 or (held_out[having] == goes_to_held_out).any():
                continue
            left = pairs[:, held_out[pairs[0]] != goes_to_held_out]
            counts = np.bincount(left[1], minlength=len(class_sizes))
            last_ones = np.unique(left[0, counts[left[1]] == 1])
            free = np.setdiff1d(having, last_ones)
            if len(free):
                held_out[free[np.argmin(unit_size[free])]] = goes_to_held_out


def _units(keys: Sequence[str], groups: Sequence[str] | None) -> IntArray:
    """(n,) the unit of each row: rows connected through equal keys or equal groups, however long the chain."""
    _, by_key = np.unique(np.asarray(keys, dtype=object), return_inverse=True)
    if groups is None:
        return by_key.astype(np.int64)
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    # A row without a group is a group of its own.
    named = [group if group.strip() else f"\x1f{i}" for i, group in enumerate(groups)]
    _, by_group = np.unique(np.asarray(named, dtype=object), return_inverse=True)
    n_keys = int(by_key.max()) + 1
    size = n_keys + int(by_group.max()) + 1
    edges = coo_matrix((np.ones(len(by_key)), (by_key, n_keys + by_group)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    _, units = np.unique(component[by_key], return_inverse=True)
    return units.astype(np.int64)
