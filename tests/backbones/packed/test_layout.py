"""Laws of the packed layout."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from superfine.backbones.packed.layout import Layout

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=30).map(sorted)


@given(LENGTHS, st.sampled_from(["right", "left"]))
def test_unpadding_a_padded_batch_gives_it_back(lengths, side):
    layout = Layout.of(torch.tensor(lengths))
    packed = torch.randn(layout.n_tokens, 3)
    assert torch.equal(layout.unpad(layout.pad(packed, 9.0, side), side), packed)


@given(LENGTHS)
def test_buckets_hold_every_text_once_and_in_order(lengths):
    layout = Layout.of(torch.tensor(lengths))
    assert [b.start for b in layout.buckets] == [0, *(b.stop for b in layout.buckets[:-1])]
    assert layout.buckets[-1].stop == layout.n_tokens
    assert sum(b.n for b in layout.buckets) == len(lengths)


@given(LENGTHS)
def test_gathering_into_a_bucket_and_scattering_back_is_the_identity(lengths):
    for bucket in Layout.of(torch.tensor(lengths)).buckets:
        tokens = torch.arange(bucket.stop - bucket.start)
        if bucket.gather is None:
            assert bucket.n * bucket.length == len(tokens)
        else:
            assert torch.equal(tokens[bucket.gather][bucket.scatter], tokens)


@given(LENGTHS)
def test_positions_restart_in_each_text(lengths):
    layout = Layout.of(torch.tensor(lengths))
    assert layout.positions.tolist() == [i for length in lengths for i in range(length)]
    assert layout.text_of_token.tolist() == [t for t, length in enumerate(lengths) for _ in range(length)]


@pytest.mark.parametrize("lengths", [[], [0, 1], [3, 2]])
def test_lengths_must_be_positive_and_ascend(lengths):
    with pytest.raises(ValueError, match="positive and ascending"):
        Layout.of(torch.tensor(lengths, dtype=torch.long))
