"""What the checks look at: the parts of the data, their normalised texts, and how they tokenise."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from superfine.data.checks import CHECKS
from superfine.data.clean import same_text_keys
from superfine.data.columns import ColumnChoice
from superfine.data.encoded import Encoded
from superfine.records import Examples, Finding

MAX_ROWS = 50
"""A finding lists at most so many row numbers."""
MAX_TEXTS, MAX_CHARACTERS = 3, 120
"""It shows the beginnings of so many texts, of so many characters each."""


@dataclass(frozen=True)
class Reading:
    """Which columns were read, under the names of a header or without one, and of n_read rows how many have no text or label."""

    columns: ColumnChoice
    has_header: bool = True
    n_read: int = 0
    n_left_out: int = 0


@dataclass(frozen=True)
class Inspection:
    """train: the rows that are learned from. validation: those that choose by. test: those that are scored.

    encoded: the training rows as the tokens of `model`, at most `max_length` of each. cleans: whether texts are cleaned first.
    reading: how the training file was read, where it was a file. has_classes: whether labels are names of classes, so that they
    can be counted and can contradict each other.
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
        if self.validation is not None:
            known |= set(same_text_keys(self.validation.text, self.validation.text_pair))
        return [i for i, key in enumerate(self.test_keys) if key in known]

    @cached_property
    def leaked_groups(self) -> list[int]:
        """Positions in the test part of rows whose group also has rows that the model learns from or is chosen by."""
        parts = [part for part in (self.train, self.validation) if part is not None]
        if self.test is None or self.test.group is None:
            return []
        known = {group.strip() for part in parts for group in part.group or []} - {""}
        return [i for i, group in enumerate(self.test.group) if group.strip() in known]


def finding(name: str, severity: str, positions: list[int], examples: Examples, message: str, advice: str = "") -> list[Finding]:
    """One finding about the examples at `positions`, or none where there are none."""
    if not positions:
        return []
    rows = tuple(int(examples.row[i]) for i in positions[:MAX_ROWS])
    texts = tuple(_beginning(examples.text[i]) for i in positions[:MAX_TEXTS])
    share = len(positions) / max(1, len(examples))
    return [Finding(name, severity, len(positions), share, rows, message, advice, texts)]  # type: ignore[arg-type]


def _beginning(text: str) -> str:
    """Its first words, in one line."""
    line = " ".join(text[: 2 * MAX_CHARACTERS].split())
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…"


def run_checks(inspection: Inspection) -> list[Finding]:
    """Every finding of every check, the gravest first."""
    order = {"blocking": 0, "warning": 1, "note": 2}
    findings = [found for name in CHECKS for found in CHECKS.load(name)(inspection)]
    return sorted(findings, key=lambda found: order[found.severity])


def label_counts(examples: Examples) -> dict[str, int]:
    """Class sizes, largest first."""
    counts = Counter(examples.label or [])
    return {name: counts[name] for name in sorted(counts, key=lambda name: (-counts[name], name))}
