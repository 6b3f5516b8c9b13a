"""Fine-tuning alone: every row is learned from but those that choose the epoch, and no test part is scored."""

from __future__ import annotations

from superfine.recipes.outputs import Timing, begin_run, save_model
from superfine.recipes.prepare import prepare
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request, claimed_folder


def fit(request: Request, reporter: Reporter) -> None:
    """Read, fine-tune, and write `model/` into the request's folder."""
    with claimed_folder(request):
        _fit(request, reporter)


def _fit(request: Request, reporter: Reporter) -> None:
    reporter.stage("reading")
    parts = prepare(request.data, request.validation, None, request.config, needs_test=False)
    from superfine.recipes.tuning import build_job, fine_tune

    reporter.stage("loading")
    job = build_job(parts, request.config, Timing(), reporter)
    begin_run(request, job.config, parts.bad_rows)
    fine_tune(job, request, reporter)
    save_model(request.folder, job.config, parts, job)
