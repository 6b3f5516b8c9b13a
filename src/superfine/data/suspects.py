"""Rows whose label may be wrong, as one table that a person can go through: `suspects.csv`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from superfine.data.checks.inspection import Inspection
from superfine.data.read import read_table
from superfine.data.table import listed
from superfine.data.write import write_table
from superfine.errors import DataError
from superfine.language import translate

SUSPECTS = "suspects.csv"


class Suspect(NamedTuple):
    """row: in the user's file. suggested: the label that it may have instead, "" where nothing suggests one. score: how sure that
    is, from 0 to 1. reason: in words. file: in which the row stands."""

    row: int
    text: str
    label: str
    suggested: str
    score: float
    reason: str
    file: str = ""


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
            score = most / len(members)
            found.append(Suspect(int(train.row[i]), train.text[i], train.label[i], suggested, score, reason, train.source))
    return found


def write_suspects(path: Path, suspects: Iterable[Suspect], language: str = "en") -> None:
    """As CSV or JSON Lines, reasons in that language."""
    rows = list(suspects)
    columns: dict[str, list[str]] = {
        "row": [str(one.row) for one in rows],
        "text": [one.text for one in rows],
        "label": [one.label for one in rows],
        "suggested_label": [one.suggested for one in rows],
        "score": [f"{one.score:.4f}" for one in rows],
        "reason": [translate(one.reason, language) for one in rows],
        "file": [Path(one.file).name for one in rows],
    }
    write_table(path, columns)


def read_suspects(path: Path) -> list[Suspect]:
    """A table as `write_suspects` writes it, which a person may have gone through. Raises DataError that names the row which is
    none."""
    table = read_table(path)
    lacking = [name for name in ("row", "text", "suggested_label") if name not in table.columns]
    if lacking:
        raise DataError(
            f"{path} is no table of suspects: it has no column {', '.join(lacking)}.",
            f"Its columns are: {listed(table.columns)}.",
        )
    found = []
    columns = {name: table.columns.get(name) or [""] * len(table) for name in (*table.columns, "label", "file")}
    for i, line in enumerate(table.row.tolist()):
        row, score = columns["row"][i].strip(), columns["score"][i] if "score" in columns else ""
        if not row.isdigit() or int(row) < 1:
            raise DataError(f'{path}, row {line}: "{row[:40]}" is no number of a row.', "Leave the column as it was written.")
        said = columns["suggested_label"][i].strip()
        found.append(Suspect(int(row), columns["text"][i], columns["label"][i], said, _number(score), "", columns["file"][i]))
    return found


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0
