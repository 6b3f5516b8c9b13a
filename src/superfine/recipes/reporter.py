"""What a recipe tells while it works. The silent reporter is the default; the command line has one that prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from superfine.records import Finding

if TYPE_CHECKING:
    from superfine.training.loop import EpochRecord


class Reporter:
    """Is told what happens and says nothing. Subclasses override what they want to show."""

    def stage(self, name: str) -> None:
        """A stage of the work begins: "reading", "encoding", ..."""

    def progress(self, done: int, total: int) -> None:
        """`done` of `total` texts (or bytes) of the stage are through; the last call of a stage has both equal."""

    def progress_ends(self) -> None:
        """The stage ends, whether it was done or failed."""

    def note(self, message: str) -> None:
        """A choice or a fact the user should know."""

    def findings(self, findings: Sequence[Finding]) -> None:
        """What the checks found in the data."""

    def training_starts(self, n_steps: int, done: int, seconds: float, chosen_by: str, limit: float | None = None) -> None:
        """Training begins with step `done` of `n_steps`, should take about `seconds`, and chooses the epoch by that score.

        limit: seconds after which it ends, whatever is done by then; None where it has the time it needs.
        """

    def on_step(self, step: int, n_steps: int, loss: float, texts: int, tokens: int) -> None:
        """A step is done."""

    def on_epoch(self, record: EpochRecord, is_kept: bool) -> None:
        """A validation is done."""

    def interrupted(self) -> None:
        """Ctrl-C was pressed; the run ends after this step."""

    def training_ends(self) -> None:
        """Training is over."""

    def result(self, metrics: dict[str, Any], folder: str) -> None:
        """Everything is written."""


class Counter:
    """Adds up what is done of a stage: `counter(32)` after 32 more texts."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter, self._total, self._done = reporter, total, 0

    def __call__(self, n: int) -> None:
        self._done += n
        self._reporter.progress(self._done, self._total)
