"""Questions with the text that they are about, in which the true and the given answer are marked; and the score of each kind."""

from __future__ import annotations

from itertools import pairwise
from typing import Any


def extracts(metrics: dict[str, Any]) -> dict[str, Any]:
    """asked: questions, each with its text cut into runs (text, "" or "true" or "said" or "both")."""
    return {"asked": [one | {"runs": _runs(one)} for one in metrics["test"]["extracts"]]}


def _runs(one: dict[str, Any]) -> list[tuple[str, str]]:
    context, said = one["context"], one["said"]
    edges = {0, len(context), *(place for span in one["true"] for place in span), *(said or [])}
    runs = []
    for start, end in pairwise(sorted(place for place in edges if 0 <= place <= len(context))):
        is_true = any(a <= start and end <= b for a, b in one["true"])
        is_said = said is not None and said[0] <= start and end <= said[1]
        runs.append((context[start:end], "both" if is_true and is_said else "true" if is_true else "said" if is_said else ""))
    return runs
