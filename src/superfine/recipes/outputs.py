"""Everything `train` writes: the model, the metrics, the predictions, the report, the card and the resolved configuration."""

from __future__ import annotations

import csv
import json
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import yaml
from safetensors import SafetensorError

from superfine.config import RunConfig
from superfine.data.clean import STEPS
from superfine.data.table import BadRow
from superfine.errors import OutputError
from superfine.evaluation.compare import Comparison
from superfine.recipes.prepare import Parts
from superfine.recipes.request import MARKER, Request
from superfine.records import Evaluation, Examples, Finding, Predictions

if TYPE_CHECKING:
    from superfine.recipes.tuning import Job
    from superfine.training.loop import FitResult


BAD_ROWS = "bad_rows.csv"
JSON_ENDINGS = (".jsonl", ".ndjson")
OTHER_ENDINGS = (".json", ".xlsx", ".xls", ".parquet", ".gz", ".zst", ".zip")
"""A file of such a name would be taken for what it is not."""


@dataclass
class Timing:
    """Seconds of each stage beside training, and how many rows the baselines were fitted on where not all."""

    load_seconds: float = 0.0
    encode_seconds: float = 0.0
    baseline_seconds: float = 0.0
    baseline_rows: int | None = None
    evaluate_seconds: float = 0.0


@dataclass(frozen=True)
class Scores:
    """Everything measured on the test part, and the validation score of the weights that were kept."""

    predictions: Predictions
    test: Evaluation
    test_without_leaks: Evaluation | None
    validation: Evaluation
    baselines: Mapping[str, Evaluation]
    titles: Mapping[str, str]
    comparisons: Mapping[str, Comparison]


def collect_metrics(
    config: RunConfig, parts: Parts, job: Job, result: FitResult, scores: Scores, findings: list[Finding], timing: Timing
) -> dict[str, Any]:
    """The content of `metrics.json`."""
    fitted = "" if timing.baseline_rows is None else f" (fitted on {timing.baseline_rows} rows)"
    metrics: dict[str, Any] = {
        "task": parts.task.name,
        "labels": list(parts.task.labels),
        "model": config.model.name,
        "precision": "float32",
        "test": scores.test.to_json(),
        "validation": scores.validation.to_json(),
        "baselines": {
            name: {"title": scores.titles[name], **evaluation.to_json()} for name, evaluation in scores.baselines.items()
        },
        "comparison": {
            name: {**comparison.to_json(), "verdict": verdict(comparison, scores.titles[name]) + fitted}
            for name, comparison in scores.comparisons.items()
        },
        "training": _training_facts(job, result, timing),
        "data": _data_facts(parts, job),
        "findings": [finding.to_json() for finding in findings],
        "environment": environment(job),
        "seed": config.seed,
    }
    if scores.test_without_leaks is not None:
        metrics["test_without_leaks"] = scores.test_without_leaks.to_json()
    return metrics


def verdict(comparison: Comparison, name: str) -> str:
    """The comparison with the baseline of that name in plain words."""
    if not comparison.distinguishable("accuracy"):
        return f"not distinguishable from the baseline, {name}"
    return f"better than {name}" if comparison.differences["accuracy"].value > 0 else f"worse than {name}: use the baseline"


