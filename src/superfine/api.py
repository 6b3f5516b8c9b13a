"""The public Python names. Heavy imports wait until something is called."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from superfine.config import Precision
    from superfine.data.read import DataSource
    from superfine.records import Evaluation, Predictor


@dataclass(frozen=True)
class Run:
    """A finished training run. folder: what was written. metrics: the content of `metrics.json`."""

    folder: Path
    metrics: dict[str, Any]
    interrupted: bool = False

    def load(self) -> Predictor:
        """The trained model."""
        return load(self.folder)


def train(
    data: DataSource,
    *,
    validation: DataSource | None = None,
    test: DataSource | None = None,
    text: str | Sequence[str] | None = None,
    text_pair: str | None = None,
    label: str | Sequence[str] | None = None,
    group: str | None = None,
    weight: str | None = None,
    task: str | None = None,
    model: str | None = None,
    out: str | Path | None = None,
    force: bool = False,
    strict: bool = False,
    config: str | Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    time_limit: str | float | None = None,
    resume: str | Path | None = None,
    progress: bool = True,
    language: str = "en",
) -> Run:
    """Fine-tune a model and test it: what `superfine train` does.

    data, validation, test: a file, several files, a folder of classes, `"hf://owner/name"`, a mapping of column names to values,
    a pandas or polars frame, or a `datasets.Dataset`. Parts that are not given are held out from `data`.
    config: a YAML file or nested mapping; settings: dotted keys on top, `{"training.epochs": 2}`.
    time_limit: seconds, or "10m". strict: refuse data with a blocking finding. progress: print to standard error.
    language: "en" or "zh", of what is printed and of the report.

    Raises a `superfine.errors.SuperfineError` that says what to do for anything the caller can correct.
    """
    started = time.monotonic()
    from superfine.recipes.reporter import Reporter
    from superfine.recipes.request import make_request
    from superfine.recipes.train import train as run_recipe

    named = {
        "data.text": [text] if isinstance(text, str) else list(text) if text else None,
        "data.text_pair": text_pair,
        "data.label": [label] if isinstance(label, str) else list(label) if label else None,
        "data.group": group,
        "data.weight": weight,
        "task.name": task,
        "model.name": model,
        "seed": seed,
        "training.time_limit": time_limit,
    }
    request = make_request(
        data,
        validation=validation,
        test=test,
        out=None if out is None else Path(out),
        config=Path(config) if isinstance(config, str) else config,
        overrides={**(settings or {}), **{key: value for key, value in named.items() if value is not None}},
        force=force,
        resume=None if resume is None else Path(resume),
        strict=strict,
        started=started,
        language=language,
    )
    if progress:
        from superfine.cli.console import ConsoleReporter

        reporter: Reporter = ConsoleReporter(language)
    else:
        reporter = Reporter()
    outcome = run_recipe(request, reporter)
    return Run(outcome.folder, outcome.metrics, outcome.interrupted)


def load(
    folder: str | Path, *, precision: Precision | None = None, baseline: str | None = None, device: str = "auto"
) -> Predictor:
    """The trained model of a run's folder: `load("runs/x").predict(["Fine."]).label`.

    precision: "bfloat16" is about twice as fast where the processor multiplies it in hardware, and may change the label of a text
    that lies on the border; absent: "float32", as the run was tested. baseline: "tfidf" or "majority", the baselines that the run
    was compared with, instead of the model. device: "cpu", "cuda", "cuda:1", "mps"; "auto" is the GPU where there is one.
    """
    from superfine.predictors.bundle import open_predictor

    return open_predictor(folder, precision, baseline, device)


def evaluate(
    folder: str | Path,
    data: DataSource,
    *,
    text: str | Sequence[str] | None = None,
    text_pair: str | None = None,
    label: str | Sequence[str] | None = None,
    group: str | None = None,
    precision: Precision | None = None,
    baseline: str | None = None,
    device: str = "auto",
) -> Evaluation:
    """Score a trained model on labelled data, with 95 % intervals.

    text, text_pair, label: columns, where they are called otherwise than in training. group: column whose equal values say which
    rows belong together. precision, baseline, device: see `load`.
    """
    from superfine.recipes.evaluate import evaluate_run

    texts, labels = ([named] if isinstance(named, str) else list(named) if named else None for named in (text, label))
    return evaluate_run(
        Path(folder), data, texts, text_pair, labels, group=group, precision=precision, baseline=baseline, device=device
    ).evaluation
