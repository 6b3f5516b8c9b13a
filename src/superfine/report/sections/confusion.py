"""What is taken for what: a matrix, or the most frequent confusions where it would be too large."""

from __future__ import annotations

from typing import Any

import numpy as np

MOST_MATRIX_CLASSES = 50
MOST_CONFUSIONS = 40
FEWEST_SORTED = 5
"""Of fewer classes any order is easily read: that of the labels stays."""


def confusion(metrics: dict[str, Any]) -> dict[str, Any]:
    """The matrix and the most frequent mistakes, from the cells [true class, predicted class, count]."""
    labels, cells = metrics["labels"], metrics["test"]["confusion"]
    pairs = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: -cell[2])
    return {
        "matrix": _matrix(labels, cells, keeps_order=metrics["shown"]["ordered"]),
        "confusions": [(labels[true], labels[said], count, f"{true}-{said}") for true, said, count in pairs[:MOST_CONFUSIONS]],
        "n_pairs": len(pairs),
    }


def _matrix(labels: list[str], cells: list[list[int]], *, keeps_order: bool) -> dict[str, Any] | None:
    """The rows as (count, share of the true class, pair of ids, whether right), classes that are taken for each other side by
    side; None where there are too many to read."""
    if len(labels) > MOST_MATRIX_CLASSES:
        return None
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for true, said, count in cells:
        counts[true, said] = count
    order = range(len(labels)) if keeps_order or len(labels) < FEWEST_SORTED else _clustered(counts)
    rows = []
    for i in order:
        total = max(1, int(counts[i].sum()))
        row = [(int(counts[i, j]), int(counts[i, j]) / total, f"{i}-{j}", i == j) for j in order]
        rows.append((labels[i], int(counts[i].sum()), row))
    return {"labels": [labels[i] for i in order], "rows": rows}


def _clustered(counts: np.ndarray[Any, np.dtype[np.int64]]) -> list[int]:
    """An order of the classes in which those that are taken for each other stand together: average linkage over the share of
    confusions between two, leaves ordered so that neighbours are alike (Bar-Joseph, Gifford and Jaakkola 2001)."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alike = shares + shares.T
    distance = 1.0 / (1e-3 + alike)
    pairs = np.triu_indices(len(counts), 1)
    order: list[int] = leaves_list(linkage(distance[pairs], "average", optimal_ordering=True)).tolist()
    return order if order[0] <= order[-1] else order[::-1]
