"""Tables of statistics for tests: from true and predicted classes, or from probabilities."""

import numpy as np

from superfine.records import Choices, Examples
from superfine.tasks.classification import Classification


def table(true, said, k: int | None = None, sharpness: float = 0.8):
    """The statistics and the scores of a classification. said: (n,) classes, or (n, K) probabilities."""
    true, said = np.asarray(true), np.asarray(said)
    if said.ndim == 1:
        k = k or int(max(true.max(), said.max())) + 1
        probabilities = np.full((len(said), k), (1 - sharpness) / max(1, k - 1))
        probabilities[np.arange(len(said)), said] = sharpness
    else:
        probabilities = said
    labels = tuple(f"class {i:04d}" for i in range(probabilities.shape[1]))
    task = Classification(labels)
    rows = np.arange(1, len(true) + 1)
    examples = Examples(row=rows, text=[""] * len(true), label=[labels[i] for i in true])
    return task.statistics(examples, Choices(rows, labels, probabilities)), task.scores
