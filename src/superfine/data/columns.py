"""Which column is the text, which the label: found by name and content, or as the user says."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from superfine.data.labels import visible
from superfine.data.preparation import SEPARATOR, Join, Redact, Step
from superfine.data.table import Table, listed
from superfine.data.times import begins_with_times
from superfine.errors import DataError
from superfine.names import did_you_mean
from superfine.records import Examples

LABEL_NAMES = (
    "label",
    "labels",
    "entities",
    "spans",
    "ner",
    "ents",
    "gold_label",
    "annotation",
    "sentiment",
    "class",
    "category",
    "target",
    "topic",
    "intent",
    "emotion",
    "polarity",
    "is_duplicate",
    "rating",
    "stars",
    "标签",
    "类别",
    "情感",
    "主题",
    "分类",
)
TEXT_NAMES = (
    "text",
    "review",
    "sentence",
    "content",
    "comment",
    "body",
    "message",
    "tweet",
    "question",
    "document",
    "question1",
    "sentence1",
    "text_a",
    "text1",
    "premise",
    "文本",
    "内容",
    "评论",
    "正文",
)
SECOND_TEXTS = ("text_pair", "question2", "sentence2", "text_b", "text2", "hypothesis", "answer", "passage", "context")
OF_DISTRIBUTIONS = ("p:", "label.", "labels.", "votes.", "probabilities.", "scores.")
"""How the names of columns begin that say with which probability, or by how many votes, a text is of a class: as predictions are
written, and as values inside a label of JSON are read."""
ON, OFF = ("1", "1.0", "true", "yes", "是"), ("0", "0.0", "false", "no", "否")
"""What a column with one label says of texts that have it, and of those that have not, in lower case."""
PROSE = 15
"""Characters of the values of a column, on average, from which on they look like texts."""
NUMBER = re.compile(r"-?[0-9]*[.,]?[0-9]+(e[+-]?[0-9]+)?%?|nan|null|none", re.IGNORECASE)
"""What is meant for a number, whether or not it can be read."""
MAX_CLASSES_SHARE = 0.5
"""A column in which more than half of the values are different is no label."""


@dataclass(frozen=True)
class ColumnChoice:
    """The columns that are read, and whether they were found or named. left_out: others that look like texts.
    other_labels: others that look like labels, where the label was found. separator: between several texts that are joined.
    redacts: whether personal data is replaced."""

    text: tuple[str, ...]
    text_pair: str | None
    label: tuple[str, ...]
    group: str | None
    found: bool
    left_out: tuple[str, ...] = ()
    other_labels: tuple[str, ...] = ()
    weight: str | None = None
    separator: str = SEPARATOR
    redacts: bool = False

    @property
    def steps(self) -> list[Step]:
        """What is done to the cells of a row before they are one text."""
        return [*([] if self.join is None else [self.join]), *([Redact()] if self.redacts else [])]

    @property
    def join(self) -> Join | None:
        """How several text columns become one text; None where there is one."""
        return Join(columns=self.text, separator=self.separator) if len(self.text) > 1 else None

    def describe(self) -> str:
        parts = [f"text = {' + '.join(self.text)}"]
        if self.text_pair:
            parts.append(f"text_pair = {self.text_pair}")
        if self.label:
            parts.append(f"label = {' + '.join(self.label)}")
        if self.group:
            parts.append(f"group = {self.group}")
        if self.weight:
            parts.append(f"weight = {self.weight}")
        return ", ".join(parts) + (" (found by content)" if self.found else "")


def choose_columns(
    table: Table,
    text: Sequence[str] | None = None,
    text_pair: str | None = None,
    label: Sequence[str] | None = None,
    group: str | None = None,
    weight: str | None = None,
    *,
    needs_label: bool = True,
    time: str | None = None,
) -> ColumnChoice:
    """Match what was named against the table, and find the rest. time: a column of times, which is not looked at for labels.

    Raises DataError that lists the columns when a named one is absent or nothing looks like text or label.
    """
    _refuse_doubled([*(text or []), text_pair, *(label or []), group, weight])
    texts = tuple(_named(table, name) for name in text) if text else ()
    pair = _named(table, text_pair) if text_pair is not None else None
    grouped = _named(table, group) if group is not None else None
    labelled = tuple(_named(table, name) for name in label) if label and (needs_label or has_columns(table, label)) else ()
    found = not texts or (needs_label and not labelled)
    weighted = _named(table, weight) if weight is not None else None
    timed = {name for name in table.columns if time is not None and name.casefold() == time.strip().casefold()}
    taken = {*texts, pair, grouped, weighted, *(name for name in timed if begins_with_times(table.columns[name]))}
    if not labelled and needs_label:
        labelled = _find_labels(table, [c for c in table.columns if c not in taken])
    left_out: tuple[str, ...] = ()
    if not texts:
        taken |= {*labelled}
        texts = (_find_text(table, [c for c in table.columns if c not in taken]),)
        left_out = _other_texts(table, [c for c in table.columns if c not in {*taken, *texts}], texts[0]) if needs_label else ()
    others = (
        ()
        if label or not needs_label
        else _other_labels(table, [c for c in table.columns if c not in {*taken, *texts, *labelled}])
    )
    return ColumnChoice(texts, pair, labelled, grouped, found, left_out, others, weighted)


def _refuse_doubled(named: Sequence[str | None]) -> None:
    names = [name.strip().casefold() for name in named if name is not None]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(
            f'The column "{doubled[0]}" is named for two purposes.',
            "Text, text pair, label, group and weight must be different columns.",
        )


def has_columns(table: Table, names: Sequence[str]) -> bool:
    """Whether the table has all these columns, whatever their case."""
    folded = {column.casefold() for column in table.columns}
    return all(name.strip().casefold() in folded for name in names)


def _named(table: Table, name: str) -> str:
    if name.strip() in table.columns:
        return name.strip()
    folded = {column.casefold(): column for column in table.columns}
    if name.strip().casefold() in folded:
        return folded[name.strip().casefold()]
    raise DataError(
        f'{table.source} has no column "{name}".{did_you_mean(name, table.columns)}',
        f"Its columns are: {listed(table.columns)}.",
    )


def _other_texts(table: Table, candidates: list[str], text: str) -> tuple[str, ...]:
    """Columns that could be texts as well: named as a second one, or with values as long and as different as the text's."""
    enough = max(PROSE, _mean_length(table.columns[text]) / 4)
    return tuple(
        name
        for name in candidates
        if name.casefold() in SECOND_TEXTS
        or (
            _mean_length(table.columns[name]) >= enough
            and _different_share(table.columns[name]) > MAX_CLASSES_SHARE
            and any(" " in value or not value.isascii() for value in table.columns[name][:200])
        )
    )


