"""What the user asked `train` for, and the folder that the answer goes to."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from superfine.config import RunConfig, read_config_file
from superfine.errors import OutputError
from superfine.recipes.prepare import Source

MARKER = "run.yaml"


@dataclass(frozen=True)
class Request:
    """One call of `train`. `started` is on `time.monotonic`'s scale and is what a time limit counts from."""

    data: Source
    validation: Source | None
    test: Source | None
    config: RunConfig
    folder: Path
    force: bool = False
    resume: bool = False
    strict: bool = False
    started: float = 0.0


def read_run_config(folder: Path) -> dict[str, Any]:
    """The configuration in a run's `run.yaml`. Raises OutputError where there is none."""
    path = folder / MARKER
    if not path.exists():
        raise OutputError(f"{folder} holds no run to resume.", "Name the folder of a run that was broken off.")
    return read_config_file(path)


def default_folder(data: Source) -> Path:
    """`runs/<name of the data>-<date>-<time>`."""
    stem = Path(data).name.split(".")[0] if isinstance(data, str | Path) and str(data) != "-" else "data"
    return Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"


def claim_folder(request: Request) -> None:
    """Make the output folder, or refuse one that holds something of somebody else's, or a run without --force."""
    folder = request.folder
    if folder.is_file():
        raise OutputError(f"{folder} is a file; the run needs a folder.", "Choose another one with --out.")
    if request.resume:
        return
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARKER).exists():
            raise OutputError(f"The folder {folder} exists and holds no run of Superfine.", "Choose another one with --out.")
        if not request.force:
            raise OutputError(
                f"The folder {folder} already holds a run.", "Choose another one with --out, or replace it with --force."
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another one with --out.") from None
    if not os.access(folder, os.W_OK):
        raise OutputError(f"The folder {folder} cannot be written to.", "Choose another one with --out.")
