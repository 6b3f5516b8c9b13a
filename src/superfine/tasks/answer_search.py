"""The search for the best spans, over all windows of all questions at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from superfine.data.encoded import Encoded
from superfine.records import FloatArray, IntArray, Ragged


class Candidates(NamedTuple):
    """places: for each question (m, 2) the spans, best first. scores: (total,) their log-probabilities. no_answer: (n,) the
    log-probability that there is none, in the window that speaks most against it."""

    places: Ragged
    scores: FloatArray
    no_answer: FloatArray


def in_context(encoded: Encoded) -> NDArray[np.bool_]:
    """(tokens,) which are of the text in which an answer may stand."""
    if encoded.offsets is None:
        raise ValueError("an answer needs the offsets of the tokens")
    return np.asarray(encoded.offsets[:, 1] > encoded.offsets[:, 0])


def best_spans(outputs: FloatArray, encoded: Encoded, n_best: int, longest: int) -> Candidates:
    """The n best spans of each question, one at most for each token of a window that they may begin at.

    outputs: (tokens, 2) log-probabilities that an answer starts at a token, and that it ends there, over each window; its first
    token stands for no answer. A span is read in one window: where its first token is furthest from an edge, or, if that window
    does not hold it whole, in the next one. longest: characters of an answer.
    """
    owner, context = encoded.owners, in_context(encoded)
    offsets = np.zeros((0, 2), dtype=np.int64) if encoded.offsets is None else encoded.offsets.astype(np.int64)
    window = np.repeat(np.arange(len(encoded.lengths)), encoded.lengths)
    start = np.flatnonzero(context)
    read_elsewhere = _read_elsewhere(encoded, offsets, window, start)
    best = np.full(len(start), -np.inf)
    end = start.copy()
    alive = np.arange(len(start))
    distance = 0
    while len(alive):
        last = start[alive] + distance
        inside = last < len(window)
        inside[inside] &= window[last[inside]] == window[start[alive[inside]]]
        alive, last = alive[inside], last[inside]
        # A token of blanks alone is no end, and does not end the search either.
        fits = ~context[last] | (offsets[last, 1] - offsets[start[alive], 0] <= longest) | (distance == 0)
        alive, last = alive[fits], last[fits]
        score = outputs[start[alive], 0] + outputs[last, 1]
        better = context[last] & (offsets[last, 1] > read_elsewhere[alive]) & (score > best[alive])
        best[alive[better]], end[alive[better]] = score[better], last[better]
        distance += 1
    found = np.flatnonzero(np.isfinite(best))
    text = owner[window[start[found]]]
    order = np.lexsort((-best[found], text))
    text, count = text[order], np.bincount(text, minlength=len(encoded))
    rank = np.arange(len(text)) - np.repeat(np.cumsum(count) - count, count)
    order = found[order[rank < n_best]]
    places = np.stack([offsets[start[order], 0], offsets[end[order], 1]], axis=1).astype(np.int64)
    return Candidates(Ragged.of_lengths(places, np.minimum(count, n_best)), best[order], _no_answer(outputs, encoded))


def _read_elsewhere(encoded: Encoded, offsets: IntArray, window: IntArray, start: IntArray) -> IntArray:
    """(s,) up to which character of its text a span that begins at each of these tokens is read in another window: in the one
    where the token is furthest from an edge. -1 where that is this one."""
    none = np.full(len(start), -1, dtype=np.int64)
    if encoded.answers is None or not len(start):
        return none
    context = np.flatnonzero(in_context(encoded))
    edge = np.zeros(len(encoded.lengths), dtype=np.int64)
    np.maximum.at(edge, window[context], offsets[context, 1])
    owner, size = encoded.owners[window], int(offsets.max(initial=0)) + 1
    answering = np.flatnonzero(encoded.answers & in_context(encoded))
    keys = owner[answering].astype(np.int64) * size + offsets[answering, 0]
    order = np.argsort(keys, kind="stable")
    place = np.searchsorted(keys[order], owner[start].astype(np.int64) * size + offsets[start, 0]).clip(0, len(order) - 1)
    return np.where(encoded.answers[start], none, edge[window[answering[order[place]]]])


def _no_answer(outputs: FloatArray, encoded: Encoded) -> FloatArray:
    if not len(encoded):
        return np.zeros(0)
    null = outputs[encoded.starts[:-1]].sum(axis=1)
    return np.asarray(np.minimum.reduceat(null, encoded.first_sequences[:-1]))


STARTS, ENDS = 1, 2
"""Bits of a token's target."""


def token_targets(places: IntArray, encoded: Encoded, ignored: int) -> IntArray:
    """(tokens,) 1 where the answer starts, 2 where it ends, 3 where it does both; `ignored` elsewhere. A window that does not
    hold it whole has 3 at its first token. places: (n, 2) start and end of each answer in characters; (-1, -1) for none."""
    offsets = np.zeros((0, 2), dtype=np.int64) if encoded.offsets is None else encoded.offsets.astype(np.int64)
    context, starts = in_context(encoded), encoded.starts
    true = np.repeat(places[encoded.owners], encoded.lengths, axis=0)
    inside = context & (offsets[:, 0] < true[:, 1]) & (offsets[:, 1] > true[:, 0])
    n = len(encoded.lengths)
    window = np.repeat(np.arange(n), encoded.lengths)
    first, last = (np.full(n, -1) for _ in range(2))
    held = np.flatnonzero(inside)
    last[window[held]] = held  # the last one of each window stays
    first[window[held][::-1]] = held[::-1]
    own = np.flatnonzero(context)
    edge_first, edge_last = (np.full(n, -1) for _ in range(2))
    edge_last[window[own]] = own
    edge_first[window[own][::-1]] = own[::-1]
    whole = first >= 0
    at = np.flatnonzero(whole)
    goes_on_before = (first[at] == edge_first[at]) & (offsets[first[at], 0] > true[first[at], 0])
    goes_on_behind = (last[at] == edge_last[at]) & (offsets[last[at], 1] < true[last[at], 1])
    whole[at[goes_on_before | goes_on_behind]] = False
    targets = np.full(len(offsets), ignored, dtype=np.int64)
    targets[starts[:-1][~whole]] = STARTS | ENDS
    targets[first[whole]] = STARTS
    targets[last[whole]] = np.where(first[whole] == last[whole], STARTS | ENDS, ENDS)
    return targets
