"""Attention over a packed batch is attention over each text alone, with its gradients, whatever shares a line."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from superfine.backbones.packed.attention import attend, current_layout, packed, packed_attention
from superfine.backbones.packed.layout import Layout

LENGTHS = st.lists(st.integers(1, 70), min_size=1, max_size=12).map(sorted)
WIDTH = 4


def rows(n: int, n_heads: int) -> torch.Tensor:
    return torch.randn(n, n_heads, WIDTH, dtype=torch.float64, requires_grad=True)


def obvious(layout: Layout, query, key, value, *, causal: bool, reads: bool) -> torch.Tensor:
    """softmax(Q Kᵀ / 2) V, text by text."""
    outputs = []
    for i in range(layout.n_sequences):
        start, stop = int(layout.starts[i]), int(layout.starts[i + 1])
        q = query[i : i + 1] if reads else query[start:stop]
        k, v = (x[start:stop].repeat_interleave(query.shape[1] // key.shape[1], dim=1) for x in (key, value))
        scores = torch.einsum("qhd,khd->hqk", q, k) / 2
        if causal:
            scores = scores.masked_fill(torch.ones(scores.shape[1:], dtype=torch.bool).triu(1), float("-inf"))
        outputs.append(torch.einsum("hqk,khd->qhd", scores.softmax(-1), v))
    return torch.cat(outputs)


@settings(deadline=None, max_examples=60)
@given(LENGTHS, st.sampled_from([(2, 2), (4, 2)]), st.sampled_from(["all", "causal", "reads"]), st.sampled_from([None, 0, 96]))
def test_values_and_gradients_are_those_of_each_text_alone_by_either_kernel(lengths, heads, kind, flash_from):
    torch.manual_seed(sum(lengths))
    layout = Layout.of(torch.tensor(lengths))
    n_queries = layout.n_sequences if kind == "reads" else layout.n_tokens
    q, k, v = rows(n_queries, heads[0]), rows(layout.n_tokens, heads[1]), rows(layout.n_tokens, heads[1])
    how = {"causal": kind == "causal", "reads": kind == "reads"}
    with packed(layout, flash_from):
        out, expected = attend(layout, q, k, v, scale=0.5, **how), obvious(layout, q, k, v, **how)
    torch.testing.assert_close(out, expected)
    weights = torch.randn_like(out)
    found = torch.autograd.grad((out * weights).sum(), (q, k, v))
    wanted = torch.autograd.grad((expected * weights).sum(), (q, k, v))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("reads", [False, True])
def test_gradients_hold_with_dropout(reads):
    layout = Layout.of(torch.tensor([1, 2, 3]))
    n_queries = 3 if reads else 6

    def dropped(q, k, v):
        torch.manual_seed(4)
        return attend(layout, q, k, v, scale=0.5, dropout=0.4, reads=reads)

    torch.manual_seed(0)
    inputs = (rows(n_queries, 2), rows(6, 2), rows(6, 2))
    assert not torch.equal(dropped(*inputs), attend(layout, *inputs, scale=0.5, reads=reads))
    assert torch.autograd.gradcheck(dropped, inputs)


def test_rows_behind_the_last_text_give_and_get_zeros():
    layout = Layout.of(torch.tensor([3, 5]))
    q, k, v = rows(16, 2), rows(16, 2), rows(16, 2)
    out = attend(layout, q, k, v, scale=0.5)
    assert not out[8:].any()
    torch.testing.assert_close(out[:8], attend(layout, q[:8], k[:8], v[:8], scale=0.5))
    out.sum().backward()
    assert not any(x.grad[8:].any() for x in (q, k, v))


def test_attention_outside_of_a_packed_batch_is_refused():
    x = torch.zeros(1, 2, 3, WIDTH)
    with pytest.raises(RuntimeError, match="outside"):
        packed_attention(torch.nn.Linear(1, 1), x, x, x, None)
    with packed(layout := Layout.of(torch.tensor([3]))):
        assert current_layout() is layout
    assert current_layout() is None


@pytest.mark.parametrize("flash_from", [None, 1])
@pytest.mark.parametrize("causal", [False, True])
def test_a_sliding_window_shows_each_token_those_near_to_it_in_its_own_text(causal, flash_from):
    layout = Layout.of(torch.tensor([2, 3, 9, 20]))
    q, k, v = (torch.randn(layout.n_tokens, 2, 4, generator=torch.Generator().manual_seed(i)) for i in range(3))
    with packed(layout, flash_from):
        found = attend(layout, q, k, v, scale=0.5, causal=causal, window=4)
    for a, b in pairwise(layout.starts.tolist()):
        away = torch.arange(b - a)[:, None] - torch.arange(b - a)
        hidden = (away.abs() >= 4) | (causal & (away < 0))
        scores = (torch.einsum("ihd,jhd->hij", q[a:b], k[a:b]) * 0.5).masked_fill(hidden, -torch.inf)
        torch.testing.assert_close(found[a:b], torch.einsum("hij,jhd->ihd", scores.softmax(-1), v[a:b]), atol=1e-5, rtol=0)
    whole = attend(layout, q, k, v, scale=0.5, causal=causal)
    assert torch.equal(attend(layout, q, k, v, scale=0.5, causal=causal, window=20), whole), "no window where none is shorter"
    assert (found - whole).abs().max() > 0.01
