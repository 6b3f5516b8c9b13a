"""`superfine train --dry-run`: everything that can be known without the model's weights, and nothing written."""

from __future__ import annotations

from typing import Any

from superfine.backbones.choose import check_model
from superfine.backbones.locate import encoder_without_loading, resolve
from superfine.data.checks.inspection import Inspection, label_counts, run_checks
from superfine.recipes.figures import sizes
from superfine.recipes.inspection import inspection_of, token_facts
from superfine.recipes.models import Fit, rank_models, usual_seconds
from superfine.recipes.prepare import Parts, prepare
from superfine.recipes.reading import reading_of
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.request import Request
from superfine.recipes.run_folder import check_folder
from superfine.recipes.train import check_evaluation, check_plug_ins, refuse_if_strict, refuse_unsuited, tell_parts

N_OTHERS, N_EXAMPLES = 3, 3
MOST_CLASSES, MOST_CANDIDATES, MOST_CHARACTERS = 12, 5, 80
PLACES = {
    "embedded": "its weights are in an installed package",
    "cache": "its weights are in the cache of the hub",
    "hub": "its weights are fetched from the hub",
    "out of reach": "the hub cannot be reached, so its weights cannot be had",
}


def dry_run(request: Request, reporter: Reporter) -> dict[str, Any]:
    """Read and check the data and say what training would do. Refuses what `train` would refuse before loading a model."""
    check_folder(request)
    check_plug_ins(request.config)
    check_model(request.config.model.name)
    check_evaluation(request)
    reporter.stage("reading")
    has_folds = request.config.evaluation.folds is not None
    parts = prepare(request.data, request.validation, request.test, request.config, needs_test=not has_folds, reporter=reporter)
    tell_parts(request, parts, reporter)
    refuse_unsuited(parts)
    config = parts.config
    cleans = config.data.cleaning
    encoder = encoder_without_loading(
        resolve(config.model.name), cleaning=cleans, choose=lambda counter, bound: reading_of(parts, counter, bound, reporter)
    )
    if encoder is None:
        reporter.note(f"Tokens are not counted: {config.model.name} has no tokenizer.json here.")
    else:
        reporter.stage("encoding")
    encoded = None if encoder is None else encoder.encode(parts.train, Counter(reporter, len(parts.train)))
    inspection = inspection_of(parts, encoded, 0 if encoder is None else encoder.max_length, has_test=not has_folds)
    findings = run_checks(inspection)
    reporter.findings(findings)
    refuse_if_strict(request, findings)
    fits = rank_models(parts, reporter, measured=False)
    facts = _facts(parts, inspection, fits)
    _tell(facts, parts, reporter)
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
        **facts,
        "models": [fit.to_json() for fit in fits if fit.suits],
    }


def _facts(parts: Parts, inspection: Inspection, fits: list[Fit]) -> dict[str, Any]:
    """What the texts, the labels and the model are like, as far as it is known without the model's weights."""
    train, encoded = parts.train, inspection.encoded
    facts: dict[str, Any] = {"examples": [_example(parts, i) for i in range(min(N_EXAMPLES, len(train)))]}
    if parts.task.reads_classes:
        facts["classes"] = label_counts(train)
    candidates = {"text": list(parts.columns.left_out), "label": list(parts.columns.other_labels)}
    facts["candidates"] = candidates
    if encoded is not None:
        facts["lengths"] = token_facts(encoded)
    own = next((fit for fit in fits if fit.entry.name == parts.config.model.name), None)
    if own is not None:
        facts["place"] = own.place
        facts["memory_gb"] = own.memory_gb
    seconds = None if encoded is None else usual_seconds(parts, float(encoded.tokens_per_text.mean()), own)
    if seconds is not None:
        evaluation = parts.config.evaluation
        learned = 1 - 1 / evaluation.folds if evaluation.folds is not None else 1  # of the rows, by each training
        facts["seconds"] = seconds * learned * evaluation.n_trainings
    return facts


def _example(parts: Parts, i: int) -> dict[str, Any]:
    """A training row as it is read."""
    train = parts.train
    second = {} if train.text_pair is None else {"text_pair": train.text_pair[i]}
    label = parts.task.in_words((train.label or [""])[i])
    return {"row": int(train.row[i]), "text": train.text[i], **second, "label": label}


def _tell(facts: dict[str, Any], parts: Parts, reporter: Reporter) -> None:
    """The same in words."""
    if "classes" in facts:
        counts = [f"{name} {count}" for name, count in facts["classes"].items()]
        more = f", and {len(counts) - MOST_CLASSES} more" if len(counts) > MOST_CLASSES else ""
        reporter.note(f"Training rows by class: {', '.join(counts[:MOST_CLASSES])}{more}")
    for example in facts["examples"]:
        pair = f" | {shortened(example['text_pair'])}" if "text_pair" in example else ""
        reporter.note(f"Row {example['row']}: {shortened(example['text'])}{pair} → {shortened(example['label'])}")
    for role, names in facts["candidates"].items():
        if names:
            reporter.note(f"Could be the {role} as well: {', '.join(names[:MOST_CANDIDATES])} (--{role} COLUMN)")
    if "lengths" in facts:
        tokens = facts["lengths"]
        reporter.note(
            f"Tokens of a text: {tokens['median']:.0f} in the middle, 95 % have up to {tokens['percentile_95']:.0f}, the longest "
            f"{tokens['longest']}; {tokens['unknown_share']:.1%} are unknown to the model"
        )
    if "place" in facts:
        reporter.note(f"The model: {PLACES[facts['place']]}")
    if "seconds" in facts:
        reporter.note(
            f"Training takes about {max(1, round(facts['seconds'] / 60))} min and {facts['memory_gb']:.1f} GB here, roughly "
            "(superfine models DATA times a step)"
        )


def shortened(text: str) -> str:
    """At most a line of it."""
    line = " ".join(text.split())
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]}…"


def _others(fits: list[Fit], chosen: str) -> list[str]:
    """The best of the others that read the language."""
    return [fit.entry.name for fit in fits if fit.suits and fit.entry.name != chosen][:N_OTHERS]
