"""The training table with what can be put right by rule, and a record of every change.

Texts that were misread are read again; spellings of one label become one; rows that a test part has, that stand twice, or that
contradict others are left out. Nothing that needs a judgement is changed by itself: suspects of wrong labels are relabelled where
somebody has gone through them and gives the table back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from superfine.data.checks.inspection import Inspection
from superfine.data.clean import same_text_keys
from superfine.data.labels import merge_key
from superfine.data.mojibake import repaired as read_again
from superfine.data.personal import redacted
from superfine.data.suspects import Suspect
from superfine.errors import DataError
from superfine.names import did_you_mean
from superfine.recipes.prepare import Parts
from superfine.records import Examples


@dataclass
class Repaired:
    """columns: those of the file, without the rows that are left out. changes: one row each, as columns."""

    columns: dict[str, list[str]]
    changes: dict[str, list[str]]
    counts: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


class _Log:
    """What was changed: the row in the file, the column (none where the row is left out), the finding, and both values."""

    def __init__(self, *, redact: bool) -> None:
        self._redact = redact
        self.changes: dict[str, list[str]] = {name: [] for name in ("row", "change", "column", "before", "after")}
        self.counts: Counter[str] = Counter()

    def add(self, row: int, change: str, column: str = "", before: str = "", after: str = "") -> None:
        if self._redact:
            before, after = redacted(before), redacted(after)
        for name, value in zip(self.changes, (str(row), change, column, before, after), strict=True):
            self.changes[name].append(value)
        self.counts[change] += 1


def repair(parts: Parts, inspection: Inspection, *, redact: bool, suspects: Sequence[Suspect] = ()) -> Repaired:
    """The rows of the training part that are left, repaired. redact: without personal data, which the record leaves out too.
    suspects: rows that get the label suggested there.

    Raises DataError for suspects that are no rows of this data, or for labels that it does not have.
    """
    train, log = parts.train, _Log(redact=redact)
    rows = train.row.tolist()
    columns = {name: list(values) for name, values in train.columns.items()}
    for row in parts.dropped["train"].without_text:
        log.add(row, "without_text")
    for row in parts.dropped["train"].without_label:
        log.add(row, "without_label")
    for bad in parts.bad_rows:
        log.add(bad.row, "broken_row", before=bad.begins)
    texts = [*parts.columns.text, *filter(None, (parts.columns.text_pair,))]
    if not (parts.task.head.by_token or parts.task.head.extractive):  # whose labels say where in the text they stand
        for name in texts:
            columns[name] = _texts(columns[name], rows, name, log, redact=redact)
    label = parts.columns.label[0] if len(parts.columns.label) == 1 else None
    if suspects:
        if label is None or not inspection.has_classes:
            raise DataError(
                f"{train.source} has no single column of classes that suspects could change.", "Leave out --suspects."
            )
        columns[label] = _relabelled(columns[label], suspects, train, label, log)
    if inspection.has_classes and label is not None:
        columns[label] = _one_spelling(columns[label], rows, label, log)
    left_out = _left_out(inspection, same_text_keys(columns[texts[0]]) if len(texts) == 1 else inspection.train_keys,
                         columns[label] if label is not None else train.label or [], log)  # fmt: skip
    kept = [i for i in range(len(rows)) if i not in left_out]
    return Repaired({name: [values[i] for i in kept] for name, values in columns.items()}, log.changes, log.counts)


def _relabelled(values: list[str], suspects: Sequence[Suspect], train: Examples, column: str, log: _Log) -> list[str]:
    """The labels with those that are suggested. Suspects of other files, and those without a suggestion, are passed over."""
    place, labels, changed = {row: i for i, row in enumerate(train.row.tolist())}, set(values), list(values)
    for suspect in suspects:
        if not suspect.suggested or (suspect.file and suspect.file != Path(train.source).name):
            continue
        i = place.get(suspect.row)
        if i is None or not _same_text(suspect.text, train.text[i]):
            raise DataError(
                f"--suspects: row {suspect.row} of {train.source} has another text than the suspect.",
                "Give the data that the suspects were found in, in its order.",
            )
        if suspect.suggested not in labels:
            raise DataError(
                f'--suspects: row {suspect.row} is to have the label "{suspect.suggested}", which {train.source} never has.'
                f"{did_you_mean(suspect.suggested, labels)}",
                "Write one of its labels, or leave the cell empty where the row is to stay as it is.",
            )
        if changed[i] != suspect.suggested:
            log.add(suspect.row, "relabelled", column, changed[i], suspect.suggested)
            changed[i] = suspect.suggested
    return changed


def _same_text(said: str, text: str) -> bool:
    """Whether a suspect's text is that of the row, as it is or without personal data."""
    return same_text_keys([said])[0] in same_text_keys([text, redacted(text)])


def _texts(values: list[str], rows: list[int], column: str, log: _Log, *, redact: bool) -> list[str]:
    """The cells of a column, read again where they were misread, and without personal data where that is wanted."""
    better = []
    for value, row in zip(values, rows, strict=True):
        text = read_again(value)
        if text != value:
            log.add(row, "encoding", column, value, text)
        without = redacted(text) if redact else text
        if without != text:
            log.add(row, "personal_data", column, after=without)
        better.append(without)
    return better


def _one_spelling(values: list[str], rows: list[int], column: str, log: _Log) -> list[str]:
    """Labels, each in the spelling that most rows have of it."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for value in values:
        counts[merge_key(value)][value] += 1
    usual = {key: spellings.most_common(1)[0][0] for key, spellings in counts.items()}
    for value, row in zip(values, rows, strict=True):
        if value != usual[merge_key(value)]:
            log.add(row, "label_spelling", column, value, usual[merge_key(value)])
    return [usual[merge_key(value)] for value in values]


def _left_out(inspection: Inspection, keys: list[str], labels: list[str], log: _Log) -> set[int]:
    """Positions of rows that the test part has too, that repeat another, or whose label most rows with the text do not have."""
    train, found = inspection.train, set[int]()
    tested = set(inspection.test_keys)
    near = inspection.near_tested
    by_text: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for key, label in zip(keys, labels, strict=True):
        by_text[key][label] += 1
    seen: dict[str, int] = {}
    for i, (key, label) in enumerate(zip(keys, labels, strict=True)):
        row, most = int(train.row[i]), by_text[key].most_common(2)
        if inspection.train_keys[i] in tested:
            log.add(row, "leak", before=train.text[i])
        elif i in near:
            log.add(row, "near_leak", before=train.text[i], after=near[i])
        elif len(most) > 1 and inspection.has_classes and (most[0][1] == most[1][1] or label != most[0][0]):
            log.add(row, "contradiction", before=label, after="" if most[0][1] == most[1][1] else most[0][0])
        elif key in seen and (len(most) == 1 or inspection.has_classes):
            log.add(row, "duplicate", before=train.text[i], after=f"row {seen[key]}")
        else:
            seen.setdefault(key, row)
            continue
        found.add(i)
    return found
