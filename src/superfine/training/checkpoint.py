"""Checkpoints: all that a run needs to go on after a crash, as safetensors and JSON. No pickle.

A checkpoint is written beside the old one and then takes its place, so that a crash while writing loses nothing.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from superfine.atomic import checksum, remove, sync_files, write_text
from superfine.errors import ModelError, OutputError
from superfine.training.kept import Kept
from superfine.training.loop import Progress, TrainingState

STATE = "state.json"
HEAD = "head.safetensors"
"""The output layer of a stage that has one of its own."""
ROW_STATE = ("exp_avg", "exp_avg_sq", "steps")
SECONDS_BETWEEN = 30.0
COST_FACTOR = 20.0
"""Checkpoints are written at most every 30 seconds, and so seldom that they cost at most a twentieth of the time."""


class Checkpointer:
    """Writes `folder` when it is time to. Call it after every step and every epoch.

    keeps_last: also when the last epoch is done, so that a run of several trainings goes on behind this one.
    """

    def __init__(self, folder: Path, identity: str = "", *, keeps_last: bool = False) -> None:
        self.folder = folder
        self.identity = identity
        self.keeps_last = keeps_last
        self._last = time.monotonic()
        self._cost = 0.0

    def __call__(self, state: TrainingState) -> None:
        is_last = self.keeps_last and state.is_through
        if is_last or time.monotonic() - self._last >= max(SECONDS_BETWEEN, COST_FACTOR * self._cost):
            self.write(state)

    def write(self, state: TrainingState) -> None:
        started = time.monotonic()
        try:
            write_checkpoint(state, self.folder, self.identity)
        except (OSError, SafetensorError) as error:
            raise OutputError(
                f"The checkpoint {self.folder} cannot be written: {error}", "Free some space, then go on with --resume."
            ) from error
        self._last = time.monotonic()
        self._cost = self._last - started


def write_checkpoint(state: TrainingState, folder: Path, identity: str = "") -> None:
    """Masters, kept masters, optimiser moments, the stage's own head, random state, progress.

    identity: what data and settings it belongs to.

    At every moment a whole checkpoint is there under one of three names: `folder`, with `.new`, or with `.old`.
    """
    fresh, old = (folder.with_name(folder.name + ending) for ending in (".new", ".old"))
    if fresh.exists() and _step_of(fresh) is not None:  # a crash came between writing it and moving it here
        remove(folder)
        fresh.replace(folder)
    remove(fresh)
    fresh.mkdir(parents=True)
    save_file(state.weights.current(), fresh / "weights.safetensors")
    if state.kept is not None:
        save_file(state.kept, fresh / "kept.safetensors")
    save_file(_optimiser_tensors(state), fresh / "optimiser.safetensors")
    if state.stage.head is not None:
        save_file(state.stage.head.state_dict(), fresh / HEAD)
    save_file(state.placement.random_state(), fresh / "random.safetensors")
    # Written last: its presence says that the checkpoint is whole, and its checksums that it still is.
    content = {
        "identity": identity,
        "progress": state.progress.to_json(),
        "sha256": {path.name: checksum(path) for path in sorted(fresh.iterdir())},
    }
    write_text(fresh / STATE, json.dumps(content))
    sync_files(fresh)
    if folder.exists():
        remove(old)
        folder.replace(old)
    fresh.replace(folder)
    remove(old)


def find_checkpoint(folder: Path) -> Path | None:
    """The whole checkpoint that is furthest on, under any of its three names, or None.

    Raises ModelError where there are some and all of them are damaged.
    """
    candidates = [path for ending in ("", ".new", ".old") if (path := folder.with_name(folder.name + ending)).is_dir()]
    whole = [(step, path) for path in candidates if (step := _step_of(path)) is not None]
    if candidates and not whole and any((path / STATE).exists() for path in candidates):
        raise ModelError(
            f"The checkpoint {folder} is damaged: its files are not those that were written.", "Start again without --resume."
        )
    return max(whole, key=lambda pair: pair[0])[1] if whole else None


def _step_of(folder: Path) -> int | None:
    """At which step the checkpoint was written, or None where a file is missing or has changed since."""
    try:
        content = json.loads((folder / STATE).read_text(encoding="utf-8"))
        if any(checksum(folder / name) != expected for name, expected in content["sha256"].items()):
            return None
        return int(content["progress"]["step"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def belongs_to(folder: Path) -> str:
    """The identity that the checkpoint was written with. Raises ModelError when it cannot be read."""
    try:
        return str(json.loads((folder / STATE).read_text(encoding="utf-8"))["identity"])
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"The checkpoint {folder} cannot be read: {error}", "Start again without --resume.") from error


def read_checkpoint(state: TrainingState, folder: Path) -> None:
    """Put a freshly built run where the checkpoint was written. Raises ModelError when it cannot be read."""
    try:
        content: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
        weights = load_file(folder / "weights.safetensors")
        moments = load_file(folder / "optimiser.safetensors")
        random_state = load_file(folder / "random.safetensors")
        kept = _read_kept(folder / "kept.safetensors")
        state.progress = Progress.from_json(content["progress"])
        state.weights.restore(weights)
        state.start_stage()
        if state.stage.head is not None:
            state.stage.head.load_state_dict(load_file(folder / HEAD))
        state.kept = kept
        _restore_optimiser(state, moments)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelError(f"The checkpoint {folder} cannot be read: {error}", "Start again without --resume.") from error
    state.placement.restore_random_state(random_state)


def _read_kept(path: Path) -> Kept | None:
    """A copy: the file that the tensors are mapped from is to be replaced."""
    if not path.exists():
        return None
    found = load_file(path)
    kept = Kept({name: tensor.shape for name, tensor in found.items()})
    for name, tensor in found.items():
        kept.put(name, tensor)
    return kept


def _optimiser_tensors(state: TrainingState) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for i, parameter in enumerate(state.optimiser.dense_parameters):
        for key, value in state.optimiser.dense.state.get(parameter, {}).items():
            tensors[f"{key}/{i}"] = value.detach()
    rows = state.optimiser.rows
    if rows is not None:
        tensors |= {f"rows/{key}": getattr(rows, key) for key in ROW_STATE}
    return tensors


def _restore_optimiser(state: TrainingState, tensors: dict[str, Tensor]) -> None:
    for i, parameter in enumerate(state.optimiser.dense_parameters):
        for key in ("step", "exp_avg", "exp_avg_sq"):
            if f"{key}/{i}" in tensors:
                state.optimiser.dense.state[parameter][key] = tensors[f"{key}/{i}"].to(parameter.device)
    rows = state.optimiser.rows
    if rows is not None:
        for key in ROW_STATE:
            getattr(rows, key).copy_(tensors[f"rows/{key}"])
