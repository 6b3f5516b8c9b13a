"""The nouns that travel through the house, without torch: tables of columns, not lists of objects.

examples → answers → statistics → evaluations; findings; what the rooms expect of each other in protocols
"""

from superfine.records.answers import NONE, Answers, Choices, Sets, Spans, Values
from superfine.records.arrays import FloatArray, IntArray
from superfine.records.computation import BundlePrecision, Precision, WindowPooling
from superfine.records.examples import Examples
from superfine.records.extractive import Extracted
from superfine.records.findings import Finding, Severity
from superfine.records.heads import Activation, Head, ProblemType, Read
from superfine.records.protocols import Predictor
from superfine.records.ragged import IGNORED, Ragged
from superfine.records.statistics import (
    SHARE,
    UNBOUNDED,
    Bounds,
    Count,
    Evaluation,
    Function,
    Interval,
    Mean,
    Ranking,
    Ratio,
    Score,
    Statistics,
    Terms,
    Totals,
    bounds_of,
    weighted_sum,
)

__all__ = [
    "IGNORED", "NONE", "SHARE", "UNBOUNDED", "Activation", "Answers", "Bounds", "BundlePrecision", "Choices", "Count",
    "Evaluation", "Examples", "Extracted", "Finding", "FloatArray", "Function", "Head", "IntArray", "Interval", "Mean",
    "Precision", "Predictor", "ProblemType", "Ragged", "Ranking", "Ratio", "Read", "Score", "Sets", "Severity", "Spans",
    "Statistics", "Terms", "Totals", "Values", "WindowPooling", "bounds_of", "weighted_sum",
]  # fmt: skip
