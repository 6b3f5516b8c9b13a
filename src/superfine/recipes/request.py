"""What the user asked `train` for, and the folder that the answer goes to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from superfine.config import RunConfig, build_config, read_config_file
from superfine.data.read import Source
from superfine.errors import ConfigError, OutputError

MARKER = "run.yaml"
LONGEST_STEM = 200
"""Bytes of the name of the data in the name of a run."""


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
    language: str = "en"


def make_request(
    data: Source,
    *,
    validation: Source | None,
    test: Source | None,
    out: Path | None,
    config: Path | Mapping[str, Any] | None,
    overrides: Mapping[str, Any],
    force: bool,
    resume: Path | None,
    strict: bool,
    started: float,
    language: str = "en",
) -> Request:
    """A request from what the user said. A resumed run takes its configuration, and files that are not named, from its folder.

    `overrides` are dotted keys; those that are None were not said. Raises ConfigError or OutputError.
    """
    overrides = {key: value for key, value in overrides.items() if value is not None}
    if resume is None:
        tree = read_config_file(config) if isinstance(config, Path) else dict(config or {})
        folder = out if out is not None else default_folder(data)
        settings = build_config(tree, overrides)
        return Request(data, validation, test, settings, folder, force, False, strict, started, language)
    if config is not None or out is not None:
        raise ConfigError("--resume takes configuration and folder from the run.", "Leave out --config and --out.")
    if not (resume / MARKER).exists():
        raise OutputError(f"{resume} holds no run to resume.", "Name the folder of a run that was broken off.")
    if (resume / "metrics.json").exists():
        raise OutputError(f"The run in {resume} is finished.", "Start a new one without --resume.")
    settings = build_config(read_config_file(resume / MARKER), overrides)
    asked = yaml.safe_load((resume / MARKER).read_text(encoding="utf-8")).get("request") or {}
    validation, test = validation or asked.get("validation"), test or asked.get("test")
    return Request(data, validation, test, settings, resume, force, True, strict, started, language)


def default_folder(data: Source) -> Path:
    """`runs/<name of the data>-<date>-<time>`."""
    first = data[0] if isinstance(data, list | tuple) and data else data
    stem = Path(first).name.split(".")[0].split(":")[0] if isinstance(first, str | Path) and str(first) != "-" else "data"
    # Names of folders end at 255 bytes, and a Chinese character takes three.
    stem = stem.encode()[:LONGEST_STEM].decode(errors="ignore")
    return Path("runs") / f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"


def check_folder(request: Request) -> None:
    """Refuse an output folder that holds something of somebody else's, or a run without --force."""
    folder = request.folder
    try:
        _refuse_foreign(request, folder)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be used: {error.strerror}.", "Choose another one with --out.") from None


def _refuse_foreign(request: Request, folder: Path) -> None:
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


@contextmanager
def claimed_folder(request: Request) -> Iterator[None]:
    """Make the output folder, and take it away if what is done inside fails before it holds anything.

    Raises OutputError for one that cannot be used.
    """
    _claim_folder(request)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # one that holds something stays
            request.folder.rmdir()
        raise


def _claim_folder(request: Request) -> None:
    check_folder(request)
    folder = request.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another one with --out.") from None
    if not os.access(folder, os.W_OK):
        raise OutputError(f"The folder {folder} cannot be written to.", "Choose another one with --out.")
