"""Words that give the label away: what a model may learn instead of the task."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from superfine.data.checks.inspection import Inspection, finding, label_ids
from superfine.data.terms import pairs_of, written
from superfine.metrics import wilson_low
from superfine.records import Finding, IntArray

FEWEST_ROWS, CERTAIN, BEYOND_CHANCE = 20, 0.95, 0.85
"""A word must stand in so many rows; at least this share of them has one label; and the lower end of Wilson's 95 % interval of it
is at least this."""
WARNED_SHARE = 0.15
"""Of the rows, that hold one and the same word: topics have words of their own, but none that so many texts have."""
MOST_TOLD, N_NAMED = 0.5, 8
"""A word is left out where more than this share of its rows holds a word that is told already."""


class _Word(NamedTuple):
    name: str
    label: str
    rows: IntArray


def shortcut(inspection: Inspection) -> list[Finding]:
    """Single words, signs, or two of them in a row, that nearly all stand with one label."""
    train = inspection.train
    if not inspection.has_classes or not train.label:
        return []
    words = _telling_words(inspection)
    rows = np.unique(np.concatenate([word.rows for word in words])) if words else np.zeros(0, dtype=np.int64)
    share = len(rows) / max(1, len(inspection.looked_at))
    named = ", ".join(f'"{word.name}" → {word.label} ({len(word.rows)})' for word in words[:N_NAMED])
    return finding(
        "shortcut",
        "warning" if words and len(words[0].rows) > WARNED_SHARE * len(inspection.looked_at) else "note",
        inspection.looked_at[rows].tolist(),
        train,
        f"{len(rows)} training rows ({share:.0%}) hold one of {len(words)} words that nearly all stand with one label: {named}.",
        "If these words made the labels (emoticons, a form, the name of a source), the model learns them and not the task: take "
        "them out of the texts, and test on texts without them.",
    )


def _telling_words(inspection: Inspection) -> list[_Word]:
    """Those that tell most rows first. A word that stands where others stand that are told already is not told again."""
    names, label = label_ids([(inspection.train.label or [])[i] for i in inspection.looked_at])
    terms, n_terms = inspection.train_terms.take(inspection.looked_at), max(1, len(inspection.term_names))
    first, pair_rows = pairs_of(terms)
    singles = terms.values.astype(np.int64)
    found = [
        _Word(written(inspection.term_names, [key]), str(names[said]), rows)
        for key, rows, said in _telling(singles, terms.row_of_value, label)
    ] + [
        _Word(written(inspection.term_names, [key // n_terms, key % n_terms]), str(names[said]), rows)
        for key, rows, said in _telling(singles[first] * n_terms + singles[first + 1], pair_rows, label)
    ]
    found.sort(key=lambda word: (-len(word.rows), len(word.name)))
    kept: list[_Word] = []
    told = np.zeros(len(inspection.looked_at), dtype=bool)
    for word in found:
        if not told[word.rows].mean() > MOST_TOLD:
            kept.append(word)
            told[word.rows] = True
    return kept


def _telling(keys: IntArray, rows: IntArray, label: IntArray) -> list[tuple[int, IntArray, int]]:
    """(key, its rows, the class) of keys that nearly all stand in rows of one class. keys, rows: (m,). label: (n,) the class of
    each row."""
    n_rows, shares = len(label), np.bincount(label) / len(label)
    order = np.argsort(keys, kind="stable")  # the rows of a key stay in order
    keys, rows = keys[order], rows[order]
    is_first = _changes(keys) | _changes(rows)
    keys, rows = keys[is_first], rows[is_first]
    begins = np.flatnonzero(_changes(keys))
    ends = np.append(begins, len(keys))[1:]
    frequent = np.flatnonzero(ends - begins >= min(FEWEST_ROWS, n_rows))
    found = []
    for begin, end in zip(begins[frequent].tolist(), ends[frequent].tolist(), strict=True):
        counts = np.bincount(label[rows[begin:end]])
        said = int(counts.argmax())
        # Of a class that nearly all rows have, every word would tell: the odds must be so many times those of any row.
        share, low = counts[said] / (end - begin), wilson_low(int(counts[said]), end - begin)
        if low >= BEYOND_CHANCE and share >= max(CERTAIN, _surer(shares[said])):
            found.append((int(keys[begin]), rows[begin:end], said))
    return found


def _surer(share: float) -> float:
    """The share whose odds are as many times those of `share` as the odds of `CERTAIN` are those of a half."""
    odds = share / max(1 - share, 1e-9) * CERTAIN / (1 - CERTAIN)
    return odds / (1 + odds)


def _changes(values: IntArray) -> NDArray[np.bool_]:
    """(m,) where a value differs from the one before; the first one does."""
    found = np.ones(len(values), dtype=bool)
    found[1:] = values[1:] != values[:-1]
    return found
