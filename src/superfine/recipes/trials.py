"""Trainings beside the one of a run: on some of its rows, without a fold, from another seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from superfine.recipes.encode import EncodedParts, encode_parts
from superfine.recipes.fine_tune import Opened, build_model, fine_tune
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request

if TYPE_CHECKING:
    from superfine.model import Model
    from superfine.training.loop import FitResult


class Briefly(Reporter):
    """Passes on how far a training is, and not what is said of it otherwise."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    def training_starts(self, n_steps: int, done: int, seconds: float, chosen_by: str, limit: float | None = None) -> None:
        self._reporter.training_starts(n_steps, done, seconds, chosen_by, limit)

    def on_step(self, step: int, n_steps: int, loss: float, texts: int, tokens: int) -> None:
        self._reporter.on_step(step, n_steps, loss, texts, tokens)

    def interrupted(self) -> None:
        self._reporter.interrupted()

    def training_ends(self) -> None:
        self._reporter.training_ends()


@dataclass(frozen=True)
class Trial:
    """A model that was trained, on what, and how that went."""

    model: Model
    encoded: EncodedParts
    result: FitResult

    @property
    def was_interrupted(self) -> bool:
        """Whether the user ended it before it was done."""
        return self.result.stopped == "interrupted"


def with_seed(parts: Parts, seed: int) -> Parts:
    """The same rows for a training from another seed."""
    return replace(parts, config=parts.config.model_copy(update={"seed": seed}))


def run_trial(opened: Opened, parts: Parts, request: Request, reporter: Reporter, checkpoint: str | None = None) -> Trial:
    """Train a new model on these parts, with the seed of their configuration. checkpoint: the name of the folder of its
    checkpoints, the last of which says that it is done; None: there are none."""
    model = build_model(opened.pretrained, parts, opened.encoder)
    encoded = encode_parts(parts, opened.encoder, parts.config, Reporter())
    result = fine_tune(model, encoded, parts, request, Briefly(reporter), checkpoint, keeps_last=checkpoint is not None)
    return Trial(model, encoded, result)
