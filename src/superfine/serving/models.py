"""The models of a server: opened once, each with a queue of its own, and opened again when their files change."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from superfine.errors import ConfigError, ModelError
from superfine.predictors.bundle import MANIFEST, Bundle, open_bundle, open_predictor
from superfine.predictors.texts import TextModel, TextPredictor
from superfine.records import Examples
from superfine.serving.batcher import Batcher

log = logging.getLogger("superfine.serving")
RECEIPT = "parity.json"
PAGES = {"card": "README.md", "report": "report.html"}
"""About a model: in its folder, or in that of its run."""


@dataclass(frozen=True, eq=False)
class Version:
    """One state of a model's folder. receipt: how far an export's answers lie from the tested model's; None for a model that is
    no export."""

    predictor: TextPredictor
    bundle: Bundle
    receipt: dict[str, Any] | None

    @property
    def digest(self) -> str:
        """The first digits of that of the manifest, which holds the checksums of all files."""
        return self.bundle.manifest.digest[:16]

    @property
    def facts(self) -> dict[str, Any]:
        """What every answer says of the model."""
        return {"version": self.digest, "precision": self.bundle.manifest.precision, "receipt": self.receipt}

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of what a text is made of in a request."""
        if self.predictor.task.head.extractive:
            return ("question", "context")
        return ("text", "text_pair") if self.predictor.takes_pairs else ("text",)

    def tokens_of(self, examples: Examples) -> int:
        """How many tokens the model reads of these texts."""
        return len(self.predictor.encoder.encode(examples).ids) if isinstance(self.predictor, TextModel) else 0


class Served:
    """A model by its name. on_batch: is told what a batch took."""

    def __init__(self, name: str, folder: Path, most_waiting: int, on_batch: Callable[[str, int, float], None]) -> None:
        self.name, self.folder = name, folder
        self.version = _opened(folder)
        self._state = _state(self.version.bundle.folder)
        self._seen = self._state
        self.batcher = Batcher(most_waiting, lambda n, seconds: on_batch(name, n, seconds))

    @property
    def task(self) -> Any:
        return self.version.predictor.task

    def reload_if_changed(self) -> bool:
        """Open the folder again where its files have changed and are at rest: whether it was. What cannot be opened is logged,
        and the model that is there goes on, until they change again."""
        state, before = _state(self.version.bundle.folder), self._seen
        self._seen = state
        if state in (None, self._state) or state != before:  # a folder that is being written changes from look to look
            return False
        self._state = state
        try:
            self.version = _opened(self.folder)
        except Exception as error:  # whatever half a model raises
            log.error("model %s has changed and cannot be opened: %s", self.name, str(error).replace("\n", " "))
            return False
        log.info("model %s is now version %s", self.name, self.version.digest)
        return True

    def page(self, name: str) -> Path | None:
        """The file of a page about the model, where there is one."""
        folder = self.version.bundle.folder
        places = [folder / PAGES[name], folder.parent / PAGES[name]] if folder.name == "model" else [folder / PAGES[name]]
        return next((path for path in places if path.is_file()), None)

    def describe(self) -> dict[str, Any]:
        """What `GET /v1/models` says of it."""
        manifest = self.version.bundle.manifest
        task = self.task
        return {
            "id": self.name,
            "object": "model",
            "task": manifest.task.name,
            "title": task.shown.title,
            "labels": list(task.labels),
            "reads": list(self.version.reads),
            "max_length": manifest.max_length,
            "predictor": manifest.predictor,
            "pages": [name for name in PAGES if self.page(name) is not None],
            **self.version.facts,
        }


def open_models(folders: Sequence[Path], most_waiting: int, on_batch: Callable[[str, int, float], None]) -> dict[str, Served]:
    """The models of some folders by their names: those of the runs, with a number behind where two are called alike.

    Raises a SuperfineError for a folder that holds none.
    """
    if not folders:
        raise ConfigError("No model is named.", "Name the folder of a run: superfine serve runs/reviews")
    served: dict[str, Served] = {}
    for folder in folders:
        named = name = _name_of(folder)
        count = 1
        while name in served:
            count += 1
            name = f"{named}-{count}"
        served[name] = Served(name, folder, most_waiting, on_batch)
    return served


def _opened(folder: Path) -> Version:
    bundle = open_bundle(folder)
    predictor = open_predictor(folder)
    if open_bundle(folder).manifest.digest != bundle.manifest.digest:
        raise ModelError(f"{folder} was written anew while it was opened.", "Start again.")
    if not isinstance(predictor, TextPredictor):
        raise ConfigError(f"{folder} holds a constant answer, which needs no server.", "Name the folder of a trained model.")
    return Version(predictor, bundle, _receipt(bundle))


def _receipt(bundle: Bundle) -> dict[str, Any] | None:
    path = bundle.folder / RECEIPT
    if bundle.manifest.graph is None or not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    texts = {name: {"largest": one["largest"], "changed": one["changed"]} for name, one in found["texts"].items()}
    return {"way": found["way"], "run": found["model"]["run"], "texts": texts}


def _name_of(folder: Path) -> str:
    folder = folder.resolve()
    return folder.parent.name if folder.name == "model" else folder.name


def _state(folder: Path) -> tuple[tuple[str, int, int, int], ...] | None:
    """Changes when any file of a bundle is written anew; None while there is no manifest."""
    try:
        found = [(path, path.stat()) for path in sorted(folder.rglob("*")) if path.is_file()]
    except OSError:
        return None
    facts = tuple((path.as_posix(), one.st_mtime_ns, one.st_size, one.st_ino) for path, one in found)
    return facts if (folder / MANIFEST).is_file() else None
