"""The folder a trained model lives in: its manifest, its checksums, and how to open it.

`model/` is plain Hugging Face layout plus `superfine.json`, the manifest: what a predictor must know besides weights and
tokenizer. One fact, one place: prediction, export and serving read maximum length, labels and cleaning from here.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from superfine.atomic import checksum, sync_files, write_text
from superfine.data.preparation import Step, redacts_in
from superfine.errors import ConfigError, ModelError, first_line
from superfine.extras import require_installed
from superfine.names import did_you_mean
from superfine.paths import expanded
from superfine.predictors import NEEDS, PREDICTORS
from superfine.records import BundlePrecision, Precision, Predictor
from superfine.tasks import TASKS
from superfine.tasks.task import Task

if TYPE_CHECKING:
    from superfine.data.columns import ColumnChoice

MANIFEST = "superfine.json"
UNFINISHED = "unfinished"
"""In the folder of a run: all that it has written, until it is whole."""
BASELINES_FOLDER = "baselines"
"""In the folder of a run: one bundle for each baseline."""


MOST_BYTES = 64 << 20
"""A manifest is larger than a few kilobytes only with very many classes."""
LONGEST = 1 << 20
OTHERS = {"README.md", "LICENSE", ".gitattributes", ".gitignore"}
"""Files that may stand in a bundle without being listed: nothing that opens a model reads them."""
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")]


def _inside(path: str) -> str:
    """Raises ValueError for a path that leads out of its folder."""
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError("is no path of a file below the folder")
    return path


Place = Annotated[str, Field(max_length=1024, pattern=r"^[^\\\x00-\x1f]+$"), AfterValidator(_inside)]
"""Of a file in a bundle, with / between the names of folders."""
Column = Annotated[str, Field(min_length=1)]


FORMAT_1 = ("labels", "merge_labels", "merged_labels")
"""Facts of the task that stood beside its name in the first format."""


class TaskFacts(BaseModel):
    """The task by its name, with all that it learned of the training rows: `Task.facts`."""

    model_config = ConfigDict(extra="allow")

    name: str


InputName = Literal["input_ids", "attention_mask", "token_type_ids"]


class GraphFacts(BaseModel):
    """What is known of an exported graph. file: its name in the bundle. inputs: their names. padding: on which side of a text, or
    none where texts of one length alone are computed together. empty_id: the token that stands for a text without any. lengths:
    in tokens, ascending, where a graph has fixed ones and reads one text at a time; else none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Name
    inputs: tuple[InputName, ...]
    padding: Literal["right", "left", "none"]
    pad_id: int
    empty_id: int
    lengths: tuple[int, ...] = ()


class Manifest(BaseModel):
    """What `superfine.json` holds.

    `preparation` is what is done to a text before the tokenizer reads it. `sha256` is by file name in the manifest's folder;
    `digest` protects the manifest itself.
    """

    model_config = ConfigDict(extra="ignore")

    format: Literal[1, 2, 3] = 3
    predictor: str = "torch"
    task: TaskFacts
    max_length: int | None = Field(None, gt=0, le=LONGEST)
    precision: BundlePrecision = "float32"
    graph: GraphFacts | None = None
    cleaning: list[str]
    preparation: list[Step] = []
    text: list[Column] = Field(min_length=1)
    text_pair: Column | None = None
    label: list[Column] = []
    group: Column | None = None
    sha256: dict[Place, str] = {}
    digest: str = ""

    @model_validator(mode="before")
    @classmethod
    def _from_format_1(cls, content: Any) -> Any:
        if not isinstance(content, dict) or not isinstance(content.get("task"), str):
            return content
        label = content.get("label")
        task = {"name": content["task"], **{key: content[key] for key in FORMAT_1 if key in content}}
        return {**content, "task": task, "label": [label] if isinstance(label, str) else []}

    @model_validator(mode="after")
    def _has_a_task(self) -> Self:
        self.open_task()
        return self

    @classmethod
    def of(
        cls,
        task: Task,
        columns: ColumnChoice,
        *,
        predictor: str,
        cleaning: list[str],
        max_length: int | None = None,
        steps: Sequence[Step] = (),
    ) -> Self:
        """The manifest of a predictor that was fitted for this task on these columns. steps: of what it does to long texts."""
        return cls(
            predictor=predictor,
            task=TaskFacts(name=task.name, **task.facts()),
            max_length=max_length,
            cleaning=cleaning,
            preparation=[*columns.steps, *steps],
            text=list(columns.text),
            text_pair=columns.text_pair,
            label=list(columns.label),
            group=columns.group,
        )

    def open_task(self) -> Task:
        """The task that was learned. Raises ValueError for facts that are none of it."""
        if self.task.name not in TASKS:
            raise ValueError(f'task: this version knows none that is called "{self.task.name}"')
        task_type: type[Task] = TASKS.load(self.task.name)
        try:
            return task_type.from_facts(deepcopy(self.task.model_extra or {}))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"task: its facts are not those of {self.task.name} ({first_line(error)})") from None