def _training_facts(job: Job, result: FitResult, timing: Timing) -> dict[str, Any]:
    progress = result.progress
    seconds = max(progress.step_seconds, 1e-9)
    facts = {
        "seconds": progress.total_seconds,
        "examples_per_second": progress.texts / seconds,
        "tokens_per_second": progress.tokens / seconds,
        "epochs": progress.epoch
        if result.stopped is None
        else progress.step / max(1, -(-len(job.train) // result.recipe.batch_size)),
        "steps": progress.step,
        "batch_size": result.recipe.batch_size,
        "learning_rate": result.recipe.learning_rate,
        "kept_epoch": progress.kept_epoch + 1,
        "history": [{**vars(record), "epoch": record.epoch + 1} for record in progress.history],
        "peak_memory_mb": peak_memory_mb(),
        "precision": result.precision,
        "packed": job.model.backbone.is_packed,
        "stopped": result.stopped,
        "load_seconds": timing.load_seconds,
        "encode_seconds": timing.encode_seconds,
        "baseline_seconds": timing.baseline_seconds,
        "evaluate_seconds": timing.evaluate_seconds,
    }
    if timing.baseline_rows is not None:
        facts["baseline_rows"] = timing.baseline_rows
    return facts


def _data_facts(parts: Parts, job: Job) -> dict[str, Any]:
    encoded = job.train.encoded
    return {
        **parts.sizes(),
        "not_scored": parts.unscored_rows,
        "bad_rows": len(parts.bad_rows),
        "dropped": {name: dropped.to_json() for name, dropped in parts.dropped.items() if len(dropped)},
        "max_length": job.model.max_length,
        "truncated_share": float(encoded.truncated.mean()),
        "unknown_token_share": encoded.unknown_share,
        "tokens_per_text": float(encoded.lengths.mean()),
    }


def environment(job: Job) -> dict[str, Any]:
    """The versions and the machine behind the figures."""
    import torch

    device = job.model.backbone.device
    return {
        "superfine": version("superfine"),
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
    }


def peak_memory_mb() -> int | None:
    """The largest resident size of this process so far, where the system tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (1024 * 1024 if sys.platform == "darwin" else 1024))


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


def write_outputs(
    request: Request, config: RunConfig, parts: Parts, job: Job, result: FitResult, metrics: dict[str, Any], scores: Scores
) -> None:
    """Write everything but the model, which is there already; the checkpoint goes when all is written."""
    from superfine.report.card import render_card
    from superfine.report.page import render_page

    folder = request.folder
    try:
        write_text(folder / "metrics.json", json.dumps(metrics, indent=2, ensure_ascii=False) + "\n")
        write_predictions(folder / "predictions.csv", parts.test, scores.predictions)
        write_text(folder / "README.md", render_card(metrics))
        errors = most_confident_errors(parts.scored_test, scores.predictions.take(parts.scored))
        write_text(folder / "report.html", render_page(metrics, errors, request.language))
        write_text(folder / "log.jsonl", "".join(json.dumps(record) + "\n" for record in metrics["training"]["history"]))
        choices = {
            "precision": metrics["training"]["precision"],
            "batch_size": result.recipe.batch_size,
            "epochs": result.recipe.epochs,
            "learning_rate": result.recipe.learning_rate,
            "packed": job.model.backbone.is_packed,
            "max_length": job.model.max_length,
            "class_weights": None if job.model.task.class_weights is None else job.model.task.class_weights.tolist(),
            "cleaning": list(STEPS) if config.data.cleaning else [],
            "labels": list(parts.task.labels),
        }
        write_run_file(request, config, choices)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"Writing to {folder} failed: {error}.",
            "The model is in its folder model/; free some space and use `superfine evaluate`.",
        ) from error
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)


def begin_run(request: Request, config: RunConfig, bad_rows: Sequence[BadRow] = ()) -> None:
    """Mark the folder as this run's. What an earlier run left there goes, unless this one resumes it."""
    if not request.resume:
        for name in ("model", "checkpoint", "checkpoint.new"):
            shutil.rmtree(request.folder / name, ignore_errors=True)
        for name in ("metrics.json", "predictions.csv", "report.html", "README.md", "log.jsonl", BAD_ROWS):
            (request.folder / name).unlink(missing_ok=True)
    write_run_file(request, config)
    if bad_rows:
        write_bad_rows(request.folder / BAD_ROWS, bad_rows)


def write_bad_rows(path: Path, bad_rows: Sequence[BadRow]) -> None:
    """The records that were left out: file, row, line, reason, and how each begins."""
    with open(path, "w", encoding="utf-8", newline="", errors="backslashreplace") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(field.name for field in fields(BadRow))
        writer.writerows(astuple(bad) for bad in bad_rows)


def save_model(folder: Path, config: RunConfig, parts: Parts, job: Job) -> None:
    """Write `model/`, whole or not at all."""
    fresh = folder / "model.new"
    columns = parts.columns
    try:
        shutil.rmtree(fresh, ignore_errors=True)
        job.model.save(fresh, text=columns.text, text_pair=columns.text_pair, label=columns.label, cleaned=config.data.cleaning)
        shutil.rmtree(folder / "model", ignore_errors=True)
        fresh.replace(folder / "model")
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"Writing to {folder} failed: {error}.",
            "Free some space; --resume goes on from the last checkpoint, if there is one.",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def unused_names(taken: list[str], wanted: list[str]) -> list[str]:
    """The wanted names, each with a suffix where it is taken already."""
    seen, names = set(taken), []
    for name in wanted:
        unique, n = name, 2
        while unique in seen:
            unique, n = f"{name}_{n}", n + 1
        seen.add(unique)
        names.append(unique)
    return names


class PredictionWriter:
    """Writes the input's columns and the predictions, piece by piece: CSV, tab-separated values, or JSON Lines."""

    def __init__(self, stream: IO[str], columns: Sequence[str], labels: tuple[str, ...], ending: str = ".csv") -> None:
        """columns: of every piece. ending: of the file's name, in lower case."""
        self._stream, self._as_json = stream, ending in JSON_ENDINGS
        self._csv = csv.writer(stream, delimiter="\t" if ending == ".tsv" else ",", lineterminator="\n")
        if not self._as_json:
            self._csv.writerow(prediction_header(list(columns), labels))

    def write(self, examples: Examples, predictions: Predictions) -> None:
        """The next rows."""
        if self._as_json:
            records = prediction_records(examples.columns, predictions)
            self._stream.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        else:
            self._csv.writerows(prediction_rows(examples.columns, predictions))


def prediction_header(columns: list[str], labels: tuple[str, ...]) -> list[str]:
    """The input's columns, then ours."""
    return columns + unused_names(columns, ["prediction", "confidence", *(f"p:{label}" for label in labels)])


def write_predictions(path: Path, examples: Examples, predictions: Predictions) -> None:
    """The input's columns and the predictions in the input's order: CSV, or JSON lines where the name says so."""
    with open_predictions(path, list(examples.columns), predictions.labels) as writer:
        writer.write(examples, predictions)


@contextmanager
def open_predictions(
    path: Path, columns: Sequence[str], labels: tuple[str, ...], encoding: str = "utf-8"
) -> Iterator[PredictionWriter]:
    """A writer to a file that is there whole afterwards, or not at all."""
    is_plain = path.is_file() or not path.exists()
    fresh = path.with_name(path.name + ".new") if is_plain else path
    try:
        with open(fresh, "w", encoding=encoding, newline="") as stream:
            yield PredictionWriter(stream, columns, labels, path.suffix.lower())
        if is_plain:
            fresh.replace(path)
    except BaseException:
        if is_plain:
            fresh.unlink(missing_ok=True)
        raise


def prediction_records(columns: Mapping[str, list[str]], predictions: Predictions) -> Iterator[dict[str, Any]]:
    """One mapping per row: its columns, prediction, confidence, probabilities; a name that clashes gets a suffix."""
    names = unused_names(list(columns), ["prediction", "confidence", "probabilities"])
    for i, label in enumerate(predictions.label):
        inputs = {name: column[i] for name, column in columns.items()}
        probabilities = dict(zip(predictions.labels, predictions.probabilities[i].tolist(), strict=True))
        ours = (label, float(predictions.confidence[i]), probabilities)
        yield inputs | dict(zip(names, ours, strict=True))


def prediction_rows(columns: Mapping[str, list[str]], predictions: Predictions) -> Iterator[list[str]]:
    """One row per prediction, as `prediction_header` names them."""
    inputs = list(zip(*columns.values(), strict=True)) if columns else [()] * len(predictions)
    for values, label, confidence, probabilities in zip(
        inputs, predictions.label, predictions.confidence, predictions.probabilities, strict=True
    ):
        yield [*values, label, f"{confidence:.6f}", *(f"{p:.6f}" for p in probabilities)]


def most_confident_errors(examples: Examples, predictions: Predictions, limit: int = 12) -> list[dict[str, Any]]:
    """The wrong predictions that the model was surest of: often they show wrong labels rather than a wrong model."""
    truth = examples.label or []
    wrong = [i for i, (label, true) in enumerate(zip(predictions.label, truth, strict=True)) if label != true]
    wrong.sort(key=lambda i: -predictions.confidence[i])
    return [
        {
            "row": int(examples.row[i]),
            "text": examples.text[i],
            "label": truth[i],
            "prediction": predictions.label[i],
            "confidence": float(predictions.confidence[i]),
        }
        for i in wrong[:limit]
    ]
