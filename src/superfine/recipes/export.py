"""`superfine export`: a trained model as a file for another runtime, with a receipt that proves it.

open the run and its rows → write the graph → hold it against the model → in eight bits: try the ways in order on validation rows,
put the first that will do through the gate on test rows → write the bundle
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from superfine.atomic import remove, temporary_beside, write_text
from superfine.errors import DataError, ModelError, OutputError
from superfine.export import RUNTIMES
from superfine.export.runtime import Runtime
from superfine.extras import require_installed
from superfine.paths import expanded
from superfine.predictors import PREDICTORS
from superfine.predictors.bundle import MANIFEST, Bundle, GraphFacts, open_bundle, open_predictor, write_manifest
from superfine.predictors.texts import TextModel
from superfine.recipes.exports.fastest import fastest
from superfine.recipes.exports.gate import Gate
from superfine.recipes.exports.one_format import exported_exactly, exported_in_int8
from superfine.recipes.exports.receipt import RECEIPT
from superfine.recipes.exports.request import ExportRequest
from superfine.recipes.exports.rows import rows_for_export
from superfine.recipes.exports.student import Distillation, refuse_if_impossible, save_student, taught
from superfine.recipes.exports.subject import Subject, answer_samples, opened_model, receipt_of
from superfine.recipes.reporter import Reporter

if TYPE_CHECKING:
    from superfine.model import Model

EXPORTS_FOLDER = "exports"
"""In the folder of a run: one bundle for each export."""
FASTEST = "fastest"
STUDENT = "student"
REPORT = "report.html"


@dataclass(frozen=True)
class Exported:
    """folder: None where nothing passed. receipt: what `parity.json` holds, or would."""

    folder: Path | None
    receipt: dict[str, Any]


def export(request: ExportRequest, reporter: Reporter) -> Exported:
    """Write the export, or say why none passed. Raises a SuperfineError for anything the user can correct."""
    bundle = open_bundle(expanded(request.folder))
    _check(request, bundle)
    if request.distil is None:
        return _exported(request, bundle, reporter)
    student = _distilled(request, request.distil, bundle, reporter)
    if student.folder is None or request.to is None:
        return student
    reporter.note(f"The student is written to {student.folder}")
    return _exported(replace(request, folder=student.folder, distil=None), open_bundle(student.folder), reporter)


def _check(request: ExportRequest, bundle: Bundle) -> None:
    """Refuse all that can be refused before anything takes time. Raises an InputError."""
    Gate.of(request.margin, request.most_changed)
    if request.to == FASTEST or request.to is None:
        require_installed("export", "onnx", "onnxscript")
    else:
        _runtime_of(request).check()
    refuse_unsuited(bundle)
    if request.distil is None:
        place_of(request, bundle.folder)
        return
    Distillation.of(request.distil, request.distil_margin, request.distil_most_changed)
    student = place_of(_student_of(request, request.distil), bundle.folder)
    if request.to is not None:
        place_of(request, student)


def _student_of(request: ExportRequest, n_layers: int) -> ExportRequest:
    """What is asked of the student itself."""
    return replace(request, to=f"{STUDENT}-{n_layers}", out=request.out if request.to is None else None)


def _distilled(request: ExportRequest, n_layers: int, bundle: Bundle, reporter: Reporter) -> Exported:
    """A student beside the run, if it passes its gate."""
    own = _student_of(request, n_layers)
    place = place_of(own, bundle.folder)
    subject = _subject(request, bundle, reporter)
    refuse_if_impossible(subject, n_layers)
    with fresh_folder(place) as folder:
        answer_samples(subject, reporter)
        asked = Distillation.of(n_layers, request.distil_margin, request.distil_most_changed)
        student, attempt = taught(subject, asked, reporter)
        if not attempt.why_not:
            save_student(student, subject, folder)
        receipt = receipt_of(subject, own, None, folder, "float32", [attempt])
        if receipt["passes"]:
            finish(folder, place, receipt, request.language)
    return Exported(place if receipt["passes"] else None, receipt)


def _subject(request: ExportRequest, bundle: Bundle, reporter: Reporter) -> Subject:
    reporter.stage("reading")
    rows = rows_for_export(bundle, request)
    for note in rows.notes:
        reporter.note(note)
    if request.is_quantised and rows.labelled is None:
        raise DataError("The gate needs labelled rows that the model has not learned from.", "Give some with --data FILE.")
    reporter.stage("loading")
    return Subject(bundle, opened_model(bundle), rows)


def _exported(request: ExportRequest, bundle: Bundle, reporter: Reporter) -> Exported:
    place, gate = place_of(request, bundle.folder), Gate.of(request.margin, request.most_changed)
    runtime = None if request.to == FASTEST else _runtime_of(request)
    if runtime is not None:
        runtime.make_ready(reporter.note)
    subject = _subject(request, bundle, reporter)
    if runtime is not None and (why_not := runtime.why_unsuited(subject.model.backbone.padding)):
        raise ModelError(f"This model cannot be exported to {runtime.title}. {why_not}", "Choose another format.")
    if request.is_quantised:  # what rows can show is known before the network is written
        answer_samples(subject, reporter, ("test",))
        test = subject.samples["test"]
        reporter.note(gate.plan(subject.model.task, test.examples, test.answers))
    with fresh_folder(place) as folder:
        with tempfile.TemporaryDirectory(prefix="superfine-") as scratch:
            reporter.stage("exporting")
            source = Path(scratch)
            facts = written_graph(subject.model, source)
            answer_samples(subject, reporter)
            receipt = _made(subject, gate, runtime, facts, source, folder, request, reporter)
        passed = receipt["passes"]
        if passed:
            refuse_other_answers(folder, subject)
            finish(folder, place, receipt, request.language)
    return Exported(place if passed else None, receipt)


def refuse_other_answers(folder: Path, subject: Subject) -> None:
    """Open what was written as its user will, and ask it the hard texts as they are. Raises ModelError where it reads them as
    other tokens than the model."""
    hard = subject.samples["hard"]
    opened = open_predictor(folder)
    assert isinstance(opened, TextModel)
    if opened.encoder.encode(hard.examples).keys() != hard.encoded.keys():
        raise ModelError("What was written reads texts as other tokens than the model does.", "Please report this model.")
    opened.predict_examples(hard.examples)


def _made(
    subject: Subject, gate: Gate, runtime: Runtime | None, facts: GraphFacts, source: Path, folder: Path, request: ExportRequest,
    reporter: Reporter,
) -> dict[str, Any]:  # fmt: skip
    """What the user asks for, in the folder, if it passes: the receipt."""
    if request.to == FASTEST:
        return fastest(subject, gate, facts, source, folder, request, reporter)
    assert runtime is not None
    if request.is_quantised:
        return exported_in_int8(subject, gate, runtime, facts, source, folder, request, reporter)
    return exported_exactly(subject, runtime, facts, source, folder, request, reporter)


def _runtime_of(request: ExportRequest) -> Runtime:
    runtime: Runtime = RUNTIMES.load(request.runtime_name)()
    return runtime


def refuse_unsuited(bundle: Bundle) -> None:
    """Raises ModelError for what is no network of ours."""
    if bundle.manifest.graph is not None:
        raise ModelError(f"{bundle.folder} is an export already.", "Name the folder of the run that it was made of.")
    if PREDICTORS.get(bundle.manifest.predictor) != "superfine.model:Model":
        raise ModelError(f"{bundle.folder} holds a baseline, which needs no torch as it is.", "Use it with `superfine predict`.")
    bundle.verify()


def place_of(request: ExportRequest, source: Path) -> Path:
    """Where the export of what lies in `source` goes. Raises OutputError for a place that is taken."""
    source, place = source.resolve(), expanded(request.out) if request.out is not None else None
    if place is None and source.name == "model":
        place = source.parent / EXPORTS_FOLDER / request.name
    elif place is None and source.parent.name == EXPORTS_FOLDER:  # a student
        place = source.parent / f"{source.name}-{request.name}"
    if place is None:
        raise OutputError(f"{source} is no folder of a run to put an export into.", "Name a folder with --out.")
    if place.is_dir():
        if source.is_relative_to(place.resolve()):
            raise OutputError(f"{place} holds the model that is to be exported.", "Choose another one with --out.")
        place = place.resolve() if place.is_symlink() else place
    elif place.exists() or place.is_symlink():
        raise OutputError(f"{place} is a file; an export needs a folder.", "Choose another one with --out.")
    if place.is_dir() and any(place.iterdir()):
        _refuse_taken(place, force=request.force)
    return place


def _refuse_taken(place: Path, *, force: bool) -> None:
    """Raises OutputError for a folder with anything in it that no export has written, and for an export without --force."""
    if not (place / MANIFEST).is_file() or not (place / RECEIPT).is_file():
        raise OutputError(f"The folder {place} exists and holds no export.", "Choose another one with --out.")
    if not force:
        raise OutputError(f"{place} holds an export already.", "Replace it with --force, or choose another with --out.")
    listed = {MANIFEST, *(name.partition("/")[0] for name in open_bundle(place).manifest.sha256)}
    foreign = sorted(path.name for path in place.iterdir() if path.name not in listed)
    if foreign:
        raise OutputError(
            f"{place / foreign[0]} is no part of the export there.", "Move it away, or choose another folder with --out."
        )


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """A folder beside the place, which is gone afterwards unless it was moved there; so are folders that were made for it."""
    made = [parent for parent in place.parents if not parent.exists()]
    fresh = temporary_beside(place)
    try:
        fresh.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"The folder {place} cannot be made: {error.strerror}.", "Choose another one with --out.") from None
    try:
        yield fresh
    except OSError as error:
        if error.filename is not None and not Path(os.fsdecode(error.filename)).is_relative_to(fresh):
            raise
        raise OutputError(f"Writing to {place} failed: {error}.", "Free some space and start again.") from error
    finally:
        remove(fresh)
        for parent in made:
            with suppress(OSError):  # it holds something
                parent.rmdir()


def written_graph(model: Model, folder: Path) -> GraphFacts:
    """The network as an ONNX graph in float32."""
    from superfine.export.onnx import write_onnx

    return write_onnx(model, folder)


def finish(folder: Path, place: Path, receipt: dict[str, Any], language: str) -> None:
    """Write the receipt, put it under the manifest's protection too, and move the folder to its place."""
    from superfine.report.export import render_export_card, render_receipt

    manifest = open_bundle(folder).manifest
    task = manifest.open_task()
    write_text(folder / RECEIPT, json.dumps(receipt, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / REPORT, render_receipt(receipt, language))
    write_text(folder / "README.md", render_export_card(receipt, task.shown.model_dump(mode="json"), list(task.labels)))
    write_manifest(folder, manifest)
    aside = temporary_beside(place)
    if place.exists():
        place.replace(aside)  # until the new one is there
    try:
        folder.replace(place)
    except BaseException:
        if aside.exists():
            aside.replace(place)
        raise
    remove(aside)
