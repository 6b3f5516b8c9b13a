"""The search over all windows at once finds what looking at every span of every window finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from superfine.data.contexts import _Windows
from superfine.data.encoded import Encoded
from superfine.records import IGNORED
from superfine.tasks.answer_search import best_spans, token_targets


def windows_of(lengths, room, stride):
    """Contexts of so many tokens of two characters, three apart, each window after one token that stands for no answer."""
    found = _Windows.of(np.array(lengths), np.full(len(lengths), room), stride)
    offsets, answers, starts = [], [], [0]
    for start, read, low, high in zip(found.start, found.read, found.low, found.high, strict=True):
        tokens = np.arange(start, start + read)
        offsets += [(0, 0), *((3 * t, 3 * t + 2) for t in tokens.tolist())]
        answers += [False, *((tokens >= low) & (tokens < high)).tolist()]
        starts.append(len(offsets))
    return Encoded(
        np.zeros(len(offsets), dtype=np.int32), np.array(starts), np.zeros(len(lengths), dtype=bool), 0.0,
        offsets=np.array(offsets, dtype=np.int32).reshape(-1, 2), owner=found.owner, answers=np.array(answers, dtype=bool),
    )  # fmt: skip


def one_by_one(outputs, encoded, n_best, longest):
    """Each span is read where its first token is furthest from an edge if that window holds it whole, else wherever it is whole."""
    windows = list(zip(encoded.starts[:-1].tolist(), encoded.starts[1:].tolist(), encoded.owner.tolist(), strict=True))
    home = {}
    for low, high, owner in windows:
        for a in range(low + 1, high):
            if encoded.answers[a]:
                home[owner, int(encoded.offsets[a, 0])] = int(encoded.offsets[high - 1, 1])
    found = [[] for _ in range(len(encoded))]
    for low, high, owner in windows:
        for a in range(low + 1, high):
            start, best = int(encoded.offsets[a, 0]), None
            for b in range(a, high):
                end = int(encoded.offsets[b, 1])
                if (end - start <= longest or a == b) and (encoded.answers[a] or end > home[owner, start]):
                    score = outputs[a, 0] + outputs[b, 1]
                    best = max(best or (-np.inf, 0), (score, end))
            if best is not None:
                found[owner].append((start, best[1], best[0]))
    return [sorted(spans, key=lambda one: -one[2])[:n_best] for spans in found]


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 25), min_size=1, max_size=4),
    st.integers(4, 12),
    st.integers(0, 4),
    st.integers(2, 30),
    st.integers(0, 99),
)
def test_the_best_spans_are_those_of_an_exhaustive_search(lengths, room, stride, longest, seed):
    encoded = windows_of(lengths, room, stride)
    outputs = np.random.default_rng(seed).normal(size=(len(encoded.ids), 2))
    found = best_spans(outputs, encoded, 3, longest)
    expected = one_by_one(outputs, encoded, 3, longest)
    for i, spans in enumerate(expected):
        own = found.places.take(np.array([i])).values
        assert own.tolist() == [[s, e] for s, e, _ in spans]
    np.testing.assert_allclose(found.scores, [score for spans in expected for *_, score in spans])


def test_no_answer_is_told_by_the_window_that_speaks_most_against_it():
    encoded = windows_of([20, 3], 8, 2)
    outputs = np.zeros((len(encoded.ids), 2))
    first = encoded.starts[:-1]
    outputs[first] = -np.arange(1, len(first) + 1)[:, None]
    found = best_spans(outputs, encoded, 1, 10)
    of_first = np.flatnonzero(encoded.owner == 0)
    assert found.no_answer.tolist() == [-2.0 * (of_first[-1] + 1), -2.0 * len(first)]


def test_a_window_that_holds_the_answer_whole_is_told_where_and_the_others_that_there_is_none():
    encoded = windows_of([12], 6, 2)  # tokens 0-5, 4-9, 8-11
    targets = token_targets(np.array([[3 * 4, 3 * 6 + 2]]), encoded, IGNORED)
    by_window = [targets[a:b].tolist() for a, b in zip(encoded.starts, encoded.starts[1:], strict=False)]
    assert by_window[0] == [3, *[IGNORED] * 6], "it ends beyond the first window"
    assert by_window[1] == [IGNORED, 1, IGNORED, 2, *[IGNORED] * 3]
    assert by_window[2] == [3, *[IGNORED] * 4]
    single = token_targets(np.array([[3 * 5, 3 * 5 + 2]]), encoded, IGNORED)
    assert [i for i in range(len(single)) if single[i] == 3] == [6, 7 + 2, int(encoded.starts[2])], "of one token it is both"


def test_where_there_is_no_answer_every_window_says_so():
    encoded = windows_of([12, 4], 6, 2)
    targets = token_targets(np.full((2, 2), -1), encoded, IGNORED)
    assert np.flatnonzero(targets != IGNORED).tolist() == encoded.starts[:-1].tolist()
    assert set(targets[encoded.starts[:-1]].tolist()) == {3}


def test_a_span_that_begins_inside_a_token_is_of_that_token():
    encoded = windows_of([4], 10, 2)
    targets = token_targets(np.array([[3 * 1 + 1, 3 * 2 + 1]]), encoded, IGNORED)
    assert targets.tolist() == [IGNORED, IGNORED, 1, 2, IGNORED]


def test_offsets_are_needed():
    with pytest.raises(ValueError, match="offsets"):
        best_spans(np.zeros((1, 2)), Encoded(np.zeros(1, dtype=np.int32), np.array([0, 1]), np.zeros(1, dtype=bool), 0.0), 1, 5)


def test_a_long_answer_at_the_edge_of_a_window_is_found_in_the_next():
    encoded = windows_of([60], 16, 8)
    for first in range(48):
        outputs = np.full((len(encoded.ids), 2), -9.0)
        start, end = 3 * first, 3 * (first + 7) + 2
        held = np.flatnonzero(encoded.offsets[:, 1] > 0)
        outputs[held[encoded.offsets[held, 0] == start], 0] = 0.0
        outputs[held[encoded.offsets[held, 1] == end], 1] = 0.0
        assert best_spans(outputs, encoded, 1, 100).places.values.tolist() == [[start, end]]


def test_an_answer_may_hold_tokens_of_blanks_alone():
    encoded = windows_of([5], 10, 2)
    encoded.offsets[3] = (5, 5)  # a line break
    outputs = np.full((6, 2), -9.0)
    outputs[2, 0] = outputs[4, 1] = 0.0
    assert best_spans(outputs, encoded, 1, 100).places.values.tolist() == [[3, 11]]
    outputs[3, 1] = 5.0
    assert best_spans(outputs, encoded, 1, 100).places.values.tolist() == [[3, 11]], "none ends in blanks"
