"""Honest scores: an evaluation with intervals, paired comparisons, and baselines to stand beside."""

from superfine.names import NameTable

BASELINES = NameTable(
    "baseline",
    {
        "majority": "superfine.evaluation.baselines:Majority",
        "tfidf": "superfine.evaluation.baselines:Tfidf",
    },
)
"""A baseline provides `fit(texts, labels, class_names) -> Predictor`."""

TITLES = {"majority": "majority class", "tfidf": "TF-IDF + logistic regression"}
"""The baselines' names in tables and sentences."""
