"""The folder of a run: who may write there, and what is written, in which order."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import BaseFileLock, FileLock, Timeout
from safetensors import SafetensorError

from superfine.atomic import PREFIX, remove, sync_folder, write_text
from superfine.backbones.locate import base_of
from superfine.config import RunConfig
from superfine.data.clean import STEPS
from superfine.data.learned import LEARNED, LearnedTexts
from superfine.data.suspects import SUSPECTS, Suspect, write_suspects
from superfine.data.table import BadRow
from superfine.data.write import unused_names, write_bad_rows, write_predictions
from superfine.errors import OutputError
from superfine.predictors.bundle import BASELINES_FOLDER, UNFINISHED, Manifest
from superfine.predictors.drift import Reference
from superfine.recipes.baselines import FittedBaseline
from superfine.recipes.figures import Scores
from superfine.recipes.prepare import Parts
from superfine.recipes.request import MARKER, Request, command_of, data_names

if TYPE_CHECKING:
    from superfine.model import Model
    from superfine.training.loop import FitResult

BAD_ROWS = "bad_rows.csv"
METRICS = "metrics.json"
LOCK = ".lock"
COMPLETE = "complete.json"
"""In the unfinished part: everything is written, and these are the names that are to be moved to their places."""
TENSORBOARD = "tensorboard"
PREDICTIONS = "predictions.csv"
CHECKPOINTS = re.compile(r"checkpoint(-[0-9]+|-fold-[0-9]+)?(\.new|\.old)?")
"""Names of folders with the state of a training: the only one of a run, those from other seeds, those without a fold."""
OUTPUTS = (
    "model",
    BASELINES_FOLDER,
    LEARNED,
    PREDICTIONS,
    SUSPECTS,
    "report.html",
    "README.md",
    "log.jsonl",
    BAD_ROWS,
    MARKER,
    METRICS,
)
"""What a run may leave, in the order in which it is moved to its place: the metrics come last, and say that all is there."""


def unfinished(folder: Path) -> Path:
    """Where a run writes until it is whole. What an earlier run left beside it stays until then."""
    return folder / UNFINISHED


def check_folder(request: Request) -> None:
    """Refuse an output folder that holds something of somebody else's, or a run without --force."""
    folder = request.folder
    if any("\udc80" <= character <= "\udcff" for character in str(folder)):  # how Python reads such bytes
        raise OutputError(f"The folder {folder} has a name that is no UTF-8.", "Choose another one with --out.")
    try:
        _refuse_foreign(request, folder)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be used: {error.strerror}.", "Choose another one with --out.") from None


def _refuse_foreign(request: Request, folder: Path) -> None:
    if folder.is_file():
        raise OutputError(f"{folder} is a file; the run needs a folder.", "Choose another one with --out.")
    if request.resume or not folder.is_dir():
        return
    part = unfinished(folder)
    is_broken_off = (part / MARKER).exists() or (part / COMPLETE).exists()
    # A process that ended before its first mark leaves an unfinished part with nothing in it to go on with.
    if not is_broken_off and all(path.name == LOCK or (path.name == UNFINISHED and _is_ours(part)) for path in folder.iterdir()):
        return
    is_tracked_alone = all(path.name in (LOCK, TENSORBOARD) for path in folder.iterdir())
    if not (folder / MARKER).exists() and not is_broken_off and not is_tracked_alone:
        raise OutputError(f"The folder {folder} exists and holds no run of Superfine.", "Choose another one with --out.")
    if request.force:
        return
    if is_broken_off:
        raise OutputError(
            f"The folder {folder} holds a run that was broken off.",
            f"Go on with --resume {folder}, choose another folder with --out, or start anew with --force.",
        )
    raise OutputError(f"The folder {folder} already holds a run.", "Choose another one with --out, or replace it with --force.")


def broken_off_at(request: Request) -> int | None:
    """The step of the checkpoint that this request gives up, or None where it gives up none."""
    if request.resume:
        return None
    for ending in ("", ".new", ".old"):
        path = unfinished(request.folder) / f"checkpoint{ending}" / "state.json"
        with suppress(OSError, ValueError, KeyError, TypeError):
            return int(json.loads(path.read_text(encoding="utf-8"))["progress"]["step"])
    return None


