"""`superfine train --dry-run`: everything that can be known without the model, and nothing written."""

from __future__ import annotations

from typing import Any

from superfine.data.checks.inspection import Inspection, run_checks
from superfine.recipes.figures import sizes
from superfine.recipes.prepare import prepare
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request
from superfine.recipes.run_folder import check_folder
from superfine.recipes.train import check_plug_ins, refuse_if_strict, tell_parts


def dry_run(request: Request, reporter: Reporter) -> dict[str, Any]:
    """Read and check the data and say what training would do. Refuses what `train` would refuse before loading a model."""
    check_folder(request)
    check_plug_ins(request.config)
    reporter.stage("reading")
    parts = prepare(request.data, request.validation, request.test, request.config, reporter=reporter)
    tell_parts(request, parts, reporter)
    cleans = request.config.data.cleaning
    findings = run_checks(Inspection(train=parts.train, validation=parts.validation, test=parts.scored_test, cleans=cleans))
    reporter.findings(findings)
    refuse_if_strict(request, findings)
    reporter.note(f"Would fine-tune {request.config.model.name} and write to {request.folder}")
    return {
        "folder": str(request.folder),
        "labels": list(parts.task.labels),
        "columns": parts.columns.describe(),
        "data": {**sizes(parts), "not_scored": list(parts.unscored_rows), "bad_rows": len(parts.bad_rows)},
        "findings": [finding.to_json() for finding in findings],
    }
