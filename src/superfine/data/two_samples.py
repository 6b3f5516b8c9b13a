"""Whether two sets of texts are of one kind: a classifier that is to tell them apart (Lopez-Paz and Oquab 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from superfine.data.terms import binary_counts, written
from superfine.metrics import auc_interval
from superfine.records import FloatArray, Ragged

MOST_ROWS, FEWEST_ROWS, FOLDS, N_WORDS = 5000, 20, 5, 5


class ToldApart(NamedTuple):
    """auc: the area under the curve, 0.5 where nothing tells the two apart; low, high: its 95 % interval. words: those most
    typical of the second set."""

    auc: float
    low: float
    high: float
    words: list[str]


def tell_apart(first: Ragged, second: Ragged, names: Sequence[str]) -> ToldApart | None:
    """By a logistic regression on which words a text has, scored on texts that it did not learn from; of at most `MOST_ROWS`
    texts of each set. None for too few.

    first, second: the words of each text, by their numbers in `names`.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    if min(len(first), len(second)) < FEWEST_ROWS:
        return None
    rng = np.random.default_rng(0)
    parts = [terms.take(np.sort(rng.permutation(len(terms))[:MOST_ROWS])) for terms in (first, second)]
    counts = binary_counts(parts, len(names))
    is_second = np.arange(counts.shape[0]) >= len(parts[0])
    model = LogisticRegression(class_weight="balanced", max_iter=200)
    scores: FloatArray = np.zeros(len(is_second))
    for learned, scored in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(counts, is_second):
        scores[scored] = model.fit(counts[learned], is_second[learned]).decision_function(counts[scored])
    auc, low, high = auc_interval(scores[is_second], scores[~is_second])
    typical = np.argsort(-model.fit(counts, is_second).coef_[0])[:N_WORDS]
    return ToldApart(auc, low, high, [written(names, [int(term)]) for term in typical])
