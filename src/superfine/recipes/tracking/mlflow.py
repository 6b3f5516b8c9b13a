"""MLflow: a run in the experiment and on the server that its own environment variables name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from superfine.extras import require


class MLflow:
    """Logs parameters, metrics by step, and the scores of the test part."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        self._mlflow = require("mlflow", "mlflow")
        self._mlflow.start_run(run_name=folder.name)
        self._mlflow.log_params(dict(settings))

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self, summary: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(summary))
        self._mlflow.end_run("FINISHED" if summary else "KILLED")
