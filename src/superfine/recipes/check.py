"""`superfine check`: what is wrong with the data, before any time is spent on it.

read → count words and tokens → look → estimate → write the page, the suspects, and on request a repaired table
"""

from __future__ import annotations

import json
from collections import Counter as Tally
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from superfine.atomic import write_text
from superfine.backbones.locate import encoder_without_loading, resolve
from superfine.config import AUTO, RunConfig
from superfine.data.checks import CHECKS
from superfine.data.checks.inspection import Inspection, finding, gravest_first, label_counts, run_checks
from superfine.data.encode import Encoder
from superfine.data.encoded import Encoded
from superfine.data.personal import find_personal, redacted
from superfine.data.read import DataSource
from superfine.data.scripts import main_script
from superfine.data.suspects import SUSPECTS, Suspect, contradictions, read_suspects, write_suspects
from superfine.data.write import refuse_unwritable, write_table
from superfine.errors import OutputError
from superfine.extras import has_module
from superfine.language import duration
from superfine.paths import same_file
from superfine.recipes.inspection import inspection_of, token_facts
from superfine.recipes.label_noise import Doubts, doubts, refuse_if_impossible
from superfine.recipes.models import measure, rank_models, usual_seconds
from superfine.recipes.prepare import Parts, prepare, refuse_redaction
from superfine.recipes.reading import reading_of
from superfine.recipes.repair import Repaired, repair
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.request import data_names
from superfine.recipes.train import train
from superfine.records import Finding
from superfine.report.check import render_check

PAGE, DOCUMENT = "check.html", "check.json"

LOOKED_AT = 1000
MOST_ENCODED = 50_000
"""Of more rows, so many are read as tokens, evenly spread."""
OF_TOKENS = ("unknown_tokens", "truncation")


@dataclass(frozen=True)
class CheckRequest:
    """One call of `check`. folder: for everything that is written. fix: file for the repaired table. suspects: file of rows that
    get the label suggested there. redact: without personal data. label_noise: whether wrong labels are looked for. deep: by
    fine-tuning."""

    data: DataSource
    validation: DataSource | None
    test: DataSource | None
    config: RunConfig
    folder: Path
    force: bool = False
    fix: Path | None = None
    suspects: Path | None = None
    redact: bool = False
    label_noise: bool = False
    deep: bool = False
    language: str = "en"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    """findings: the gravest first. facts: what the data is like. folder: what was written lies there."""

    findings: list[Finding]
    facts: dict[str, Any]
    folder: Path
    written: dict[str, str]

    @property
    def is_blocked(self) -> bool:
        return any(found.severity == "blocking" for found in self.findings)

    def to_json(self) -> dict[str, Any]:
        return {
            "findings": [found.to_json() for found in self.findings],
            "facts": self.facts,
            "folder": str(self.folder),
            "written": self.written,
        }


def check(request: CheckRequest, reporter: Reporter) -> Checked:
    """Look at the data, and write what was found. Raises DataError for what cannot be read at all."""
    _refuse_before_reading(request)
    gone_through = [] if request.suspects is None else read_suspects(request.suspects)
    reporter.stage("reading")
    parts = prepare(
        request.data, request.validation, request.test, request.config,
        needs_test=request.test is not None, needs_validation=False, needs_model=request.label_noise,
        reporter=reporter,
    )  # fmt: skip
    if request.label_noise:
        refuse_if_impossible(parts, "--label-noise")
    if request.redact:
        refuse_redaction(parts.task, "--redact")
    for note in (*request.notes, *parts.notes):
        reporter.note(note)
    reporter.note(f"Columns: {parts.columns.describe()}")
    sample, encoder, encoded = _encode(parts, reporter)
    reporter.stage("checking")
    whole = encoded if sample is parts else None
    has_test = request.test is not None
    length = 0 if encoder is None else encoder.max_length
    inspection = inspection_of(parts, whole, length, test_is_given=has_test, has_test=has_test)
    names = [name for name in CHECKS if name not in OF_TOKENS]
    findings = run_checks(inspection, names, Counter(reporter, len(names)))
    findings += run_checks(inspection_of(sample, encoded, length, has_test=False), OF_TOKENS)
    findings = gravest_first(findings)
    suspects = contradictions(inspection)
    if request.label_noise:
        doubted = doubts(parts, inspection, reporter, train if request.deep else None)
        findings = gravest_first([*findings, *_label_noise(parts, doubted)])
        known = {suspect.row for suspect in suspects}
        suspects += [suspect for suspect in doubted.suspects if suspect.row not in known]
    if request.redact:
        findings = [_without_personal_data(found) for found in findings]
        suspects = [suspect._replace(text=redacted(suspect.text)) for suspect in suspects]
    reporter.findings(findings)
    if not findings:
        reporter.note("Nothing was found.")
    facts = _facts(parts, inspection, sample, encoded)
    facts |= _estimate(parts, sample, encoded, reporter)
    _tell(facts, reporter)
    checked = Checked(findings, facts, request.folder, {})
    repaired = None if request.fix is None else repair(parts, inspection, redact=request.redact, suspects=gone_through)
    return replace(checked, written=_write(request, parts, repaired, checked, suspects, reporter))


