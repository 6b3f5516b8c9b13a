"""Weights & Biases: a run in the project that WANDB_PROJECT names, or "superfine"."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from superfine.extras import require


class WeightsAndBiases:
    """Logs the settings, metrics by step, and the scores of the test part as the run's summary."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        wandb = require("wandb", "wandb")
        project = os.environ.get("WANDB_PROJECT", "superfine")
        self._run = wandb.init(project=project, name=folder.name, config=dict(settings), dir=str(folder))

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self, summary: Mapping[str, float]) -> None:
        self._run.summary.update(dict(summary))
        self._run.finish(exit_code=0 if summary else 1)
