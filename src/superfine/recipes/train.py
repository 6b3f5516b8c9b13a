"""`superfine train`: from a table of labelled text to a tested model, in one readable ladder.

read, choose columns, learn the task, hold out → open the pretrained model and build ours on it → encode → check → fit the
baselines → fine-tune → score → write
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from superfine.backbones.adapters import make_adapter
from superfine.backbones.choose import check_model
from superfine.config import RunConfig
from superfine.data.checks.inspection import run_checks
from superfine.errors import ConfigError, DataError, OutputError
from superfine.extras import require_installed
from superfine.predictors import NEEDS
from superfine.recipes.baselines import fit_baselines
from superfine.recipes.figures import Timing, collect_metrics, score, sizes
from superfine.recipes.inspection import inspection_of
from superfine.recipes.label_noise import downweighted, refuse_if_impossible
from superfine.recipes.prepare import Parts, prepare
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request
from superfine.recipes.run_folder import (
    BAD_ROWS,
    METRICS,
    begin_run,
    broken_off_at,
    claimed_folder,
    finish_run,
    save_baselines,
    save_model,
    unfinished,
    write_outputs,
)
from superfine.recipes.tracking import TRACKERS
from superfine.records import Answers, Examples, Finding
from superfine.tasks.task import Task

FEWEST_ANSWERS = 10
"""Of fewer test texts one answer for all may be right."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    interrupted: after Ctrl-C, with everything written that was finished. differs: how the saved model differs in plain
    transformers, or None where it does not.
    """

    folder: Path
    metrics: dict[str, Any]
    interrupted: bool
    differs: str | None = None


def train(request: Request, reporter: Reporter) -> Outcome:
    """Read, check, fine-tune, evaluate, write. Raises a SuperfineError for anything the user can correct."""
    check_training_installed()
    check_plug_ins(request.config)
    check_model(request.config.model.name)
    with claimed_folder(request) as claimed:
        return _finished_before(claimed, reporter) or _train(claimed, reporter)


def _finished_before(request: Request, reporter: Reporter) -> Outcome | None:
    """What a resumed run came to that had only to be moved to its place, or None where there is more to do."""
    if not request.resume or unfinished(request.folder).exists():
        return None
    if not (request.folder / METRICS).exists():
        raise OutputError(f"The run in {request.folder} is finished.", "Start a new one without --resume.")
    metrics = json.loads((request.folder / METRICS).read_text(encoding="utf-8"))
    reporter.result(metrics, str(request.folder))
    problem = next(iter(metrics["parity"]["problems"]), None)
    return Outcome(request.folder, metrics, metrics["training"]["stopped"] == "interrupted", problem)


def _train(request: Request, reporter: Reporter) -> Outcome:
    reporter.stage("reading")
    parts = prepare(request.data, request.validation, request.test, request.config, reporter=reporter)
    tell_parts(request, parts, reporter)
    if request.config.training.label_noise == "downweight":
        refuse_if_impossible(parts, "training.label_noise=downweight")

    # From here on torch is needed; everything above runs without loading it.
    from superfine.recipes.encode import encode_parts
    from superfine.recipes.fine_tune import fine_tune, open_model, refuse_hopeless_limit
    from superfine.recipes.parity import prove_bundle
    from superfine.recipes.tracking.tracked import tracked

    reporter.stage("loading")
    started = time.perf_counter()
    model, parts = open_model(parts, reporter)
    config = parts.config
    load_seconds = time.perf_counter() - started
    refuse_hopeless_limit(model, parts, request)

    if config.training.label_noise == "downweight":
        parts = downweighted(parts, model, reporter)
    reporter.stage("encoding")
    encoded = encode_parts(parts, model.encoder, config, reporter)
    inspection = inspection_of(parts, encoded.train.encoded, model.max_length)
    findings = run_checks(inspection)
    reporter.findings(findings)
    refuse_if_strict(request, findings)

    reporter.stage("baselines")
    baselines = fit_baselines(parts, reporter)
    begin_run(request, config, parts.bad_rows)
    save_baselines(request.folder, baselines.fitted, parts)
    with tracked(reporter, config, request.folder) as telling:
        result = fine_tune(model, encoded, parts, request, telling)
        # What is trained is written before anything else can go wrong.
        save_model(request.folder, model, parts)

        telling.stage("evaluating")
        scores = score(model, parts, baselines.fitted, sorted({*inspection.leaked, *inspection.leaked_groups}), telling)
        # Two large models at once would be what a run needs most memory for.
        parity = prove_bundle(unfinished(request.folder) / "model", model, parts.test, before_opening=model.backbone.release)
        own = [*parity.findings(), *constant_answer(model.task, parts.scored_test, scores.answers.take(parts.scored))]
        telling.findings(own)
        findings = [*own, *findings]
        timing = Timing(load_seconds, encoded.seconds, baselines.seconds, scores.seconds)
        metrics = collect_metrics(parts, model, encoded, result, scores, baselines.fitted, findings, timing)
        metrics["parity"] = parity.to_json()
        write_outputs(request, parts, model, result, metrics, scores, baselines.fitted)
        finish_run(request.folder)
        telling.result(metrics, str(request.folder))
    return Outcome(request.folder, metrics, result.stopped == "interrupted", next(iter(parity.problems), None))


def constant_answer(task: Task, examples: Examples, answers: Answers) -> list[Finding]:
    """A finding where the model says the same of every text of several kinds."""
    said, true = ({*map(str, column)} for column in (answers.to_columns()["prediction"], task.spelled(examples).label or []))
    if len(examples) < FEWEST_ANSWERS or len(said) > 1 or len(true) < 2:
        return []
    n = len(examples)
    only = task.in_words(answers.to_columns()["prediction"][0])
    return [
        Finding(
            "constant_answer",
            "blocking",
            n,
            1.0,
            (),
            f'The model says "{only}" of every one of the {n} test texts: it has learned nothing that tells them apart.',
            "Give it more rows or passes (--set training.epochs=10), or look whether the text column is the right one.",
        )
    ]


def check_training_installed() -> None:
    """Raises ConfigError with the command that installs the training part, where only the predicting part is there."""
    require_installed(*NEEDS["torch"])


def check_plug_ins(config: RunConfig) -> None:
    """Tell a mistake in the names and options of plug-ins before anything takes time. Raises ConfigError or a missing extra."""
    for name in config.track:
        TRACKERS.load(name)
    if config.training.regularisers:
        from superfine.training.objective import compose

        compose(config.training.regularisers)
    if config.model.adapter is not None:
        make_adapter(config.model.adapter)
        require_installed("lora", "peft")
        if config.model.freeze is not None:
            raise ConfigError("model.freeze has no effect beside model.adapter: all but the adapter is frozen.", "Leave one out.")
    _refuse_changes_below_adapter(config)


def _refuse_changes_below_adapter(config: RunConfig) -> None:
    """Raises ConfigError where an adapter cannot be saved alone: there is none, or the model below it is another one than is
    named."""
    if not config.model.adapter_only:
        return
    if config.model.adapter is None:
        raise ConfigError("There is no adapter to save alone.", "Ask for one: --set model.adapter='{lora: {r: 8}}'.")
    changed = next((name for name in ("layers", "prune_vocabulary") if getattr(config.model, name) is not None), None)
    if changed is not None:
        raise ConfigError(
            f"model.{changed} changes the model that the adapter would belong to.", "Leave it out, or save the whole model."
        )


def refuse_if_strict(request: Request, findings: list[Finding]) -> None:
    """Raises DataError for a blocking finding where the user wants none."""
    blocking = [found for found in findings if found.severity == "blocking"]
    if request.strict and blocking:
        raise DataError(f"Refused by --strict: {blocking[0].message}", blocking[0].advice)


def tell_parts(request: Request, parts: Parts, reporter: Reporter) -> None:
    """What was read, what was left out, and how many rows each part has."""
    if (given_up := broken_off_at(request)) is not None:
        reporter.note(f"--force gives up the run in {request.folder} that was broken off after step {given_up}.")
    for note in (*request.notes, *parts.notes):
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
    n = sizes(parts)
    counts = f"{n['train']} to train, {n['validation']} to validate, {n['test']} to test"
    reporter.note(f"Rows: {counts}; {parts.task.shown.summary}")
    if parts.unscored_rows:
        some = ", ".join(map(str, parts.unscored_rows[:10])) + (", ..." if len(parts.unscored_rows) > 10 else "")
        reporter.note(f"Predicted but not scored (no known label): {len(parts.unscored_rows)} test rows ({some})")
