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
    best = [{} for _ in range(len(encoded))]
    for w, (low, high) in enumerate(zip(encoded.starts, encoded.starts[1:], strict=False)):
        for a in range(low + 1, high):
            if not encoded.answers[a]:
                continue
            for b in range(a, high):
                start, end = encoded.offsets[a, 0], encoded.offsets[b, 1]
                if end - start <= longest or a == b:
                    score = outputs[a, 0] + outputs[b, 1]
                    known = best[encoded.owner[w]]
                    if score > known.get(start, (-np.inf,))[0]:
                        known[start] = (score, end)
    return [sorted(((s, e, score) for s, (score, e) in spans.items()), key=lambda one: -one[2])[:n_best] for spans in best]


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
