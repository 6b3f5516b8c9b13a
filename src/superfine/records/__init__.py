"""The nouns that travel through the house, without torch: tables of columns, not lists of objects.

examples → answers → statistics → evaluations; findings; what the rooms expect of each other in protocols
"""

from superfine.records.answers import NONE, Answers, Choices, Sets, Values
from superfine.records.arrays import FloatArray, IntArray
from superfine.records.examples import Examples
from superfine.records.findings import Finding, Severity
from superfine.records.heads import Activation, Head, ProblemType
from superfine.records.protocols import Predictor
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
    weighted_sum,
)

__all__ = [
    "NONE", "SHARE", "UNBOUNDED", "Activation", "Answers", "Bounds", "Choices", "Count", "Evaluation", "Examples", "Finding",
    "FloatArray", "Function", "Head", "IntArray", "Interval", "Mean", "Predictor", "ProblemType", "Ranking", "Ratio", "Score",
    "Sets", "Severity", "Statistics", "Terms", "Totals", "Values", "weighted_sum",
]  # fmt: skip
