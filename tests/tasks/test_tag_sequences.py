"""Tags of words in a row: what is said is the most probable consistent row, with the probability of each span, as counted by hand."""

from itertools import pairwise, product

import numpy as np
import pytest

from superfine.tasks.tag_sequences import spans_of, tags_of


def is_consistent(tags):
    before = 0
    for tag in tags:
        if tag and tag % 2 == 0 and before not in (tag, tag - 1):
            return False
        before = tag
    return True


def spans_in(tags):
    found, i = [], 0
    while i < len(tags):
        if tags[i] % 2 == 1:
            last = i
            while last + 1 < len(tags) and tags[last + 1] == tags[i] + 1:
                last += 1
            found.append((i, last, tags[i] // 2))
            i = last
        i += 1
    return found


def by_hand(logits):
    """Every consistent row of tags, weighed."""
    n, n_tags = logits.shape
    rows = [tags for tags in product(range(n_tags), repeat=n) if is_consistent(tags)]
    weights = np.exp([sum(logits[i, tag] for i, tag in enumerate(tags)) for tags in rows])
    best = rows[int(weights.argmax())]
    return {span: weights[[span in spans_in(tags) for tags in rows]].sum() / weights.sum() for span in spans_in(best)}


@pytest.mark.parametrize("n_labels", [1, 2])
def test_spans_and_their_probabilities_are_those_of_all_consistent_rows(n_labels):
    rng = np.random.default_rng(n_labels)
    for _ in range(20):
        lengths = rng.integers(0, 5, 6)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        logits = 2 * rng.normal(size=(starts[-1], 1 + 2 * n_labels))
        found = spans_of(logits, starts)
        expected = {}
        for a, b in pairwise(starts):
            if b > a:
                for (first, last, label), p in by_hand(logits[a:b]).items():
                    expected[first + a, last + a, label] = p
        said = dict(zip(zip(found.first, found.last, found.label, strict=True), found.score, strict=True))
        assert said.keys() == expected.keys()
        for span, p in expected.items():
            assert said[span] == pytest.approx(p, abs=1e-9)


def test_an_inside_without_a_beginning_is_never_said():
    logits = np.full((2, 3), -9.0)
    logits[:, 2] = 9.0  # I alone, twice
    found = spans_of(logits, np.array([0, 2]))
    assert [(int(a), int(b)) for a, b in zip(found.first, found.last, strict=True)] in ([], [(0, 1)])
    tags = np.full((1, 3), -9.0)
    tags[0, 2] = 9.0
    assert len(spans_of(tags, np.array([0, 1])).first) <= 1


def test_no_words_at_all_are_no_spans():
    assert len(spans_of(np.zeros((0, 3)), np.array([0, 0, 0])).first) == 0
    assert len(spans_of(np.zeros((0, 3)), np.array([0])).first) == 0


def test_tags_stand_in_one_order():
    assert tags_of(("a", "b")) == ("O", "B-a", "I-a", "B-b", "I-b")
