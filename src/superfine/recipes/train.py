"""`superfine train`: from a table of labelled text to a tested model, in one readable ladder.

read, choose columns, learn the task, hold out → open the pretrained model and build ours on it → encode → check → fit the
baselines → fine-tune → score → write
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from superfine.backbones.adapters import make_adapter
from superfine.backbones.choose import check_model
from superfine.config import RunConfig
from superfine.data.checks.inspection import Inspection, run_checks
from superfine.data.suspects import contradictions
from superfine.errors import ConfigError, DataError, OutputError
from superfine.extras import require_installed
from superfine.predictors import NEEDS
from superfine.recipes.baselines import Baselines, fit_baselines
from superfine.recipes.figures import Timing, collect_metrics, confident_errors, errors_with_nearest_rows, score, sizes
from superfine.recipes.folds import NOT_ALL_FOLDS, in_folds, refuse_beside_folds
from superfine.recipes.frozen_embeddings import Embed, embed_once, refuse_if_no_classes
from superfine.recipes.inspection import inspection_of
from superfine.recipes.label_noise import downweighted, refuse_if_impossible
from superfine.recipes.learning_curve import refuse_if_too_few
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
from superfine.recipes.slices import weak_note
from superfine.recipes.tracking import TRACKERS
from superfine.records import Answers, Examples, Finding
from superfine.tasks.task import Task

if TYPE_CHECKING:
    from superfine.recipes.encode import EncodedParts
    from superfine.recipes.fine_tune import Opened
    from superfine.recipes.seeds import OverSeeds

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
    check_evaluation(request)
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
    has_folds = request.config.evaluation.folds is not None
    parts = prepare(request.data, request.validation, request.test, request.config, needs_test=not has_folds, reporter=reporter)
    tell_parts(request, parts, reporter)
    refuse_unsuited(parts)

    # From here on torch is needed; everything above runs without loading it.
    from superfine.recipes.encode import encode_parts
    from superfine.recipes.fine_tune import first_model, open_weights, refuse_hopeless_limit
    from superfine.recipes.seeds import train_seeds
    from superfine.recipes.tracking.tracked import tracked

    reporter.stage("loading")
    started = time.perf_counter()
    opened = open_weights(parts, reporter)
    model, parts = first_model(opened, reporter), opened.parts
    config = parts.config
    load_seconds = time.perf_counter() - started
    refuse_hopeless_limit(model, parts, request)

    if config.training.label_noise == "downweight":
        parts = downweighted(parts, model, reporter)
    reporter.stage("encoding")
    encoded = encode_parts(parts, model.encoder, config, reporter)
    inspection = inspection_of(parts, encoded.train.encoded, model.max_length, has_test=not has_folds)
    findings = run_checks(inspection)
    reporter.findings(findings)
    refuse_if_strict(request, findings)

    embed = embed_once(model, parts, reporter) if config.evaluation.baselines == "all" else None
    reporter.stage("baselines")
    # Folds have no test part of their own; their baselines are fitted again without each.
    baselines = fit_baselines(replace(parts, test=parts.validation) if has_folds else parts, reporter, embed)
    begin_run(request, config, parts.bad_rows)
    save_baselines(request.folder, baselines.fitted, parts)
    with tracked(reporter, config, request.folder) as telling:
        trained = train_seeds(opened, model, encoded, parts, request, telling)
        if trained.was_interrupted:
            if has_folds:
                raise KeyboardInterrupt(NOT_ALL_FOLDS)
            telling.note("Interrupted: the weights kept so far are evaluated and written.")
        # What is trained is written before anything else can go wrong.
        save_model(request.folder, trained.kept.model, parts)
        made = _Made(opened, trained, encoded, baselines, embed, inspection, findings, load_seconds)
        metrics, was_interrupted = _measured(made, parts, request, telling)
        finish_run(request.folder)
        telling.result(metrics, str(request.folder))
    return Outcome(request.folder, metrics, was_interrupted, next(iter(metrics["parity"]["problems"]), None))


class _Made(NamedTuple):
    """What there is when training is over, and what was known before."""

    opened: Opened
    trained: OverSeeds
    encoded: EncodedParts
    baselines: Baselines
    embed: Embed | None
    inspection: Inspection
    findings: list[Finding]
    load_seconds: float


def _measured(made: _Made, parts: Parts, request: Request, reporter: Reporter) -> tuple[dict[str, Any], bool]:
    """Score the model, prove its bundle and write everything but that: the content of `metrics.json`, and whether the user ended
    something before it was done."""
    from superfine.recipes.folds import cross_validate
    from superfine.recipes.learning_curve import learning_curve
    from superfine.recipes.parity import prove_bundle

    model, evaluation = made.trained.kept.model, parts.config.evaluation
    fitted, answers, folds = made.baselines.fitted, None, None
    if evaluation.folds is not None:
        folds = cross_validate(made.opened, parts, fitted, made.embed, request, reporter)
        parts, fitted, answers = folds.parts, folds.baselines, folds.answers
    reporter.stage("evaluating")
    scores = score(model, parts, fitted, sorted({*made.inspection.leaked, *made.inspection.leaked_groups}), reporter, answers)
    if scores.details.get("weak_slices", {}).get("found"):
        reporter.note(weak_note(scores.details["weak_slices"]))
    errors = errors_with_nearest_rows(model, parts, scores, {} if folds is not None else fitted)
    # Two large models at once would be what a run needs most memory for.
    parity = prove_bundle(unfinished(request.folder) / "model", model, parts.test, before_opening=model.backbone.release)
    own = [*parity.findings(), *constant_answer(model.task, parts.scored_test, scores.answers.take(parts.scored))]
    reporter.findings(own)
    timing = Timing(made.load_seconds, made.encoded.seconds, made.baselines.seconds, scores.seconds)
    result = made.trained.kept.result
    metrics = collect_metrics(parts, model, made.encoded, result, scores, fitted, [*own, *made.findings], timing)
    metrics["parity"] = parity.to_json()
    metrics |= {"seeds": made.trained.to_json()} if evaluation.seeds > 1 else {}
    metrics |= {"folds": folds.to_json(model.task)} if folds is not None else {}
    was_interrupted = made.trained.was_interrupted
    if evaluation.learning_curve and not was_interrupted:
        try:
            curve = learning_curve(made.opened, parts, model.task, scores.answers, request, reporter)
        except KeyboardInterrupt:  # between two trainings; everything else is there
            curve = None
        was_interrupted = curve is None
        metrics |= {} if curve is None else {"learning_curve": curve}
    suspects = contradictions(made.inspection)
    suspects += confident_errors(model.task, parts.scored_test, scores.answers.take(parts.scored))
    write_outputs(request, parts, model, result, metrics, scores, errors, suspects)
    return metrics, was_interrupted


def refuse_unsuited(parts: Parts) -> None:
    """Raises ConfigError for what is asked of data or a task that it cannot be had of, before anything takes time."""
    config = parts.config
    if config.training.label_noise == "downweight":
        refuse_if_impossible(parts, "training.label_noise=downweight")
    if config.evaluation.baselines == "all":
        refuse_if_no_classes(parts.task)
    if config.evaluation.learning_curve:
        refuse_if_too_few(parts)
    if config.evaluation.folds is not None:
        in_folds(parts)


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


def check_evaluation(request: Request) -> None:
    """Raises ConfigError for measurements that do not go together, or not into a time limit, which is that of one training."""
    refuse_beside_folds(request)
    config = request.config
    asked = {
        "--folds": config.evaluation.folds is not None,
        "--seeds": config.evaluation.seeds > 1,
        "--learning-curve": config.evaluation.learning_curve,
    }
    for option, is_asked in asked.items():
        if is_asked and config.training.time_limit is not None:
            raise ConfigError(f"A time limit is that of one training, and {option} asks for several.", "Leave one of them out.")


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