@contextmanager
def claimed_folder(request: Request) -> Iterator[Request]:
    """Make the output folder and hold it against other runs; the request comes back with the folder that it got.

    A folder that nobody named gets another name where it is taken. It goes again if what is done inside fails before it holds
    anything. Raises OutputError for a folder that cannot be used, or that another run holds.
    """
    check_folder(request)
    request = replace(request, folder=_made_folder(request))
    folder = request.folder
    lock = _locked(folder)
    try:
        check_folder(request)  # another run may have ended there in the meantime
        finish_moving(folder)
        yield request
    except BaseException:
        if _is_ours(unfinished(folder)) and not _is_worth_resuming(unfinished(folder)):
            remove(unfinished(folder))
        raise
    finally:
        _release(lock, folder)
        with suppress(OSError):  # one that holds something stays
            folder.rmdir()


def _release(lock: BaseFileLock, folder: Path) -> None:
    """Give the folder free, and take the lock's file away: before that where names can be removed from open files, on Windows
    after."""
    try:
        with suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)
    finally:
        lock.release()
    with suppress(OSError):
        (folder / LOCK).unlink(missing_ok=True)


def _is_ours(part: Path) -> bool:
    """Whether a folder of that name holds only what a run writes there: somebody may have one of his own."""
    names = {*OUTPUTS, COMPLETE, "model.new"}
    return part.is_dir() and all(
        path.name in names or path.name.startswith(PREFIX) or CHECKPOINTS.fullmatch(path.name) for path in part.iterdir()
    )


def _is_worth_resuming(part: Path) -> bool:
    """Whether something was learned, or is being moved to its place: a model, a checkpoint, or the list of what is to be
    moved."""
    return part.is_dir() and any(path.name.startswith(("checkpoint", "model", COMPLETE)) for path in part.iterdir())


def _made_folder(request: Request) -> Path:
    """The folder, made by this process, or one that is there already and was named."""
    folder = request.folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for n in count(2):
            try:
                folder.mkdir()
                break
            except FileExistsError:
                if request.is_named:
                    break
                folder = request.folder.with_name(f"{request.folder.name}-{n}")
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another one with --out.") from None
    if not os.access(folder, os.W_OK):
        raise OutputError(f"The folder {folder} cannot be written to.", "Choose another one with --out.")
    return folder


