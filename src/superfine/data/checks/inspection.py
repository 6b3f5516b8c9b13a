"""What the checks look at: the parts of the data, their normalised texts, and how they tokenise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from superfine.data.checks import BEFORE_TRAINING, CHECKS
from superfine.data.clean import same_text_keys
from superfine.data.columns import ColumnChoice
from superfine.data.encoded import Encoded
from superfine.data.near_duplicates import NearPairs, near_pairs
from superfine.data.table import BadRow
from superfine.data.terms import TermIndex
from superfine.data.two_samples import ToldApart, tell_apart
from superfine.records import Examples, Finding, IntArray, Ragged

MAX_ROWS = 50
"""A finding lists at most so many row numbers."""
MAX_TEXTS, MAX_CHARACTERS = 3, 120
"""It shows the beginnings of so many texts, of so many characters each."""
MOST_LOOKED_AT = 100_000


@dataclass(frozen=True)
class Reading:
    """Which columns were read, under the names of a header or without one, and of n_read rows how many have no text or label."""

    columns: ColumnChoice
    has_header: bool = True
    n_read: int = 0
    n_left_out: int = 0


class _Numbered(NamedTuple):
    """parts: (n,) the text of each row of training, validation and test. terms: the words of each text. names: of the words."""

    parts: list[IntArray]
    terms: Ragged
    names: list[str]


@dataclass(frozen=True)
class Inspection:
    """train: the rows that are learned from. validation: those that choose by. test: those that are scored.

    encoded: the training rows as the tokens of `model`, at most `max_length` of each. cleans: whether texts are cleaned first.
    reading: how the training file was read, where it was a file. has_classes: whether labels are names of classes, so that they
    can be counted and can contradict each other. test_is_given: as a part of its own, so that it can be of another kind.
    shares_contexts: whether many rows have the same second text. names_places: whether labels say where in a text they stand.
    bad_rows: records that cannot be read.
    """

    train: Examples
    validation: Examples | None = None
    test: Examples | None = None
    encoded: Encoded | None = None
    max_length: int = 0
    model: str = ""
    cleans: bool = True
    reading: Reading | None = None
    has_classes: bool = True
    test_is_given: bool = False
    shares_contexts: bool = False
    names_places: bool = False
    bad_rows: tuple[BadRow, ...] = ()

    @cached_property
    def train_keys(self) -> list[str]:
        return same_text_keys(self.train.text, self.train.text_pair)

    @cached_property
    def test_keys(self) -> list[str]:
        return [] if self.test is None else same_text_keys(self.test.text, self.test.text_pair)

    @cached_property
    def leaked(self) -> list[int]:
        """Positions in the test part of texts that the model learns from or is chosen by."""
        known = set(self.train_keys)
        known.update(self.validation_keys)
        return [i for i, key in enumerate(self.test_keys) if key in known]

    @cached_property
    def validation_keys(self) -> list[str]:
        return [] if self.validation is None else same_text_keys(self.validation.text, self.validation.text_pair)

    @cached_property
    def _numbered(self) -> _Numbered:
        """The different texts of all parts as numbers of their words."""
        place: dict[str, int] = {}
        parts = [
            np.fromiter((place.setdefault(key, len(place)) for key in keys), dtype=np.int64, count=len(keys))
            for keys in (self.train_keys, self.validation_keys, self.test_keys)
        ]
        terms = TermIndex()
        return _Numbered(parts, terms.number(place), terms.names)

    @property
    def term_names(self) -> list[str]:
        """The words that `train_terms` counts."""
        return self._numbered.names

    @cached_property
    def train_terms(self) -> Ragged:
        """(m,) int32 the words of each training text."""
        return self._numbered.terms.take(self._numbered.parts[0])

    @cached_property
    def test_terms(self) -> Ragged | None:
        return None if self.test is None else self._numbered.terms.take(self._numbered.parts[2])

    @cached_property
    def looked_at(self) -> IntArray:
        """Positions of the training rows, evenly spread, that are looked at where looking at all would take long."""
        n = len(self.train)
        return np.arange(n) if n <= MOST_LOOKED_AT else np.linspace(0, n - 1, MOST_LOOKED_AT).astype(np.int64)

    @cached_property
    def near(self) -> NearPairs:
        """Pairs of different texts that are nearly the same; none where it is their context that is."""
        terms = self._numbered.terms
        return near_pairs(terms.take(np.zeros(0, dtype=np.int64)) if self.shares_contexts else terms)

    @cached_property
    def near_repeated(self) -> dict[int, tuple[Examples, int]]:
        """Positions of training rows that are nearly the same as an earlier row, and which."""
        train = self._numbered.parts[0]
        earlier: dict[int, tuple[Examples, int]] = {}
        if not len(self.near.first):
            return earlier
        first_row = _first_positions(train, len(self._numbered.terms))
        known: dict[int, int] = {}
        for a, b in zip(self.near.first.tolist(), self.near.second.tolist(), strict=True):
            known.setdefault(b, a)  # texts are numbered as they come, so a stands before b
        for text, like in sorted(known.items()):
            row, other = int(first_row[text]), int(first_row[like])
            if row >= 0 and other >= 0:
                earlier[row] = self.train, other
        return earlier

    @cached_property
    def near_leaked(self) -> dict[int, tuple[Examples, int]]:
        """Positions in the test part of texts that are nearly, but not quite, the same as one that the model learns from or is
        chosen by, and which."""
        numbered = self._numbered
        n = len(numbered.terms)
        in_train, in_validation, in_test = (_first_positions(part, n) for part in numbered.parts)
        like: dict[int, tuple[Examples, int]] = {}
        for a, b in zip(self.near.first.tolist(), self.near.second.tolist(), strict=True):
            for known, tested in ((a, b), (b, a)):
                if in_test[tested] < 0 or in_train[tested] >= 0 or in_validation[tested] >= 0:
                    continue
                if in_train[known] >= 0:
                    like.setdefault(tested, (self.train, int(in_train[known])))
                elif in_validation[known] >= 0 and self.validation is not None:
                    like.setdefault(tested, (self.validation, int(in_validation[known])))
        return {i: like[text] for i, text in enumerate(numbered.parts[2].tolist()) if text in like}

    @cached_property
    def near_tested(self) -> dict[int, str]:
        """Positions of training rows that are nearly the same as a test text, and the beginning of that text."""
        numbered, n = self._numbered, len(self._numbered.terms)
        in_test = _first_positions(numbered.parts[2], n)
        like: dict[int, int] = {}
        for a, b in zip(self.near.first.tolist(), self.near.second.tolist(), strict=True):
            for known, tested in ((a, b), (b, a)):
                if in_test[tested] >= 0 and in_test[known] < 0:
                    like.setdefault(known, int(in_test[tested]))
        if self.test is None:
            return {}
        return {i: _beginning(self.test.text[like[text]]) for i, text in enumerate(numbered.parts[0].tolist()) if text in like}

    def example_of(self, near: Mapping[int, tuple[Examples, int]]) -> str:
        """A sentence that names the text that the first of them is like."""
        if not near:
            return ""
        examples, i = next(iter(near.values()))
        return f' The first is like row {int(examples.row[i])}: "{_beginning(examples.text[i])}".'

    @cached_property
    def told_apart(self) -> ToldApart | None:
        """How well test texts can be told from training texts, where the test part was given."""
        if self.test is None or not self.test_is_given:
            return None
        terms, (train, _, test) = self._numbered.terms, self._numbered.parts
        # A text that stands in both would be learned as one and scored as the other.
        of_train, of_test = np.setdiff1d(train, test), np.setdiff1d(test, train)
        return tell_apart(terms.take(of_train), terms.take(of_test), self.term_names)

    @cached_property
    def leaked_groups(self) -> list[int]:
        """Positions in the test part of rows whose group also has rows that the model learns from or is chosen by."""
        parts = [part for part in (self.train, self.validation) if part is not None]
        if self.test is None or self.test.group is None:
            return []
        known = {group.strip() for part in parts for group in part.group or []} - {""}
        return [i for i, group in enumerate(self.test.group) if group.strip() in known]


def finding(
    name: str,
    severity: str,
    positions: list[int],
    examples: Examples,
    message: str,
    advice: str = "",
    n_different: int | None = None,
) -> list[Finding]:
    """One finding about the examples at `positions`, or none where there are none. n_different: of different texts."""
    if not positions:
        return []
    rows = tuple(int(examples.row[i]) for i in positions[:MAX_ROWS])
    texts = tuple(_beginning(examples.text[i]) for i in positions[:MAX_TEXTS])
    share = len(positions) / max(1, len(examples))
    return [Finding(name, severity, len(positions), share, rows, message, advice, texts, n_different)]  # type: ignore[arg-type]


def _beginning(text: str) -> str:
    """Its first words, in one line."""
    line = " ".join(text[: 2 * MAX_CHARACTERS].split())
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…"


def run_checks(
    inspection: Inspection, names: Iterable[str] = BEFORE_TRAINING, on_check: Callable[[int], None] = lambda n: None
) -> list[Finding]:
    """Every finding of these checks, the gravest first. on_check is called with 1 after each."""
    findings: list[Finding] = []
    for name in names:
        findings += CHECKS.load(name)(inspection)
        on_check(1)
    return gravest_first(findings)


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    order = {"blocking": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda found: order[found.severity])


def _first_positions(texts: IntArray, n: int) -> IntArray:
    """(n,) where each text occurs first; -1 where it does not."""
    found = np.full(n, -1, dtype=np.int64)
    found[texts[::-1]] = np.arange(len(texts))[::-1]
    return found


def label_ids(labels: Sequence[str]) -> tuple[list[str], IntArray]:
    """The different labels in order, and (n,) which of them each is. An array of texts would be as wide as its longest."""
    names = sorted(set(labels))
    place = {name: i for i, name in enumerate(names)}
    return names, np.fromiter((place[label] for label in labels), dtype=np.int64, count=len(labels))


def label_counts(examples: Examples) -> dict[str, int]:
    """Class sizes, largest first."""
    counts = Counter(examples.label or [])
    return {name: counts[name] for name in sorted(counts, key=lambda name: (-counts[name], name))}
