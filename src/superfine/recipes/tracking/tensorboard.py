"""TensorBoard: event files in the run's folder, `tensorboard --logdir runs` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from superfine.extras import require


class TensorBoard:
    """Writes `FOLDER/tensorboard/`."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        require("tensorboard", "tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / "tensorboard"))
        table = "\n".join(f"| {key} | {value} |" for key, value in settings.items())
        self._writer.add_text("settings", f"| key | value |\n|---|---|\n{table}")

    def log(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, summary: Mapping[str, float]) -> None:
        for name, value in summary.items():
            self._writer.add_scalar(name, value)
        self._writer.close()
