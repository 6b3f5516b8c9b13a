"""What is taken for what: a matrix, or the most frequent confusions where it would be too large."""

from __future__ import annotations

from typing import Any

MAX_MATRIX_CLASSES = 20
MOST_CONFUSIONS = 15


def confusion(metrics: dict[str, Any]) -> dict[str, Any]:
    """The matrix and the most frequent mistakes, from the cells [true class, predicted class, count]."""
    labels, cells = metrics["labels"], metrics["test"]["confusion"]
    return {"matrix": _matrix(labels, cells), "confusions": _most_frequent(labels, cells)}


def _matrix(labels: list[str], cells: list[list[int]]) -> dict[str, Any] | None:
    """The rows as (count, share of the true class, whether right), or None where it would be too large to read."""
    if len(labels) > MAX_MATRIX_CLASSES:
        return None
    counts = [[0] * len(labels) for _ in labels]
    for true, said, count in cells:
        counts[true][said] = count
    rows = []
    for i, (label, row) in enumerate(zip(labels, counts, strict=True)):
        total = max(1, sum(row))
        rows.append((label, [(count, count / total, i == j) for j, count in enumerate(row)]))
    return {"labels": labels, "rows": rows}


def _most_frequent(labels: list[str], cells: list[list[int]]) -> list[tuple[str, str, int]]:
    """(true class, prediction, count)."""
    pairs = [(labels[true], labels[said], count) for true, said, count in cells if true != said]
    return sorted(pairs, key=lambda pair: -pair[2])[:MOST_CONFUSIONS]
