"""Kinds of test rows: those that the user names, and those in which the model is wrong more often than elsewhere."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.data.clean import same_text_keys
from superfine.data.terms import TermIndex
from superfine.data.times import periods_of, same_name, times_of
from superfine.evaluation.evaluate import evaluate
from superfine.evaluation.slices import FEWEST_ROWS, MOST_SHARE, Slice, row_scores, weak_slices
from superfine.recipes.embeddings import nearest, vectors_of
from superfine.recipes.prepare import Parts
from superfine.records import Examples, IntArray, Statistics
from superfine.tasks.task import Task

if TYPE_CHECKING:
    from superfine.model import Model

MOST_KINDS = 30
"""Values of a column that are shown; the rarer ones are together."""
OTHERS = "(others)"
LENGTHS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
MOST_WORDS, MOST_VECTORS, MOST_CLUSTERS, ROWS_OF_CLUSTER, TYPICAL_WORDS, TOPICS, COMMON = 400, 5000, 20, 50, 3, 40, 0.2
MOST_LOOKED_AT = 50_000
"""Of more test rows, so many are looked at for weak kinds, evenly spread."""
NEAREST = 2


def given_kinds(task: Task, parts: Parts) -> dict[str, list[str]]:
    """By what test rows are told apart on request, and the kind of each: what the task tells, columns, periods of time."""
    test, config = parts.scored_test, parts.config
    kinds = {by: list(of) for by, of in task.slices(test).items()}
    for column in config.evaluation.slices:
        if (name := same_name(test, column)) is not None:
            kinds[column] = _most_frequent([value.strip() or "—" for value in test.columns[name]])
    if config.data.time is not None and (name := same_name(test, config.data.time)) is not None:
        kinds[config.data.time] = periods_of(test, name)
    return kinds


def _most_frequent(values: list[str]) -> list[str]:
    kept = {value for value, _ in Tally(values).most_common(MOST_KINDS)}
    return [value if value in kept else OTHERS for value in values]


def scores_of_kinds(
    task: Task, test: Examples, statistics: Statistics, kinds: Mapping[str, list[str]], time: str | None
) -> list[Any]:
    """The scores of each kind, the most frequent first, periods in their order."""
    found = []
    shown = {name: task.scores[name] for name in dict.fromkeys((task.main, *task.shown.headline))}
    for by, of in kinds.items():
        names = [name for name, _ in Tally(of).most_common()]
        if by == time:
            first = times_of(test, str(same_name(test, by)))
            names.sort(key=lambda name: min(first[i] for i, kind in enumerate(of) if kind == name))
        for name in names:
            rows = np.flatnonzero([kind == name for kind in of])
            scores = evaluate(statistics.take(rows), shown, test.take(rows).group).to_json(by_label=False)
            found.append({"by": by, "name": name, **scores, "n": len(rows)})
    return found


def slices_of(task: Task, parts: Parts, statistics: Statistics) -> dict[str, Any]:
    """`slices`: the scores of each kind that was asked for. `weak_slices`: what was found beside, by length, by words and by
    clusters of texts with similar words; nothing where no score is a mean over rows."""
    test = parts.scored_test
    kinds = given_kinds(task, parts)
    found: dict[str, Any] = {}
    if kinds:
        found["slices"] = scores_of_kinds(task, test, statistics, kinds, parts.config.data.time)
    scored = row_scores(statistics, task.scores, task.main)
    if scored is not None and not task.head.by_token:
        score, values = scored
        some = np.unique(np.linspace(0, len(test) - 1, min(len(test), MOST_LOOKED_AT)).astype(np.int64))
        test, values = test.take(some), values[some]
        kinds = {by: [of[i] for i in some] for by, of in kinds.items()}
        candidates = [
            *(Slice(by, name, np.array([kind == name for kind in of])) for by, of in kinds.items() for name in dict.fromkeys(of)),
            *_by_length(test),
            *_by_word_and_cluster(test),
        ]
        weak = weak_slices(values, candidates, test.group)
        n_looked_at = sum(FEWEST_ROWS <= one.rows.sum() <= MOST_SHARE * len(test) for one in candidates)
        found["weak_slices"] = {"score": score, "looked_at": int(n_looked_at), "found": [one.to_json() for one in weak]}
    return found


def _some(n: int) -> IntArray:
    """At most `MOST_VECTORS` places, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST_VECTORS)).astype(np.int64)) if n else np.zeros(0, dtype=np.int64)


