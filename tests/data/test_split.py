"""Splits are seeded, stratified, and never let a text or a group straddle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from superfine.data.split import split

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12), st.integers(0, 6)), min_size=2, max_size=80)


@given(ROWS, st.floats(0.05, 0.45), st.integers(0, 5))
def test_no_text_and_no_group_stands_in_two_parts(rows, share, seed):
    targets = np.array([r[0] for r in rows])
    keys, groups = [str(r[1]) for r in rows], [str(r[2]) for r in rows]
    stay, held_out = split(targets, keys, share, seed=seed, groups=groups)
    assert sorted([*stay, *held_out]) == list(range(len(rows)))
    for column in (keys, groups):
        assert not {column[i] for i in stay} & {column[i] for i in held_out}


@given(ROWS, st.integers(0, 5))
def test_every_class_stays_in_training_when_no_text_has_two_labels(rows, seed):
    targets = np.array([r[1] % 4 for r in rows])
    stay, _ = split(targets, [str(r[1]) for r in rows], 0.3, seed=seed)
    assert set(targets[stay]) == set(targets)


def test_shares_hold_in_each_class():
    targets = np.array([0] * 800 + [1] * 200)
    _, held_out = split(targets, [str(i) for i in range(1000)], 0.15, seed=0)
    assert np.bincount(targets[held_out]).tolist() == [120, 30]


def test_the_seed_alone_decides():
    targets, keys = np.array([0, 1] * 100), [str(i) for i in range(200)]
    first, again, other = (split(targets, keys, 0.2, seed=s)[1].tolist() for s in (1, 1, 2))
    assert first == again != other


def test_rows_without_a_group_are_groups_of_their_own():
    targets, keys = np.array([0, 1] * 50), [str(i) for i in range(100)]
    _, held_out = split(targets, keys, 0.2, seed=0, groups=[" "] * 60 + [str(i // 4) for i in range(40)])
    assert any(i < 60 for i in held_out)
    assert len(held_out) >= 15


@pytest.mark.parametrize("large", range(5))
def test_a_large_group_among_five_never_costs_a_part_a_class(large):
    for seed in range(20):
        rng = np.random.default_rng(seed)
        sizes = [300 if g == large else 25 for g in range(5)]
        groups = [f"g{g}" for g, size in enumerate(sizes) for _ in range(size)]
        targets = rng.integers(0, 3, len(groups))
        stay, held_out = split(targets, [str(i) for i in range(len(groups))], 0.15, seed=seed, groups=groups)
        assert set(targets[stay]) == set(targets[held_out]) == {0, 1, 2}
        assert len(held_out) < len(stay)


def test_a_class_of_one_large_group_and_some_small_ones_is_tested():
    targets = np.array([0] * 200 + [1] * 200)
    groups = ["big"] * 180 + [f"a{i // 5}" for i in range(20)] + [f"b{i // 10}" for i in range(200)]
    for seed in range(20):
        stay, held_out = split(targets, [str(i) for i in range(400)], 0.15, seed=seed, groups=groups)
        assert set(targets[stay]) == set(targets[held_out]) == {0, 1}