def _other_labels(table: Table, candidates: list[str]) -> tuple[str, ...]:
    """Columns with few different values, which could be labels as well."""
    return tuple(name for name in candidates if _repeats(table.columns[name]))


def _repeats(values: list[str]) -> bool:
    """Whether there are several different values, and few of them."""
    return len(set(values)) > 1 and _different_share(values) <= MAX_CLASSES_SHARE


def _mean_length(values: list[str]) -> float:
    return float(np.mean([len(v) for v in values[:5000]])) if values else 0.0


def _different_share(values: list[str]) -> float:
    filled = [v for v in values if v.strip()]
    return len(set(filled)) / len(filled) if filled else 0.0


def _by_name(candidates: Sequence[str], names: Sequence[str]) -> str | None:
    folded = {candidate.casefold(): candidate for candidate in candidates}
    return next((folded[name] for name in names if name in folded), None)


def _refuse_one_column(table: Table) -> None:
    if len(table.columns) == 1:
        only = next(iter(table.columns))
        raise DataError(
            f'{table.source} has a single column, "{only}".',
            "Text and label are two columns. Name the character between them with --delimiter.",
        )


def _find_text(table: Table, candidates: list[str]) -> str:
    """The column with a usual name if its values read like text, else the one with the longest values."""
    wordy = [c for c in candidates if any(ch.isalpha() for v in table.columns[c][:200] for ch in v)]
    named = _by_name(candidates, TEXT_NAMES)
    if not wordy and named and any(value.strip() for value in table.columns[named]):
        return named  # of emoji or digits alone, but called text
    if not wordy:
        _refuse_one_column(table)
        raise DataError(
            f"No column of {table.source} that is not named otherwise looks like text (letters are looked for).",
            f"Name it with --text. Columns: {listed(table.columns)}.",
        )
    usual = _by_name(wordy, TEXT_NAMES)
    return usual or max(wordy, key=lambda c: _mean_length(table.columns[c]))


def _are_mostly_numbers(values: Sequence[str]) -> bool:
    filled = [value.strip() for value in values if value.strip()]
    return 2 * sum(NUMBER.fullmatch(value) is not None for value in filled) >= len(filled)


def is_switch(values: Sequence[str]) -> bool:
    """Whether a column only says yes or no, as 0 and 1 or in words."""
    different = {value.strip().casefold() for value in set(values)} - {""}
    return different <= {*ON, *OFF} and not different.isdisjoint(ON) and not different.isdisjoint(OFF)


