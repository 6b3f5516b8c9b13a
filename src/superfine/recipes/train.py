"""`superfine train`: from a table of labelled text to a tested model, in one readable ladder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from superfine.config import RunConfig
from superfine.data.checks.inspection import Inspection, run_checks
from superfine.errors import DataError
from superfine.evaluation.compare import compare
from superfine.evaluation.evaluate import evaluate
from superfine.recipes.baselines import BaselinePredictions, predict_baselines
from superfine.recipes.outputs import BAD_ROWS, Scores, Timing, begin_run, collect_metrics, save_model, write_outputs
from superfine.recipes.prepare import Parts, prepare, resolved
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.request import Request, claimed_folder
from superfine.recipes.tracking import TRACKERS
from superfine.records import Finding, TextPredictor


@dataclass(frozen=True)
class Outcome:
    """What a run came to. `interrupted` is True after Ctrl-C, with everything written that was finished."""

    folder: Path
    metrics: dict[str, Any]
    interrupted: bool


def train(request: Request, reporter: Reporter) -> Outcome:
    """Read, check, fine-tune, evaluate, write. Raises a SuperfineError for anything the user can mend."""
    config = request.config
    check_plug_ins(config)
    with claimed_folder(request):
        return _train(request, reporter)


def _train(request: Request, reporter: Reporter) -> Outcome:
    config = request.config
    reporter.stage("reading")
    parts = prepare(request.data, request.validation, request.test, config, reporter=reporter)
    config = config.model_copy(update={"data": resolved(config.data, parts.columns)})
    tell_parts(parts, reporter)

    timing = Timing()
    # From here on torch is needed; everything above answers without loading it.
    from superfine.recipes.tracking.tracked import tracked
    from superfine.recipes.tuning import build_job, fine_tune

    reporter.stage("loading")
    job = build_job(parts, config, timing, reporter)
    config = job.config
    inspection = Inspection(
        train=parts.train,
        validation=parts.validation,
        test=parts.scored_test,
        encoded=job.train.encoded,
        max_length=job.model.max_length,
        model=config.model.name,
    )
    findings = run_checks(inspection)
    reporter.findings(findings)
    refuse_if_strict(request, findings)

    reporter.stage("baselines")
    baseline_predictions = predict_baselines(parts, timing, request)
    begin_run(request, config, parts.bad_rows)
    with tracked(reporter, config, request.folder) as telling:
        result = fine_tune(job, request, telling)
        # What is trained is kept before anything else can go wrong.
        save_model(request.folder, config, parts, job)

        telling.stage("evaluating")
        scores = _score(job.model, parts, baseline_predictions, inspection.leaked, timing, telling)
        metrics = collect_metrics(config, parts, job, result, scores, findings, timing)
        write_outputs(request, config, parts, job, result, metrics, scores)
        telling.result(metrics, str(request.folder))
    return Outcome(request.folder, metrics, result.stopped == "interrupted")


def check_plug_ins(config: RunConfig) -> None:
    """Tell a mistake in the names and options of plug-ins before anything takes time. Raises ConfigError or a missing extra."""
    for name in config.track:
        TRACKERS.load(name)
    if config.training.regularisers != RunConfig().training.regularisers:
        from superfine.training.objective import compose

        compose(config.training.regularisers)


def refuse_if_strict(request: Request, findings: list[Finding]) -> None:
    """Raises DataError for a blocking finding where the user wants none."""
    blocking = [found for found in findings if found.severity == "blocking"]
    if request.strict and blocking:
        raise DataError(f"Refused by --strict: {blocking[0].message}", blocking[0].advice)


def tell_parts(parts: Parts, reporter: Reporter) -> None:
    """What was read, what was left out, and how many rows each part has."""
    for note in parts.notes:
        reporter.note(note)
    if parts.bad_rows:
        reporter.note(f"Left out: {len(parts.bad_rows)} records that cannot be read (a run lists them in {BAD_ROWS})")
    reporter.note(f"Columns: {parts.columns.describe()}")
    for name, dropped in parts.dropped.items():
        if len(dropped):
            rows = [*dropped.without_text, *dropped.without_label]
            listed = ", ".join(map(str, sorted(rows)[:10])) + (", ..." if len(rows) > 10 else "")
            counts = f"{len(dropped.without_text)} rows without text, {len(dropped.without_label)} without label"
            reporter.note(f"Left out of {name}: {counts} (rows {listed})")
    sizes = parts.sizes()
    counts = f"{sizes['train']} to train, {sizes['validation']} to validate, {sizes['test']} to test"
    reporter.note(f"Rows: {counts}; {len(parts.task.labels)} classes")
    if parts.unscored_rows:
        some = ", ".join(map(str, parts.unscored_rows[:10])) + (", ..." if len(parts.unscored_rows) > 10 else "")
        reporter.note(f"Predicted but not scored (no known label): {len(parts.unscored_rows)} test rows ({some})")


def _score(
    model: TextPredictor,
    parts: Parts,
    baselines: dict[str, BaselinePredictions],
    leaked: list[int],
    timing: Timing,
    reporter: Reporter,
) -> Scores:
    started = time.perf_counter()
    counter = Counter(reporter, len(parts.test) + len(parts.validation))
    every = model.predict_examples(parts.test, counter)
    predictions = every.take(parts.scored)
    theirs = {name: baseline.predictions.take(parts.scored) for name, baseline in baselines.items()}
    true = parts.targets(parts.scored_test)
    clean = np.setdiff1d(np.arange(len(true)), np.array(leaked, dtype=np.int64))
    without = evaluate(true[clean], predictions.take(clean)) if leaked and len(clean) else None
    scores = Scores(
        predictions=every,
        test=evaluate(true, predictions),
        test_without_leaks=without,
        validation=evaluate(parts.targets(parts.validation), model.predict_examples(parts.validation, counter)),
        baselines={name: evaluate(true, predicted) for name, predicted in theirs.items()},
        titles={name: baseline.title for name, baseline in baselines.items()},
        comparisons={name: compare(true, predictions, predicted) for name, predicted in theirs.items()},
    )
    timing.evaluate_seconds = time.perf_counter() - started
    return scores
