"""`superfine train --dry-run`: everything that can be known without the model's weights, and nothing written."""

from __future__ import annotations

from typing import Any

from superfine.backbones.choose import check_model
from superfine.backbones.locate import encoder_without_loading, resolve
from superfine.data.checks.inspection import Inspection, run_checks
from superfine.data.preparation import chosen_windows
from superfine.recipes.figures import sizes
from superfine.recipes.models import Fit, rank_models
from superfine.recipes.prepare import prepare
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.request import Request
from superfine.recipes.run_folder import check_folder
from superfine.recipes.train import check_plug_ins, refuse_if_strict, tell_parts

N_OTHERS = 3


def dry_run(request: Request, reporter: Reporter) -> dict[str, Any]:
    """Read and check the data and say what training would do. Refuses what `train` would refuse before loading a model."""
    check_folder(request)
    check_plug_ins(request.config)
    check_model(request.config.model.name)
    reporter.stage("reading")
    parts = prepare(request.data, request.validation, request.test, request.config, reporter=reporter)
    tell_parts(request, parts, reporter)
    config = parts.config
    cleans = config.data.cleaning
    encoder = encoder_without_loading(
        resolve(config.model.name),
        config.model.max_length,
        cleaning=cleans,
        windows=lambda longest: chosen_windows(config.model, longest, by_token=parts.task.head.by_token),
    )
    if encoder is None:
        reporter.note(f"Tokens are not counted: {config.model.name} has no tokenizer.json here.")
    else:
        reporter.stage("encoding")
    inspection = Inspection(
        train=parts.train,
        validation=parts.validation,
        test=parts.scored_test,
        encoded=None if encoder is None else encoder.encode(parts.train, Counter(reporter, len(parts.train))),
        max_length=0 if encoder is None else encoder.max_length,
        model=config.model.name,
        cleans=cleans,
        reading=parts.reading,
        has_classes=parts.task.reads_classes,
    )
    findings = run_checks(inspection)
    reporter.findings(findings)
    refuse_if_strict(request, findings)
    fits = rank_models(parts, reporter, measure=False)
    if others := _others(fits, config.model.name):
        reporter.note(f"Other models that suit these texts: {', '.join(others)} (superfine models DATA tells time and memory)")
    reporter.note(f"Would fine-tune {config.model.name} and write to {request.folder}")
    return {
        "folder": str(request.folder),
        "task": parts.task.name,
        "labels": list(parts.task.labels),
        "columns": parts.columns.describe(),
        "data": {**sizes(parts), "not_scored": list(parts.unscored_rows), "bad_rows": len(parts.bad_rows)},
        "findings": [finding.to_json() for finding in findings],
        "model": config.model.name,
        "models": [fit.to_json() for fit in fits if fit.suits],
    }


def _others(fits: list[Fit], chosen: str) -> list[str]:
    """The best of the others that read the language."""
    return [fit.entry.name for fit in fits if fit.suits and fit.entry.name != chosen][:N_OTHERS]
