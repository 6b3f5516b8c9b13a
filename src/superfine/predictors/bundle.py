"""The folder a trained model lives in: its manifest, its checksums, and how to open it.

`model/` is plain Hugging Face layout plus `superfine.json`, the manifest: what a predictor must know besides weights and
tokenizer. One fact, one place: prediction, export and serving read maximum length, labels and cleaning from here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from superfine.atomic import sync_files, write_text
from superfine.config import Precision
from superfine.data.columns import ColumnChoice
from superfine.data.read import checksum
from superfine.errors import ModelError
from superfine.extras import require_installed
from superfine.names import did_you_mean
from superfine.predictors import NEEDS, PREDICTORS
from superfine.records import Predictor
from superfine.tasks.classification import Classification

MANIFEST = "superfine.json"
UNFINISHED = "unfinished"
"""In the folder of a run: all that it has written, until it is whole."""
BASELINES_FOLDER = "baselines"
"""In the folder of a run: one bundle for each baseline."""


class Manifest(BaseModel):
    """What `superfine.json` holds. `sha256` is by file name, relative to the manifest's folder."""

    model_config = ConfigDict(extra="ignore")

    format: Literal[1] = 1
    predictor: str = "torch"
    task: str
    labels: list[str]
    max_length: int | None = None
    precision: Precision = "float32"
    cleaning: list[str]
    text: list[str]
    text_pair: str | None = None
    label: str | None = None
    group: str | None = None
    sha256: dict[str, str] = {}

    @classmethod
    def of(
        cls, task: Classification, columns: ColumnChoice, *, predictor: str, cleaning: list[str], max_length: int | None = None
    ) -> Self:
        """The manifest of a predictor that was fitted for this task on these columns."""
        return cls(
            predictor=predictor,
            task=task.name,
            labels=list(task.labels),
            max_length=max_length,
            cleaning=cleaning,
            text=list(columns.text),
            text_pair=columns.text_pair,
            label=columns.label,
            group=columns.group,
        )


class Bundle:
    """An opened bundle: `folder` holds the files, `manifest` the facts."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    def verify(self) -> None:
        """Raises ModelError for a file that is missing or has changed since the bundle was written."""
        for name, expected in self.manifest.sha256.items():
            path = self.folder / name
            if not path.exists():
                raise ModelError(f"{path} is missing.", "The bundle is incomplete: copy the whole folder, or train again.")
            if checksum(path) != expected:
                raise ModelError(f"{path} has changed since the model was saved.", "Copy the bundle again, or train again.")


def open_bundle(folder: Path | str, baseline: str | None = None) -> Bundle:
    """The bundle in a run's folder or in its `model/`, or one of its saved baselines. Raises ModelError where there is none."""
    folder = Path(folder)
    if baseline is not None:
        return _open_baseline(folder, baseline)
    for candidate in (folder / "model", folder):
        if (candidate / MANIFEST).exists():
            return _read_bundle(candidate)
    if (folder / UNFINISHED).is_dir():
        raise ModelError(f"The run in {folder} was broken off.", f"Go on with it: superfine train DATA --resume {folder}")
    if not folder.exists():
        raise ModelError(f"The folder {folder} does not exist.", "Name the folder that `superfine train` wrote.")
    raise ModelError(f"{folder} holds no model that Superfine trained.", "Name the folder that `superfine train` wrote.")


def _open_baseline(folder: Path, name: str) -> Bundle:
    saved = folder / BASELINES_FOLDER
    there = sorted(path.parent.name for path in saved.glob(f"*/{MANIFEST}"))
    if name in there:
        return _read_bundle(saved / name)
    raise ModelError(
        f'{folder} holds no baseline "{name}".{did_you_mean(name, there)}',
        f"It holds: {', '.join(there)}."
        if there
        else "Name the folder of a whole run; those of earlier versions have no baselines.",
    )


def _read_bundle(folder: Path) -> Bundle:
    path = folder / MANIFEST
    try:
        return Bundle(folder, Manifest.model_validate_json(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or "its content"
        raise ModelError(
            f"{path} cannot be used: {where}: {mistake['msg']}.",
            "Copy the bundle again, train again, or update Superfine.",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", "Copy the bundle again, or train again.") from None


def open_predictor(folder: Path | str, precision: Precision | None = None, baseline: str | None = None) -> Predictor:
    """The predictor of a run's folder, its files checked against their checksums.

    precision: of the computation; None is the bundle's own, in which it was tested. baseline: the name of a baseline of the run,
    which answers instead of the model.
    """
    bundle = open_bundle(folder, baseline)
    bundle.verify()
    if precision is not None:
        bundle = Bundle(bundle.folder, bundle.manifest.model_copy(update={"precision": precision}))
    if bundle.manifest.predictor in NEEDS:
        require_installed(*NEEDS[bundle.manifest.predictor])
    predictor: Predictor = PREDICTORS.load(bundle.manifest.predictor).load(bundle)
    return predictor


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `superfine.json` with the checksums of every other file in the folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name != MANIFEST)
    manifest = manifest.model_copy(update={"sha256": {path.name: checksum(path) for path in files}})
    write_text(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    mode = (folder / MANIFEST).stat().st_mode & 0o777
    for path in files:  # libraries write some of them for the owner alone
        path.chmod(mode)
    sync_files(folder)
