"""Honest scores: an evaluation with intervals, and paired comparisons. Knows sums and rows, and nothing of what was learned."""

N_RESAMPLES = 1000
"""How often test rows, or groups of them, are drawn again for an interval, and swapped for a test."""
