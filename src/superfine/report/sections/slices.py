"""Kinds of test texts: those that were asked for with their scores, and those that are answered worse than the others."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from superfine.metrics import title_of


def slices(metrics: dict[str, Any]) -> dict[str, Any]:
    """given: (by, rows) of the kinds that were asked for; names: their scores. weak: the kinds that were found; looked_at: among
    how many; score: by which."""
    test, names = metrics["test"], [metrics["main"], *metrics["shown"]["headline"]]
    given = [(by, list(rows)) for by, rows in groupby(test.get("slices", []), key=lambda one: one["by"])]
    every = [row for _, rows in given for row in rows]
    weak = test.get("weak_slices", {"found": [], "looked_at": 0, "score": metrics["main"]})
    return {
        "given": given,
        "names": [name for name in dict.fromkeys(names) if all(name in row for row in every)][:2] if every else [],
        "weak": weak["found"],
        "looked_at": weak["looked_at"],
        "score": title_of(weak["score"]).short,
    }
