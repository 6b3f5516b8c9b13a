"""The public Python names. Heavy imports wait until something is called."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never

if TYPE_CHECKING:
    from superfine.data.read import DataSource
    from superfine.recipes.reporter import Reporter
    from superfine.records import Evaluation, Precision, Predictor


@dataclass(frozen=True, repr=False)
class Run:
    """A finished training run. folder: what was written. metrics: the content of `metrics.json`."""

    folder: Path
    metrics: dict[str, Any]
    interrupted: bool = False

    def load(self) -> Predictor:
        """The trained model."""
        return load(self.folder)

    def __repr__(self) -> str:
        main, test = self.metrics["main"], self.metrics["test"]
        score = test[main]
        return f"Run({self.folder}: {main} {score['value']:.3f} ({score['low']:.3f}–{score['high']:.3f}) on {test['n']} texts)"

    def _repr_html_(self) -> str:
        """The main score beside the baselines, for notebooks."""
        from superfine.report.notebook import score_picture

        return score_picture(self.metrics)

    def show(self, height: int = 800) -> Any:
        """The report inside a notebook. height: in pixels."""
        from superfine.report.notebook import Framed

        return Framed((self.folder / "report.html").read_text(encoding="utf-8"), height)

    def plot_confusion(self) -> Any:
        """The confusion of true and predicted classes, as a matplotlib figure (extra `plots`).

        Raises ConfigError where matplotlib is not installed, or where the answer is no class.
        """
        from superfine.report.plots import confusion

        return confusion(self.metrics)

    def plot_learning_curve(self) -> Any:
        """Losses, and the score that chooses, by epoch, as a matplotlib figure (extra `plots`)."""
        from superfine.report.plots import learning_curve

        return learning_curve(self.metrics)

    def plot_calibration(self) -> Any:
        """How often answers of a confidence are right, as a matplotlib figure (extra `plots`)."""
        from superfine.report.plots import calibration

        return calibration(self.metrics)


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
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    max_length: int | None = None,
    device: str | None = None,
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
    **mistyped: Never,
) -> Run:
    """Fine-tune a model and test it: what `superfine train` does.

    data: a file, several files, a folder of classes, `"hf://owner/name"`, a mapping of column names to values, a pandas or polars
        frame, or a `datasets.Dataset`.
    validation, test: likewise, to choose the epoch by and to score once; held out from `data` when absent (10 and 15 %).
    text, text_pair, label: columns, found by name and content when absent; several text columns are joined.
    group: column whose equal values stay in one part. weight: column of numbers, how much a row counts in training.
    task: what is learned; by the labels when absent. model: name of the hub or folder; by the language when absent.
    epochs: passes over the training rows at most. batch_size: texts per step. learning_rate: peak rate of AdamW. All three by the
        data when absent.
    max_length: tokens that are read at a time; when absent 256, or up to 512 where the texts have them.
    device: "cpu", "cuda", "cuda:1" or "mps"; the GPU where there is one when absent.
    out: folder for everything that is written; `runs/NAME-DATE-TIME` when absent. force: replace the run that it holds.
    strict: refuse data with a blocking finding.
    config: a YAML file, or a mapping of settings, nested or by dotted keys: `{"training.patience": 1}`. settings: dotted keys on
        top.
    seed: same seed, data and number of threads, same weights; 0 when absent.
    time_limit: seconds, or "10m", for everything; none when absent. resume: folder of a run that was broken off.
    progress: tell what happens, on standard error or in the notebook. language: "en" or "zh", of messages and report.

    Raises a `superfine.errors.SuperfineError` that says what to do for anything the caller can correct, and TypeError for an
    argument that there is not.
    """
    started = time.monotonic()
    from superfine.recipes.reporter import Reporter
    from superfine.recipes.request import make_request
    from superfine.recipes.train import train as run_recipe

    if mistyped:
        raise TypeError(_no_such_argument(next(iter(mistyped))))
    named = {
        "data.text": [text] if isinstance(text, str) else list(text) if text else None,
        "data.text_pair": text_pair,
        "data.label": [label] if isinstance(label, str) else list(label) if label else None,
        "data.group": group,
        "data.weight": weight,
        "task.name": task,
        "model.name": model,
        "model.max_length": max_length,
        "training.epochs": epochs,
        "training.batch_size": batch_size,
        "training.learning_rate": learning_rate,
        "training.time_limit": time_limit,
        "device": device,
        "seed": seed,
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
    outcome = run_recipe(request, _reporter(language) if progress else Reporter())
    return Run(outcome.folder, outcome.metrics, outcome.interrupted)


def _no_such_argument(name: str) -> str:
    """The message on an argument of `train` that there is not."""
    from superfine.config import known_keys
    from superfine.names import did_you_mean

    arguments = [each for each in inspect.signature(train).parameters if each != "mistyped"]
    setting = next((key for key in known_keys() if key.rpartition(".")[2] == name), None)
    hint = f' It is a setting: settings={{"{setting}": ...}}.' if setting else did_you_mean(name, arguments)
    return f"train() has no argument {name!r}.{hint}"


def _reporter(language: str) -> Reporter:
    """What tells of a run: on standard error, or in the notebook that it runs in."""
    from superfine.cli.notebook import NotebookReporter, is_notebook

    if is_notebook():
        return NotebookReporter(language)
    from superfine.cli.console import ConsoleReporter

    return ConsoleReporter(language)


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