def _find_labels(table: Table, candidates: list[str]) -> tuple[str, ...]:
    """The column with a usual name; else several that only say yes or no, as many labels as there are; else the one with the
    fewest different values (two at least, and seldom unique)."""
    usual = _by_name(candidates, LABEL_NAMES)
    if usual:
        return (usual,)
    for prefix in OF_DISTRIBUTIONS:
        shares = [name for name in candidates if name.startswith(prefix)]
        # One cell that is no number is told with its row, and costs no class.
        if len(shares) > 1 and all(_are_mostly_numbers(table.columns[name]) for name in shares):
            return tuple(shares)
    switches = [name for name in candidates if is_switch(table.columns[name])]
    if len(switches) > 1:
        return tuple(switches)
    repeated = [name for name in candidates if _repeats(table.columns[name])]
    if not repeated or len(candidates) < 2:
        _refuse_one_column(table)
        raise DataError(
            f"No column of {table.source} that is not named otherwise looks like a label.",
            f"Name it with --label. Columns: {listed(table.columns)}.",
        )
    return (min(repeated, key=lambda c: (len(set(table.columns[c])), _mean_length(table.columns[c]))),)


@dataclass(frozen=True)
class Dropped:
    """Rows that could not be used, by reason, as row numbers of the user's file."""

    without_text: tuple[int, ...] = ()
    without_label: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.without_text) + len(self.without_label)

    def to_json(self) -> dict[str, object]:
        return {
            "count": len(self),
            "without_text": list(self.without_text),
            "without_label": list(self.without_label),
        }


def _labels(columns: Mapping[str, list[str]], names: Sequence[str]) -> list[str]:
    """The label of each row; of several columns a JSON object with the value of each."""
    read = [_visible(columns[name]) for name in names]
    if len(names) == 1:
        return read[0]
    return [json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) for values in zip(*read, strict=True)]


def _visible(values: list[str]) -> list[str]:
    # What stands in a list or an object is read by the task, with the text that it belongs to.
    seen = {value: value.strip() if value.lstrip()[:1] in ("[", "{") else visible(value) for value in set(values)}
    return [seen[value] for value in values]


def _refuse_nested(table: Table, choice: ColumnChoice, *, lists: bool) -> None:
    read = (*choice.text, choice.text_pair, choice.group, *(() if lists else choice.label))
    found = next((name for name in read if name in table.nested), None)
    if found is not None:
        raise DataError(
            f'{table.source}: the column "{found}" has values that hold several: {table.nested[found]}.',
            "A text or a class is one value. Name another column, or keep the rows that have one.",
        )


def label_values(table: Table, choice: ColumnChoice) -> list[str]:
    """The label of each row as one sees it; of several columns a JSON object with the value of each."""
    return _labels(table.columns, choice.label) if choice.label else []


def _weights(table: Table, name: str) -> list[float]:
    """Raises DataError for what is no number from 0 on, with its row."""
    found: list[float] = []
    for row, cell in zip(table.row.tolist(), table.columns[name], strict=True):
        try:
            value = float(cell)
        except ValueError:
            value = -1.0
        if not (math.isfinite(value) and value >= 0):
            raise DataError(
                f'{table.source}: row {row} has the weight "{cell}" in the column "{name}".', "A weight is a number, 0 or more."
            )
        found.append(value)
    if found and not any(found):
        raise DataError(f'{table.source}: every weight in the column "{name}" is 0.', "Is it the right column?")
    return found


def to_examples(
    table: Table, choice: ColumnChoice, *, keep_all: bool = False, keep_unlabelled: bool = False, lists: bool = False
) -> tuple[Examples, Dropped]:
    """Rows with a text (and a label, where one is read) as examples, and the rows that have none.

    `keep_all` keeps rows without text or label, for test and prediction: they can be predicted, if not scored. keep_unlabelled:
    no label is an answer too. lists: a label may hold several values.
    """
    columns = table.columns
    _refuse_nested(table, choice, lists=lists)
    text = columns[choice.text[0]] if choice.join is None else choice.join.texts(columns)
    everything = Examples(
        row=table.row,
        text=text,
        text_pair=columns[choice.text_pair] if choice.text_pair else None,
        label=_labels(columns, choice.label) if choice.label else None,
        group=columns[choice.group] if choice.group else None,
        weight=_weights(table, choice.weight) if choice.weight else None,
        source=table.source,
        columns=columns,
        text_columns=() if choice.join is None else choice.text,
        column_starts=None if choice.join is None else choice.join.starts(columns),
    )
    if keep_all:
        return everything, Dropped()
    has_text = np.array([bool(t.strip()) for t in text], dtype=bool)
    needed = everything.label is not None and not keep_unlabelled
    has_label = np.array([bool(v) for v in everything.label or []], dtype=bool) if needed else np.ones(len(text), bool)
    dropped = Dropped(tuple(table.row[~has_text].tolist()), tuple(table.row[has_text & ~has_label].tolist()))
    if not len(dropped):
        return everything, dropped
    return everything.take(np.flatnonzero(has_text & has_label)), dropped