def _locked(folder: Path) -> BaseFileLock:
    """The system's own lock on a file, which ends with the process that holds it, however that ends."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError(
            f"Another run is writing to {folder}.", "Wait until it ends, or choose another folder with --out."
        ) from None
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be locked: {error.strerror}.", "Choose another one with --out.") from None
    return lock


def begin_run(request: Request, config: RunConfig, bad_rows: Sequence[BadRow] = ()) -> None:
    """Mark the folder as one with a run under way. What an earlier run left there stays until this one is whole."""
    part = unfinished(request.folder)
    with _written(request.folder, "Free some space and start again."):
        if not request.resume:
            remove(part)
        part.mkdir(exist_ok=True)
        if not (part / MARKER).exists():  # what a resumed run began with stays until it is known that it can go on
            write_run_file(request, config)
        if bad_rows:
            write_bad_rows(part / BAD_ROWS, bad_rows)


def finish_run(folder: Path) -> None:
    """Everything is written: say so, and move it to its place."""
    part = unfinished(folder)
    with _written(folder, "Go on with --resume, which moves what is written to its place."):
        names = [name for name in OUTPUTS if (part / name).exists()]
        write_text(part / COMPLETE, json.dumps(names))
        finish_moving(folder)


def finish_moving(folder: Path) -> None:
    """Move the outputs of a run that is whole to their places. May be repeated after a crash at any point."""
    part = unfinished(folder)
    if not (part / COMPLETE).exists():
        return
    names = json.loads((part / COMPLETE).read_text(encoding="utf-8"))
    if (part / METRICS).exists():
        remove(folder / METRICS)  # from here on until the end the folder holds no whole run
    for name in OUTPUTS:
        if (part / name).exists():
            remove(folder / name)
            (part / name).replace(folder / name)
        elif name not in names:
            remove(folder / name)
    sync_folder(folder)
    for path in sorted(part.iterdir(), key=lambda path: path.name == COMPLETE):
        remove(path)
    part.rmdir()


def write_run_file(request: Request, config: RunConfig, choices: dict[str, Any] | None = None) -> None:
    """`run.yaml`: the resolved configuration, what was asked, and the choices made. It serves as a --config file again."""
    content = config.model_dump(mode="json")
    content["request"] = {name: _source_name(getattr(request, name)) for name in ("data", "validation", "test")}
    if choices is not None:
        content["choices"] = choices
    write_text(unfinished(request.folder) / MARKER, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _source_name(source: object) -> str | list[str] | None:
    if isinstance(source, list | tuple):
        return [str(part) for part in source]
    return str(source) if isinstance(source, str | Path) else None if source is None else "(given from Python)"


def save_model(folder: Path, model: Model, parts: Parts) -> None:
    """Write `model/`, whole or not at all."""
    target = unfinished(folder) / "model"
    fresh = target.with_name("model.new")
    with _written(folder, "Free some space; --resume goes on from the last checkpoint, if there is one."):
        remove(fresh)
        base = base_of(parts.config.model.name) if parts.config.model.adapter_only else None
        reference = Reference.of(model, parts.validation)
        model.save(fresh, parts.columns, cleaned=parts.config.data.cleaning, adapter_of=base, reference=reference)
        remove(target)
        fresh.replace(target)


def save_baselines(folder: Path, baselines: Mapping[str, FittedBaseline], parts: Parts) -> None:
    """Write `baselines/NAME/` for each, so that the verdict "use the baseline" can be followed."""
    cleaning = list(STEPS) if parts.config.data.cleaning else []
    with _written(folder, "Free some space and start again."):
        for name, baseline in baselines.items():
            if not baseline.is_saved:
                continue
            target = unfinished(folder) / BASELINES_FOLDER / name
            remove(target)
            manifest = Manifest.of(baseline.predictor.task, parts.columns, predictor=name, cleaning=cleaning)
            baseline.predictor.save(target, manifest)


def write_outputs(
    request: Request,
    parts: Parts,
    model: Model,
    result: FitResult,
    metrics: dict[str, Any],
    scores: Scores,
    errors: list[dict[str, Any]],
    suspects: list[Suspect],
) -> None:
    """Write everything but the models, which are there already."""
    from superfine.report.card import render_card
    from superfine.report.page import render_page

    part = unfinished(request.folder)
    metrics["run"] = {
        "data": data_names(request.data),
        "date": f"{datetime.now():%Y-%m-%dT%H:%M}",
        "command": command_of(request),
        "columns": _columns_of_predictions(parts, scores),
    }
    with _written(request.folder, "Free some space, then go on with --resume."):
        LearnedTexts.of_examples([parts.train, parts.validation]).save(part / LEARNED)
        write_predictions(part / PREDICTIONS, parts.test, scores.answers)
        if suspects:
            write_suspects(part / SUSPECTS, suspects, request.language)
        # Where `push_to_hub` and `hf upload` take it: in the folder that others get.
        write_text(part / "model" / "README.md", render_card(metrics))
        write_text(part / "report.html", render_page(metrics, errors, request.language))
        write_text(part / "log.jsonl", "".join(json.dumps(record) + "\n" for record in metrics["training"]["history"]))
        write_run_file(request, parts.config, _choices(parts, model, result))
        write_text(part / METRICS, json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")


def _columns_of_predictions(parts: Parts, scores: Scores) -> dict[str, Any]:
    """Which columns of the table of predictions hold the text, the label, the prediction and its confidence, and the labels of
    the test part that are read as others."""
    columns, own = parts.columns, list(scores.answers.to_columns())
    names = dict(zip(own, unused_names(list(parts.test.columns), own), strict=True))
    raw, read = (parts.test.label or [], parts.task.spelled(parts.test).label or []) if parts.task.reads_classes else ([], [])
    return {
        "text": [*columns.text, *filter(None, [columns.text_pair])],
        "label": columns.label[0] if len(columns.label) == 1 else "",
        "prediction": names.get("prediction", ""),
        "confidence": names.get("confidence", ""),
        "spelled": {given: name for given, name in zip(raw, read, strict=True) if given != name},
    }


def _choices(parts: Parts, model: Model, result: FitResult) -> dict[str, Any]:
    """What was chosen by rule, not by the user."""
    weights = parts.task.class_weights(parts.config.training.class_weights, parts.train)
    return {
        "precision": result.precision,
        "batch_size": result.recipe.batch_size,
        "epochs": result.recipe.epochs,
        "learning_rate": result.recipe.learning_rate,
        "packed": model.backbone.is_packed,
        "threads": result.threads,
        "max_length": model.max_length,
        "cleaning": list(STEPS) if parts.config.data.cleaning else [],
        "gradient_accumulation": result.progress.gradient_accumulation,
        "task": model.task.name,
        "class_weights": None if weights is None else weights.tolist(),
        **model.task.choices(),
    }


@contextmanager
def _written(folder: Path, advice: str) -> Iterator[None]:
    """What cannot be written inside becomes one message."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise OutputError(f"Writing to {folder} failed: {error}.", advice) from error
