"""A reporter that also tells trackers: loss by step, validation by epoch, the scores of the test part at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from superfine.config import RunConfig
from superfine.errors import SuperfineError, first_line
from superfine.recipes.reporter import Reporter
from superfine.recipes.tracking import TRACKERS
from superfine.records import Finding

if TYPE_CHECKING:
    from superfine.training.loop import EpochRecord


class Tracker(Protocol):
    """What stands behind a name in TRACKERS."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None: ...
    def log(self, values: Mapping[str, float], step: int) -> None: ...
    def close(self, summary: Mapping[str, float]) -> None: ...


@contextmanager
def tracked(reporter: Reporter, config: RunConfig, folder: Path) -> Iterator[Reporter]:
    """A reporter that tells the trackers of `config.track` as well; they are closed however the run ends.

    A tracker that fails (a server that is gone, a full disk) is left out from then on, which is said; the run goes on.
    """
    if not config.track:
        yield reporter
        return
    hearing = _Tracked(reporter)
    settings = flat(config.model_dump(mode="json"))
    for name in config.track:
        with hearing.leaving_out(name):
            hearing.trackers[name] = TRACKERS.load(name)(folder, settings)
    try:
        yield hearing
    finally:
        for name, tracker in list(hearing.trackers.items()):
            with hearing.leaving_out(name):
                tracker.close(hearing.summary)


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """`{"training": {"epochs": 3}}` as `{"training.epochs": "3"}`."""
    values: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[f"{prefix}{key}"] = str(value)
    return values


class _Tracked(Reporter):
    def __init__(self, inner: Reporter) -> None:
        self.inner = inner
        self.trackers: dict[str, Tracker] = {}
        self.summary: dict[str, float] = {}
        self._step = 0
        self._chosen_by = "score"

    @contextmanager
    def leaving_out(self, name: str) -> Iterator[None]:
        """What the tracker raises inside is said, and it is told nothing more."""
        try:
            yield
        except SuperfineError:  # not installed, no such name
            raise
        except Exception as error:  # what a service of somebody else's raises is not known beforehand
            self.trackers.pop(name, None)
            self.inner.note(f"The tracker {name} failed and is told nothing more: {first_line(error)}")

    def _log(self, values: Mapping[str, float]) -> None:
        for name, tracker in list(self.trackers.items()):
            with self.leaving_out(name):
                tracker.log(values, self._step)

    def on_step(self, step: int, n_steps: int, loss: float, texts: int, tokens: int) -> None:
        self._step = step
        self._log({"train/loss": loss})
        self.inner.on_step(step, n_steps, loss, texts, tokens)

    def on_epoch(self, record: EpochRecord, is_kept: bool) -> None:
        self._log({"validation/loss": record.loss, f"validation/{self._chosen_by}": record.score, "epoch": record.epoch + 1})
        self.inner.on_epoch(record, is_kept)

    def result(self, metrics: dict[str, Any], folder: str) -> None:
        self.summary = {
            f"test/{name}": score["value"]
            for name, score in metrics["test"].items()
            if isinstance(score, dict) and "value" in score
        }
        self.inner.result(metrics, folder)

    def stage(self, name: str) -> None:
        self.inner.stage(name)

    def progress(self, done: int, total: int) -> None:
        self.inner.progress(done, total)

    def progress_ends(self) -> None:
        self.inner.progress_ends()

    def note(self, message: str) -> None:
        self.inner.note(message)

    def findings(self, findings: Sequence[Finding]) -> None:
        self.inner.findings(findings)

    def training_starts(self, n_steps: int, done: int, seconds: float, chosen_by: str, limit: float | None = None) -> None:
        self._chosen_by = chosen_by
        self.inner.training_starts(n_steps, done, seconds, chosen_by, limit)

    def interrupted(self) -> None:
        self.inner.interrupted()

    def training_ends(self) -> None:
        self.inner.training_ends()
