"""Where people already watch their runs: `--track tensorboard`. A tracker is one file here and one line in this table."""

from superfine.names import NameTable

TRACKERS = NameTable(
    "tracker",
    {
        "tensorboard": "superfine.recipes.tracking.tensorboard:TensorBoard",
        "mlflow": "superfine.recipes.tracking.mlflow:MLflow",
        "wandb": "superfine.recipes.tracking.wandb:WeightsAndBiases",
    },
)
"""A tracker provides `__init__(folder, settings)`, `log(values, step)` and `close(summary)`."""
