"""Texts that are nearly the same as others: in training and test, and within training."""

from __future__ import annotations

from superfine.data.checks.inspection import Inspection, finding
from superfine.data.near_duplicates import SIMILAR
from superfine.records import Finding


def near_leak(inspection: Inspection) -> list[Finding]:
    """Test texts that differ by a few words from one that training or the choice of the epoch has seen."""
    if inspection.test is None:
        return []
    rows, test = inspection.near_leaked, inspection.test
    return finding(
        "near_leak",
        "warning",
        list(rows),
        test,
        f"{len(rows)} of {len(test)} test texts are nearly the same as one in the training or validation part: at least "
        f"{SIMILAR:.0%} of words and pairs of words are shared.{inspection.example_of(rows)}",
        "Their score counts memory as skill, in part. Remove them from one of the two (--fix does it in training).",
    )


def near_duplicate(inspection: Inspection) -> list[Finding]:
    """Training texts that differ by a few words from an earlier one."""
    rows, train = inspection.near_repeated, inspection.train
    share = len(rows) / max(1, len(train))
    return finding(
        "near_duplicate",
        "warning" if share > 0.05 else "note",
        list(rows),
        train,
        f"{len(rows)} training rows are nearly the same as an earlier row: at least {SIMILAR:.0%} of words and pairs of words "
        f"are shared.{inspection.example_of(rows)}",
        "A random test part may hold their twins, and then scores too well. Split by source, or keep one of each.",
    )