def _by_length(test: Examples) -> list[Slice]:
    """Texts of about so many characters."""
    pairs = test.text_pair or [""] * len(test)
    lengths = np.array([len(text) + len(pair) for text, pair in zip(test.text, pairs, strict=True)])
    edges: list[int] = np.unique(np.quantile(lengths, LENGTHS).astype(np.int64)).tolist() if len(lengths) else []
    return [
        Slice("characters", f"{low} – {high}", (lengths >= low) & ((lengths < high) | (k == len(edges) - 2)))
        for k, (low, high) in enumerate(pairwise(edges))
    ]


def _by_word_and_cluster(test: Examples) -> list[Slice]:
    from scipy.sparse import csr_matrix

    n, index = len(test), TermIndex()
    terms = index.number(same_text_keys(test.text, test.text_pair))
    matrix = csr_matrix((np.ones(len(terms.values)), terms.values, terms.starts), shape=(n, max(1, len(index))))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    counts, names = np.asarray(matrix.sum(axis=0)).ravel(), index.names
    usable = [k for k in np.argsort(-counts, kind="stable") if FEWEST_ROWS <= counts[k] <= MOST_SHARE * n and _tells(names[k])]
    columns = matrix.tocsc()
    found = []
    for k in usable[:MOST_WORDS]:
        rows = np.zeros(n, dtype=bool)
        rows[columns.indices[columns.indptr[k] : columns.indptr[k + 1]]] = True
        found.append(Slice("word", names[k], rows))
    return [*found, *_by_cluster(matrix, names)]


def _tells(term: str) -> bool:
    return any(character.isalnum() for character in term)


def _by_cluster(matrix: Any, names: Sequence[str]) -> list[Slice]:
    """Texts with similar words, called by those that are more frequent there than elsewhere. What the model itself takes for
    similar would not do: texts that it is unsure of stand together there, whatever they are about.

    matrix: (n, terms) zeros and ones. Latent semantic analysis (Deerwester et al. 1990), then k-means.
    """
    from sklearn.cluster import KMeans
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize

    n = matrix.shape[0]
    some, width = _some(n), min(TOPICS, len(names) - 1)
    k = min(MOST_CLUSTERS, len(some) // ROWS_OF_CLUSTER)
    if k < 2 or width < 2:
        return []
    topics = TruncatedSVD(width, random_state=0).fit_transform(TfidfTransformer().fit_transform(matrix[some]))
    cluster = KMeans(k, n_init=1, random_state=0).fit_predict(normalize(topics))
    share = np.asarray(matrix[some].mean(axis=0)).ravel()
    telling = np.array([_tells(name) for name in names]) & (share < COMMON)
    found = []
    for c in range(k):
        rows = np.zeros(n, dtype=bool)
        rows[some[cluster == c]] = True
        more = np.where(telling, np.asarray(matrix[np.flatnonzero(rows)].mean(axis=0)).ravel() - share, -1)
        typical = np.argsort(-more, kind="stable")[:TYPICAL_WORDS]
        found.append(Slice("similar texts", ", ".join(names[term] for term in typical), rows))
    return found


def with_nearest_rows(errors: list[dict[str, Any]], model: Model, train: Examples) -> list[dict[str, Any]]:
    """Each error with the training rows that the model takes for most similar: `row`, `label` and `text`; of at most
    `MOST_VECTORS` rows, evenly spread."""
    if not errors:
        return errors
    learned = train.take(_some(len(train)))
    pairs = None if train.text_pair is None else [error["text_pair"] for error in errors]
    asked = Examples.of_texts([error["text"] for error in errors], pairs)
    places = nearest(vectors_of(model, asked), vectors_of(model, learned), NEAREST + 2)
    labels = model.task.spelled(learned).label or [""] * len(learned)

    def told(error: dict[str, Any], of: list[int]) -> list[dict[str, Any]]:
        others = [i for i in of if learned.text[i] != error["text"]][:NEAREST]  # with folds the model has learned from it, too
        return [{"row": int(learned.row[i]), "label": model.task.in_words(labels[i]), "text": learned.text[i]} for i in others]

    return [error | {"nearest": told(error, of)} for error, of in zip(errors, places.tolist(), strict=True)]


def weak_note(found: Mapping[str, Any]) -> str:
    """The surest of the slices that were found, in words."""
    weak = found["found"][0]
    kind = f"{weak['by']}: {weak['name']}"
    return f"Of {weak['n']} test texts ({kind}) {weak['inside']:.1%} are right, and {weak['elsewhere']:.1%} elsewhere"