def _refuse_before_reading(request: CheckRequest) -> None:
    """Raises OutputError for places that cannot be written."""
    folder = request.folder
    if (folder.exists() and not folder.is_dir()) or any(one.is_file() for one in folder.absolute().parents):
        raise OutputError(f"{folder} cannot be a folder: there is a file of that name.", "Name another one with --out.")
    if folder.exists() and not request.force and any(folder.iterdir()):
        raise OutputError(f"{folder} exists already.", "Name another folder with --out, or replace it with --force.")
    for path in () if request.fix is None else (request.fix, changes_of(request.fix)):
        refuse_unwritable(path, force=request.force)
        for source in (request.data, request.validation, request.test, request.suspects):
            for part in source if isinstance(source, list | tuple) else [source]:
                if isinstance(part, str | Path) and same_file(part, path):
                    raise OutputError(f"{path} would replace a file that is read.", "Name another one with --fix.")


def changes_of(fix: Path) -> Path:
    """Where the record of all changes goes."""
    return fix.with_name(f"{fix.stem}.changes.csv")


def _encode(parts: Parts, reporter: Reporter) -> tuple[Parts, Encoder | None, Encoded | None]:
    """Parts with at most `MOST_ENCODED` training rows, how the model reads them, and their tokens; None where the model's
    tokenizer is not here."""
    n, sample = len(parts.train), parts
    if n > MOST_ENCODED:
        rows = np.linspace(0, n - 1, MOST_ENCODED).astype(np.int64)
        sample = replace(parts, train=parts.train.take(rows))
        reporter.note(f"Tokens are counted in {MOST_ENCODED} of {n} training texts.")
    name, cleans = parts.config.model.name, parts.config.data.cleaning
    if name == AUTO:
        return sample, None, None
    encoder = encoder_without_loading(
        resolve(name), cleaning=cleans, choose=lambda counter, bound: reading_of(sample, counter, bound, reporter)
    )
    if encoder is None:
        reporter.note(f"Tokens are not counted: {name} has no tokenizer.json here.")
        return sample, None, None
    reporter.stage("encoding")
    return sample, encoder, encoder.encode(sample.train, Counter(reporter, len(sample.train)))


def _facts(parts: Parts, inspection: Inspection, sample: Parts, encoded: Encoded | None) -> dict[str, Any]:
    """What the texts and the labels are like."""
    rows = {"train": len(parts.train), "validation": len(parts.validation), "test": len(parts.test)}
    facts: dict[str, Any] = {"rows": rows, "columns": parts.columns.describe(), "task": parts.task.name}
    if parts.task.reads_classes:
        facts["classes"] = label_counts(parts.train)
    scripts = Tally(filter(None, map(main_script, sample.train.text)))
    facts["scripts"] = {script: n / scripts.total() for script, n in scripts.most_common()}
    facts["different_texts"] = len(set(inspection.train_keys))
    facts["model"] = parts.config.model.name
    if encoded is not None:
        facts["lengths"] = token_facts(encoded)
    if inspection.told_apart is not None:
        facts["test_told_apart"] = inspection.told_apart._asdict()
    return facts


