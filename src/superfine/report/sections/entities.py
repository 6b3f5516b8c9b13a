"""Spans marked in their texts: what was there, and what the model says."""

from __future__ import annotations

from typing import Any

MOST_CHARACTERS = 600


def entities(metrics: dict[str, Any]) -> dict[str, Any]:
    """Each text twice, cut into runs (text, type or "", whether it is wrong): the true spans and those that are said."""
    labels, test = metrics["labels"], metrics["test"]
    texts = []
    for one in test["marked"]:
        true, said = one["true"], one["said"]
        texts.append(
            {
                "row": one["row"],
                "true": _runs(one["text"], true, said, labels),
                "said": _runs(one["text"], said, true, labels),
                "is_right": true == said,
            }
        )
    return {"texts": texts, "per_text": test["spans_per_text"]}


def _runs(text: str, spans: list[list[int]], others: list[list[int]], labels: list[str]) -> list[tuple[str, str, bool]]:
    runs, at = [], 0
    for start, end, label in spans:
        if start >= MOST_CHARACTERS:
            break
        runs += [(text[at:start], "", False), (text[start:end], labels[label], [start, end, label] not in others)]
        at = end
    rest = text[at : max(at, MOST_CHARACTERS)]
    return [run for run in [*runs, (rest + ("…" if len(text) > at + len(rest) else ""), "", False)] if run[0]]
