"""Laws of the packed layout."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from superfine.backbones.packed.layout import Layout

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=30).map(sorted)


@given(LENGTHS, st.sampled_from(["right", "left"]))
def test_unpadding_a_padded_batch_gives_it_back(lengths, side):
    layout = Layout.of(torch.tensor(lengths))
    packed = torch.randn(layout.n_tokens, 3)
    assert torch.equal(layout.unpad(layout.pad(packed, 9.0, side), side), packed)


@given(LENGTHS)
def test_buckets_hold_every_token_and_every_text_once_and_in_order(lengths):
    layout = Layout.of(torch.tensor(lengths))
    for rectangles, n in (([b.tokens for b in layout.buckets], sum(lengths)), ([b.reads for b in layout.buckets], len(lengths))):
        assert [r.start for r in rectangles] == [0, *(r.stop for r in rectangles[:-1])]
        assert rectangles[-1].stop == n


@given(LENGTHS)
def test_a_rectangle_holds_its_rows_at_their_places(lengths):
    for bucket in Layout.of(torch.tensor(lengths)).buckets:
        for rectangle in (bucket.tokens, bucket.reads):
            rows = rectangle.rows.reshape(-1)
            assert rows[rectangle.places].tolist() == list(range(rectangle.start, rectangle.stop))
            n_filled = rows.numel() if rectangle.filled is None else int(rectangle.filled.sum())
            assert n_filled == rectangle.stop - rectangle.start


@given(LENGTHS)
def test_a_text_stays_in_one_line_and_left_over_places_repeat_that_line(lengths):
    layout = Layout.of(torch.tensor(lengths))
    for bucket in layout.buckets:
        assert torch.equal(layout.sequence_of_token[bucket.tokens.rows], bucket.tokens.text)
        lines = [set(line) for line in bucket.tokens.text.tolist()]
        assert sum(len(line) for line in lines) == bucket.reads.stop - bucket.reads.start
        assert [set(line) for line in bucket.reads.text.tolist()] == lines


def test_short_texts_share_lines_and_long_ones_cut_at_one_length_have_lines_of_that_length():
    (short,) = Layout.of(torch.tensor([10] * 12)).buckets
    assert (short.tokens.n, short.tokens.length) == (2, 64)
    (cut,) = Layout.of(torch.tensor([200] * 5)).buckets
    assert (cut.tokens.n, cut.tokens.length, cut.is_plain) == (5, 200, True)
    (alone,) = Layout.of(torch.tensor([13])).buckets
    assert (alone.tokens.n, alone.tokens.length, alone.is_plain) == (1, 13, True)


@given(LENGTHS)
def test_positions_restart_in_each_text(lengths):
    layout = Layout.of(torch.tensor(lengths))
    assert layout.positions.tolist() == [i for length in lengths for i in range(length)]
    assert layout.sequence_of_token.tolist() == [t for t, length in enumerate(lengths) for _ in range(length)]


@pytest.mark.parametrize("lengths", [[], [0, 1], [3, 2]])
def test_lengths_must_be_positive_and_ascend(lengths):
    with pytest.raises(ValueError, match="positive and ascending"):
        Layout.of(torch.tensor(lengths, dtype=torch.long))
