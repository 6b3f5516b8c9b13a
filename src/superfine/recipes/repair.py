"""The training table with what can be put right by rule, and a record of every change.

Texts that were misread are read again; spellings of one label become one; rows that a test part has, that stand twice, or that
contradict others are left out. Nothing that needs a judgement is changed: suspects of wrong labels are listed, not relabelled.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from superfine.data.checks.inspection import Inspection
from superfine.data.clean import same_text_keys
from superfine.data.labels import merge_key
from superfine.data.mojibake import repaired as read_again
from superfine.data.personal import redacted
from superfine.recipes.prepare import Parts


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


def repair(parts: Parts, inspection: Inspection, *, redact: bool) -> Repaired:
    """The rows of the training part that are left, repaired. redact: without personal data, which the record leaves out too."""
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
    if inspection.has_classes and label is not None:
        columns[label] = _one_spelling(columns[label], rows, label, log)
    left_out = _left_out(inspection, same_text_keys(columns[texts[0]]) if len(texts) == 1 else inspection.train_keys,
                         columns[label] if label is not None else train.label or [], log)  # fmt: skip
    kept = [i for i in range(len(rows)) if i not in left_out]
    return Repaired({name: [values[i] for i in kept] for name, values in columns.items()}, log.changes, log.counts)


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