def _estimate(parts: Parts, sample: Parts, encoded: Encoded | None, reporter: Reporter) -> dict[str, Any]:
    """Seconds and memory of training: by timed steps where the weights are here, else by the work of a token."""
    if encoded is None:
        return {}
    config = parts.config
    n_train, n_held_out = len(parts.train), 0
    if not len(parts.validation):  # training will hold some out
        n_held_out = round(min(config.data.validation_share * n_train, config.data.validation_rows))
        sample = replace(sample, validation=sample.train.take(np.arange(min(n_held_out, len(sample.train)))))
    n_rows = n_train - n_held_out
    if has_module("torch", "transformers"):
        reporter.stage("timing")
        taken = measure(config.model.name, sample, reporter, n_rows)
        if taken is not None:
            return {"training": {"seconds": taken.seconds, "memory_gb": taken.memory / 1e9, "is_measured": True}}
    fit = next((fit for fit in rank_models(sample, reporter, measured=False) if fit.entry.name == config.model.name), None)
    seconds = usual_seconds(sample, float(encoded.tokens_per_text.mean()), fit)
    if fit is None or seconds is None:
        return {}
    seconds *= n_rows / len(sample.train)
    return {"training": {"seconds": seconds, "memory_gb": fit.memory_gb, "is_measured": False}}


def _without_personal_data(found: Finding) -> Finding:
    return replace(found, message=redacted(found.message), texts=tuple(map(redacted, found.texts)))


def _label_noise(parts: Parts, doubted: Doubts) -> list[Finding]:
    """Labels that are probably wrong, as a finding."""
    place = {int(row): i for i, row in enumerate(parts.train.row)}
    positions = [place[row] for row in doubted.likely]
    return finding(
        "label_noise",
        "warning" if doubted.n_sure > 0.01 * doubted.n_rows else "note",
        positions,
        parts.train,
        f"Judged by the other rows, another label is more probable than the given one in {len(positions)} of {doubted.n_rows} "
        f"training rows, and much more probable in {doubted.n_sure}.",
        f"Go through {SUSPECTS} from its beginning: there labels are wrong most often, further on texts are merely hard. "
        "No label is changed by itself.",
    )


def _tell(facts: dict[str, Any], reporter: Reporter) -> None:
    """What the training would take, in words."""
    if (told := facts.get("test_told_apart")) is not None:
        reporter.note(
            f"Test texts told from training texts: AUC {told['auc']:.2f} ({told['low']:.2f} to {told['high']:.2f}; 0.5 is none)"
        )
    if (training := facts.get("training")) is not None:
        how = "by a step timed here" if training["is_measured"] else "roughly, without its weights"
        minutes = duration(training["seconds"])
        reporter.note(f"Training {facts['model']} takes about {minutes} and {training['memory_gb']:.1f} GB here, {how}")


def _write(
    request: CheckRequest,
    parts: Parts,
    repaired: Repaired | None,
    checked: Checked,
    suspects: list[Suspect],
    reporter: Reporter,
) -> dict[str, str]:
    """Everything that is written, by what it is."""
    folder = request.folder
    folder.mkdir(parents=True, exist_ok=True)
    about = {"data": data_names(request.data), "test": data_names(request.test), "date": f"{datetime.now():%Y-%m-%dT%H:%M}"}
    page = render_check({**checked.to_json(), **about}, request.language)
    write_text(folder / PAGE, page)
    written = {"page": str(folder / PAGE), "document": str(folder / DOCUMENT)}
    if suspects:
        write_suspects(folder / SUSPECTS, suspects, request.language)
        written["suspects"] = str(folder / SUSPECTS)
    if request.fix is not None and repaired is not None:
        write_table(request.fix, repaired.columns)
        log = changes_of(request.fix)
        write_table(log, repaired.changes)
        written |= {"repaired": str(request.fix), "changes": str(log)}
        counts = ", ".join(f"{name} {n}" for name, n in repaired.counts.items()) or "nothing"
        reporter.note(f"Repaired: {counts}; {len(repaired)} of {len(parts.train)} rows are left. Every change is in {log}")
        if request.redact and (others := _other_columns(parts)):
            reporter.note(f"Only texts are without personal data; it stays in the columns {', '.join(others[:5])}.")
    document = replace(checked, written=written).to_json() | about
    write_text(folder / DOCUMENT, json.dumps(document, ensure_ascii=False, indent=2) + "\n")
    if "suspects" in written:
        reporter.note(f"Rows to look at: {written['suspects']}")
    reporter.note(f"Written to {folder}: open {written['page']}")
    return written


def _other_columns(parts: Parts) -> list[str]:
    """Columns that are no texts and hold personal data in one of their first rows."""
    texts = {*parts.columns.text, parts.columns.text_pair}
    others = ((name, cells) for name, cells in parts.train.columns.items() if name not in texts)
    return [name for name, cells in others if any(find_personal(cell) for cell in cells[:LOOKED_AT])]
