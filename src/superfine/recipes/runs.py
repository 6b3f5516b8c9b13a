"""`superfine runs`: what the runs in a folder have come to, side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from superfine.atomic import write_text
from superfine.config import parse_yaml
from superfine.errors import ModelError, OutputError
from superfine.paths import expanded
from superfine.predictors.bundle import UNFINISHED
from superfine.recipes.request import MARKER
from superfine.recipes.run_folder import METRICS
from superfine.records import Interval


@dataclass(frozen=True)
class RunEntry:
    """A run: its folder, what it learned from, and its main score on its own test part.

    state: "done", or "broken off" where it can be gone on with. main, score, n_test, seconds: None where it is not done; seconds
    are those of training. date: when it was written, in local time.
    """

    folder: Path
    state: str
    data: str
    task: str
    model: str
    main: str | None
    score: Interval | None
    n_test: int | None
    seconds: float | None
    date: datetime

    def to_json(self) -> dict[str, Any]:
        facts = {**vars(self), "folder": str(self.folder), "date": self.date.isoformat(timespec="seconds")}
        return {**facts, "score": None if self.score is None else self.score.to_json()}


def list_runs(folder: Path) -> list[RunEntry]:
    """The runs in a folder and in those below it: by data and task, the best first, those that are not done last.

    Raises ModelError where the folder is not there.
    """
    folder = expanded(folder)
    if not folder.is_dir():
        raise ModelError(f"The folder {folder} does not exist.", "Name the folder that holds runs; superfine train makes runs/.")
    found = [entry for place in _folders(folder) if (entry := _entry(place)) is not None]
    return sorted(found, key=lambda one: (one.data, one.task, -one.score.value if one.score is not None else float("inf")))


def _folders(folder: Path) -> Iterator[Path]:
    """Folders that may be runs, the folder itself among them; what is inside a run is not looked at."""
    if (folder / MARKER).is_file() or (folder / UNFINISHED).is_dir():
        yield folder
        return
    for below in sorted(folder.iterdir()):
        if below.is_dir() and not below.is_symlink() and not below.name.startswith("."):
            yield from _folders(below)


def _entry(folder: Path) -> RunEntry | None:
    """What is known of a run, or None for a folder that is none."""
    part = folder / UNFINISHED
    is_done = (folder / METRICS).is_file()
    marker = folder / MARKER if is_done else part / MARKER
    try:
        settings = parse_yaml(marker.read_text(encoding="utf-8"))
        metrics = json.loads((folder / METRICS).read_text(encoding="utf-8")) if is_done else {}
        main = metrics.get("main")
        score = metrics["test"][main] if main and metrics["test"][main]["value"] is not None else None
        return RunEntry(
            folder=folder,
            state="done" if is_done else "broken off",
            data=_names(settings["request"]["data"]),
            task=str(metrics.get("task") or settings["task"]["name"]),
            model=str(metrics.get("model") or settings["model"]["name"]),
            main=main,
            score=None if score is None else Interval(score["value"], *(_end(score[end]) for end in ("low", "high"))),
            n_test=metrics["test"]["n"] if main else None,
            seconds=metrics["training"]["seconds"] if main else None,
            date=datetime.fromtimestamp(marker.stat().st_mtime),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # of an earlier version, or somebody else's
        return None


def _end(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _names(data: Any) -> str:
    """The names of the files, without the paths to them."""
    parts = data if isinstance(data, list) else [data]
    return " + ".join(Path(str(part)).name for part in parts)


def write_board(entries: list[RunEntry], path: Path, language: str, *, force: bool) -> None:
    """The runs as a page. Raises OutputError for a file that is there, or that cannot be written."""
    from superfine.report.board import render_board

    path = expanded(path)
    if path.exists() and not force:
        raise OutputError(f"{path} exists already.", "Replace it with --force, or name another file with --html.")
    try:
        write_text(path, render_board([entry.to_json() for entry in entries], language))
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None
