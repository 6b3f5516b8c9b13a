"""Rows whose label may be wrong, as one table that a person can go through: `suspects.csv`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from superfine.data.checks.inspection import Inspection
from superfine.data.write import write_table


class Suspect(NamedTuple):
    """row: in the user's file. suggested: the label that it may have instead, "" where nothing suggests one. score: how sure that
    is, from 0 to 1. reason: in words."""

    row: int
    text: str
    label: str
    suggested: str
    score: float
    reason: str


def contradictions(inspection: Inspection) -> list[Suspect]:
    """Training rows whose text stands elsewhere with another label, those of one text together."""
    train = inspection.train
    if not inspection.has_classes or not train.label:
        return []
    places: defaultdict[str, list[int]] = defaultdict(list)
    for i, key in enumerate(inspection.train_keys):
        places[key].append(i)
    found = []
    for members in places.values():
        counts = Counter(train.label[i] for i in members)
        if len(counts) < 2:
            continue
        (usual, most), (_, next_most) = counts.most_common(2)
        first = {train.label[i]: i for i in reversed(members)}
        for i in members:
            other = next(j for label, j in sorted(first.items(), key=lambda pair: pair[1]) if label != train.label[i])
            reason = f'row {int(train.row[other])} has the same text and the label "{train.label[other]}"'
            suggested = usual if most > next_most else ""
            found.append(Suspect(int(train.row[i]), train.text[i], train.label[i], suggested, most / len(members), reason))
    return found


def write_suspects(path: Path, suspects: Iterable[Suspect]) -> None:
    """As CSV or JSON Lines."""
    rows = list(suspects)
    columns: dict[str, list[str]] = {
        "row": [str(one.row) for one in rows],
        "text": [one.text for one in rows],
        "label": [one.label for one in rows],
        "suggested_label": [one.suggested for one in rows],
        "score": [f"{one.score:.4f}" for one in rows],
        "reason": [one.reason for one in rows],
    }
    write_table(path, columns)
