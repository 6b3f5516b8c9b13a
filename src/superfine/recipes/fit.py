"""Fine-tuning alone: every row is learned from but those that choose the epoch, and no test part is scored."""

from __future__ import annotations

from superfine.config import EvaluationConfig
from superfine.errors import ConfigError
from superfine.recipes.prepare import prepare
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request
from superfine.recipes.run_folder import begin_run, claimed_folder, finish_run, save_model
from superfine.recipes.train import check_plug_ins, check_training_installed


def fit(request: Request, reporter: Reporter) -> None:
    """Read, fine-tune, and write `model/` into the request's folder."""
    check_training_installed()
    check_plug_ins(request.config)
    if request.config.evaluation != EvaluationConfig():
        raise ConfigError("The settings of evaluation are of superfine.train: here nothing is tested.", "Leave them out.")
    with claimed_folder(request) as claimed:
        _fit(claimed, reporter)


def _fit(request: Request, reporter: Reporter) -> None:
    reporter.stage("reading")
    parts = prepare(request.data, request.validation, None, request.config, needs_test=False)
    from superfine.recipes.encode import encode_parts
    from superfine.recipes.fine_tune import fine_tune, open_model

    reporter.stage("loading")
    model, parts = open_model(parts, reporter)
    config = parts.config
    reporter.stage("encoding")
    encoded = encode_parts(parts, model.encoder, config, reporter)
    begin_run(request, config, parts.bad_rows)
    fine_tune(model, encoded, parts, request, reporter)
    save_model(request.folder, model, parts)
    finish_run(request.folder)
