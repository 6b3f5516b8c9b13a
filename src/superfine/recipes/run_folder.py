"""The folder of a run: who may write there, and what is written, in which order."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from safetensors import SafetensorError

from superfine.config import RunConfig
from superfine.data.clean import STEPS
from superfine.data.table import BadRow
from superfine.data.write import write_bad_rows, write_predictions
from superfine.errors import OutputError
from superfine.predictors.bundle import BASELINES_FOLDER, Manifest
from superfine.recipes.baselines import FittedBaseline
from superfine.recipes.figures import Scores, most_confident_errors
from superfine.recipes.prepare import Parts
from superfine.recipes.request import MARKER, Request

if TYPE_CHECKING:
    from superfine.model import Model
    from superfine.training.loop import FitResult

BAD_ROWS = "bad_rows.csv"


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


def begin_run(request: Request, config: RunConfig, bad_rows: Sequence[BadRow] = ()) -> None:
    """Mark the folder as this run's. What an earlier run left there goes, unless this one resumes it."""
    if not request.resume:
        for name in ("model", BASELINES_FOLDER, "checkpoint", "checkpoint.new"):
            shutil.rmtree(request.folder / name, ignore_errors=True)
        for name in ("metrics.json", "predictions.csv", "report.html", "README.md", "log.jsonl", BAD_ROWS):
            (request.folder / name).unlink(missing_ok=True)
    write_run_file(request, config)
    if bad_rows:
        write_bad_rows(request.folder / BAD_ROWS, bad_rows)


def write_run_file(request: Request, config: RunConfig, choices: dict[str, Any] | None = None) -> None:
    """`run.yaml`: the resolved configuration, what was asked, and the choices made. It serves as a --config file again."""
    content = config.model_dump(mode="json")
    content["request"] = {name: _source_name(getattr(request, name)) for name in ("data", "validation", "test")}
    if choices is not None:
        content["choices"] = choices
    write_text(request.folder / MARKER, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def _source_name(source: object) -> str | list[str] | None:
    if isinstance(source, list | tuple):
        return [str(part) for part in source]
    return str(source) if isinstance(source, str | Path) else None if source is None else "(given from Python)"


def save_model(folder: Path, model: Model, parts: Parts) -> None:
    """Write `model/`, whole or not at all."""
    fresh = folder / "model.new"
    with _written(folder, "Free some space; --resume goes on from the last checkpoint, if there is one."):
        shutil.rmtree(fresh, ignore_errors=True)
        model.save(fresh, parts.columns, cleaned=parts.config.data.cleaning)
        shutil.rmtree(folder / "model", ignore_errors=True)
        fresh.replace(folder / "model")


def save_baselines(folder: Path, baselines: Mapping[str, FittedBaseline], parts: Parts) -> None:
    """Write `baselines/NAME/` for each, so that the verdict "use the baseline" can be followed."""
    cleaning = list(STEPS) if parts.config.data.cleaning else []
    with _written(folder, "Free some space, then go on with --resume."):
        for name, baseline in baselines.items():
            target = folder / BASELINES_FOLDER / name
            shutil.rmtree(target, ignore_errors=True)
            manifest = Manifest.of(parts.task, parts.columns, predictor=name, cleaning=cleaning)
            baseline.predictor.save(target, manifest)


def write_outputs(
    request: Request, parts: Parts, model: Model, result: FitResult, metrics: dict[str, Any], scores: Scores
) -> None:
    """Write everything but the models, which are there already; the checkpoint goes when all is written."""
    from superfine.report.card import render_card
    from superfine.report.page import render_page

    folder = request.folder
    with _written(folder, "The model is in its folder model/; free some space and use `superfine evaluate`."):
        write_text(folder / "metrics.json", json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")
        write_predictions(folder / "predictions.csv", parts.test, scores.answers)
        write_text(folder / "README.md", render_card(metrics))
        errors = most_confident_errors(parts.scored_test, scores.answers.take(parts.scored))
        write_text(folder / "report.html", render_page(metrics, errors, request.language))
        write_text(folder / "log.jsonl", "".join(json.dumps(record) + "\n" for record in metrics["training"]["history"]))
        write_run_file(request, parts.config, _choices(parts, model, result))
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)


def _choices(parts: Parts, model: Model, result: FitResult) -> dict[str, Any]:
    """What was chosen by rule, not by the user."""
    weights = model.task.class_weights
    return {
        "precision": result.precision,
        "batch_size": result.recipe.batch_size,
        "epochs": result.recipe.epochs,
        "learning_rate": result.recipe.learning_rate,
        "packed": model.backbone.is_packed,
        "max_length": model.max_length,
        "class_weights": None if weights is None else weights.tolist(),
        "cleaning": list(STEPS) if parts.config.data.cleaning else [],
        "labels": list(parts.task.labels),
    }


@contextmanager
def _written(folder: Path, advice: str) -> Iterator[None]:
    """What cannot be written inside becomes one message."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise OutputError(f"Writing to {folder} failed: {error}.", advice) from error


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)