class Bundle:
    """An opened bundle: `folder` holds the files, `manifest` the facts."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    def verify(self) -> None:
        """Raises ModelError for a file that is missing, has changed since the bundle was written, was added, or is no plain
        file."""
        again = "Copy the bundle again, or train again."
        if not self.manifest.sha256:
            raise ModelError(f"{self.folder / MANIFEST} lists no checksums.", again)
        for name, expected in self.manifest.sha256.items():
            path = self.folder / name
            if not path.exists():
                raise ModelError(f"{path} is missing.", "The bundle is incomplete: copy the whole folder, or train again.")
            if path.is_symlink() or not path.is_file():
                raise ModelError(f"{path} is a link or a device, not a file of the bundle.", again)
            if expected not in (_checksum(path), checksum(path)):  # earlier versions held all of an adapter's configuration
                raise ModelError(f"{path} has changed since the model was saved.", again)
        listed = {*self.manifest.sha256, MANIFEST, *OTHERS}
        folders = {self.folder, *(self.folder / name.rpartition("/")[0] for name in self.manifest.sha256)}
        paths = (path for folder in folders for path in folder.iterdir() if not path.is_dir())
        added = sorted(path for path in paths if path.relative_to(self.folder).as_posix() not in listed)
        if added:
            raise ModelError(f"{added[0]} was added since the model was saved.", f"Remove it. {again}")


def open_bundle(folder: Path | str, baseline: str | None = None) -> Bundle:
    """The bundle in a run's folder or in its `model/`, or one of its saved baselines. Raises ModelError where there is none."""
    folder = expanded(folder)
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
    again = "Copy the bundle again, or train again."
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MOST_BYTES:
            raise ModelError(f"{path} is no plain file of a usual size.", again)
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest.model_validate(content)
        if manifest.digest != digest_of(content):
            raise ModelError(f"{path} has changed since the model was saved.", again)
        return Bundle(folder, manifest)
    except ValidationError as error:
        mistake = error.errors()[0]
        where = ".".join(map(str, mistake["loc"])) or "its content"
        what = mistake["msg"].removeprefix("Value error, ")
        raise ModelError(
            f"{path} cannot be used: {where}: {what}.",
            "Copy the bundle again, train again, or update Superfine.",
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}.", again) from None


def digest_of(content: Mapping[str, Any]) -> str:
    """SHA-256 of what a manifest says, but for the digest itself."""
    said = {key: value for key, value in content.items() if key != "digest"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def open_predictor(
    folder: Path | str, precision: Precision | None = None, baseline: str | None = None, device: str = "auto"
) -> Predictor:
    """The predictor of a run's folder, its files checked against their checksums.

    precision: of the computation; None is the bundle's own, in which it was tested. baseline: the name of a baseline of the run,
    which answers instead of the model. device: on which the model computes; a baseline computes on the processor.

    Raises ModelError, and ConfigError for a device that is not there.
    """
    bundle = open_bundle(folder, baseline)
    bundle.verify()
    if precision is not None and bundle.manifest.graph is not None:
        raise ConfigError(
            f"The precision of an exported model is settled: {bundle.manifest.precision}.", "Leave --precision out."
        )
    if precision is not None:
        bundle = Bundle(bundle.folder, bundle.manifest.model_copy(update={"precision": precision}))
    if bundle.manifest.predictor in NEEDS:
        require_installed(*NEEDS[bundle.manifest.predictor])
    opened = PREDICTORS.load(bundle.manifest.predictor)
    predictor: Predictor = opened.load(bundle, device) if bundle.manifest.predictor in NEEDS else opened.load(bundle)
    predictor.redacts = redacts_in(bundle.manifest.preparation)
    predictor.opened_from = Opened(bundle.folder, precision, device)
    return predictor


class Opened(NamedTuple):
    """Where a predictor was opened from, and how: what a pickle of it is made of. keeps: the folder, where it goes with the
    predictor."""

    folder: Path
    precision: Precision | None
    device: str
    keeps: tempfile.TemporaryDirectory[str] | None = None


def packed(folder: Path) -> bytes:
    """The files of a bundle as a tar archive, in which its folder is called `model`."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.add(folder, arcname="model")
    return stream.getvalue()


def unpack(content: bytes, folder: Path) -> None:
    """The files of `packed` into `folder`."""
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")


def reopened(content: bytes, precision: Precision | None, device: str) -> Predictor:
    """The predictor of packed files, their checksums checked: what a pickle calls."""
    folder = tempfile.TemporaryDirectory(prefix="superfine-")
    unpack(content, Path(folder.name))
    predictor = open_predictor(folder.name, precision, device=device)
    predictor.opened_from = predictor.opened_from._replace(keeps=folder)
    return predictor


def _checksum(path: Path) -> str:
    """Of a file's content; of an adapter's configuration without the place of the model that it belongs to, which may move and is
    told by a checksum of its own."""
    if path.name != "adapter_config.json":
        return checksum(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content.pop("base_model_name_or_path", None)
    except (ValueError, AttributeError):
        return checksum(path)
    return digest_of(content)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `superfine.json` with the checksums of every other file in the folder and those below."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    sha256 = {path.relative_to(folder).as_posix(): _checksum(path) for path in files}
    content = manifest.model_copy(update={"sha256": sha256}).model_dump(mode="json")
    content["digest"] = digest_of(content)
    write_text(folder / MANIFEST, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    mode = (folder / MANIFEST).stat().st_mode & 0o777
    for path in files:  # libraries write some of them for the owner alone
        path.chmod(mode)
    sync_files(folder)
