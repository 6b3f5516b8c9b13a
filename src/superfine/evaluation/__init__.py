"""Honest scores: an evaluation with intervals, paired comparisons, and baselines to stand beside."""

from superfine.names import NameTable

BASELINES = NameTable(
    "baseline",
    {
        "majority": "superfine.evaluation.baselines:Majority",
        "tfidf": "superfine.evaluation.baselines:Tfidf",
    },
)
"""A baseline provides `fit(examples, targets, class_names) -> Predictor`, with a `title` for tables and sentences."""
