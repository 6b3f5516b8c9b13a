"""Tags of words in a row that make spans: an O, or the beginning (B) or the inside (I) of a span of some type.

Of all rows of tags the most probable one that is consistent is said: an inside follows a beginning or an inside of its own type
(Viterbi). A span's probability is that of exactly this span among all consistent rows (forward-backward; Rabiner 1989).
The K = 1 + 2 T tags stand in the order O, B and I of the first type, B and I of the second, and so on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from superfine.records import FloatArray, IntArray

OUTSIDE = 0


def tags_of(labels: tuple[str, ...]) -> tuple[str, ...]:
    """`("O", "B-person", "I-person")` of `("person",)`."""
    return ("O", *(f"{part}-{label}" for label in labels for part in "BI"))


class TaggedSpans(NamedTuple):
    """first, last: (m,) the words, counted through all rows, that each span begins and ends with. label: (m,) the number of its
    type. score: (m,) its probability."""

    first: IntArray
    last: IntArray
    label: IntArray
    score: FloatArray


def spans_of(logits: FloatArray, starts: IntArray) -> TaggedSpans:
    """The spans of n rows of words. logits: (words, K). starts: (n + 1,) the word that each row begins with."""
    steps = _Steps(starts)
    tags = _most_probable(logits, steps)
    inside = (tags > OUTSIDE) & (tags % 2 == 0)
    first = np.flatnonzero(tags % 2 == 1)
    others = np.append(np.flatnonzero(~inside), len(tags))
    last = others[np.searchsorted(others, first, side="right")] - 1
    label = tags[first] // 2
    before, after, total = _sums(logits, steps)
    running = np.cumsum(np.where(_is_inside(logits.shape[1]), logits, 0.0)[:, 2::2], axis=0) if len(first) else logits
    score = (
        before[first] + logits[first, 2 * label + 1] + running[last, label] - running[first, label] if len(first) else total[:0]
    )
    score = np.minimum(score + after[last] - total[steps.row[first]], 0.0) if len(first) else score
    return TaggedSpans(first, last, label, np.exp(score))


class _Steps:
    """The words of all rows by their place in their row: the first ones, the second ones, and so on.

    row: (words,) the row of each. backward: from the last ones to the first, each with a word after it.
    """

    def __init__(self, starts: IntArray) -> None:
        lengths = np.diff(starts)
        self.row = np.repeat(np.arange(len(lengths)), lengths)
        place = np.arange(int(starts[-1])) - starts[:-1][self.row] if len(lengths) else self.row
        order = np.argsort(place, kind="stable")
        cuts = np.cumsum(np.bincount(place, minlength=int(lengths.max(initial=0))))
        self.forward: list[IntArray] = np.split(order, cuts[:-1]) if len(order) else []
        self.is_last = np.zeros(len(self.row), dtype=bool)
        self.is_last[starts[1:][lengths > 0] - 1] = True
        self.backward = [here[~self.is_last[here]] for here in reversed(self.forward)]
        self.n_rows = len(lengths)


def _is_inside(n_tags: int) -> NDArray[np.bool_]:
    """(K,) whether a tag goes on with a span."""
    return np.asarray((np.arange(n_tags) > OUTSIDE) & (np.arange(n_tags) % 2 == 0))


def _most_probable(logits: FloatArray, steps: _Steps) -> IntArray:
    """(words,) the tags of the most probable consistent rows."""
    inside = _is_inside(logits.shape[1])
    best = np.where(inside, -np.inf, logits)
    for here in steps.forward[1:]:
        before = best[here - 1]
        best[here] += before.max(axis=1, keepdims=True)
        best[np.ix_(here, inside)] = logits[np.ix_(here, inside)] + np.maximum(before[:, 1::2], before[:, 2::2])
    tags = best.argmax(axis=1) if len(best) else np.zeros(0, dtype=np.int64)
    for here in steps.backward:
        follows = tags[here + 1]
        goes_on = here[inside[follows]]
        inner = tags[goes_on + 1]
        tags[goes_on] = np.where(best[goes_on, inner - 1] > best[goes_on, inner], inner - 1, inner)
    return np.asarray(tags, dtype=np.int64)


def _sums(logits: FloatArray, steps: _Steps) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Logarithms of sums over consistent rows of tags: (words,) of all that comes before each word, (words,) of all that comes
    after it where it ends a span, and (n,) of everything."""
    inside = _is_inside(logits.shape[1])
    forward, backward = np.where(inside, -np.inf, logits), np.zeros_like(logits)
    before, after = np.zeros(len(logits)), np.zeros(len(logits))
    with np.errstate(divide="ignore"):
        for here in steps.forward[1:]:
            earlier = forward[here - 1]
            before[here] = _log_sum(earlier)
            forward[here] += before[here][:, None]
            forward[np.ix_(here, inside)] = logits[np.ix_(here, inside)] + np.logaddexp(earlier[:, 1::2], earlier[:, 2::2])
        for here in steps.backward:
            later = logits[here + 1] + backward[here + 1]
            after[here] = _log_sum(np.where(inside, -np.inf, later))
            backward[here] = after[here][:, None]
            goes_on = np.logaddexp(after[here][:, None], later[:, 2::2])
            backward[here, 1::2], backward[here, 2::2] = goes_on, goes_on
    total = np.zeros(steps.n_rows)
    ends = np.flatnonzero(steps.is_last)
    total[steps.row[ends]] = _log_sum(forward[ends])
    return before, after, total


def _log_sum(values: FloatArray) -> FloatArray:
    """(m,) the logarithm of the sum of the exponentials of (m, k)."""
    if not len(values):
        return np.zeros(0)
    largest = values.max(axis=1)
    return np.asarray(largest + np.log(np.exp(values - largest[:, None]).sum(axis=1)))
