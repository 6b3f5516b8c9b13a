"""`superfine export`: a trained model as a file for another runtime, with a receipt that proves it.

open the run and its rows → write the graph → hold it against the model → in eight bits: try the ways in order on validation rows,
put the first that will do through the gate on test rows → write the bundle
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
from superfine.predictors.bundle import MANIFEST, Bundle, GraphFacts, open_bundle, write_manifest
from superfine.recipes.exports.fastest import fastest
from superfine.recipes.exports.gate import Gate
from superfine.recipes.exports.one_format import exported_exactly, exported_in_int8
from superfine.recipes.exports.receipt import RECEIPT
from superfine.recipes.exports.request import ExportRequest
from superfine.recipes.exports.rows import rows_for_export
from superfine.recipes.exports.student import MARGIN, MOST_CHANGED, Distillation, refuse_if_impossible, save_student, taught
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
    if request.distil is None:
        return _exported(request, reporter)
    student = _distilled(request, request.distil, reporter)
    if student.folder is None or request.to is None:
        return student
    reporter.note(f"The student is written to {student.folder}")
    return _exported(replace(request, folder=student.folder, distil=None), reporter)


def _distilled(request: ExportRequest, n_layers: int, reporter: Reporter) -> Exported:
    """A student beside the run, if it passes its gate."""
    asked = Distillation(
        n_layers,
        MARGIN if request.distil_margin is None else request.distil_margin,
        MOST_CHANGED if request.distil_most_changed is None else request.distil_most_changed,
    )
    name = f"{STUDENT}-{n_layers}"
    own = replace(request, to=name, out=request.out if request.to is None else None)
    bundle = open_bundle(expanded(request.folder))
    refuse_unsuited(bundle)
    place = place_of(own, bundle)
    reporter.stage("reading")
    rows = rows_for_export(bundle, request.data, request.unlabelled, request.options)
    for note in rows.notes:
        reporter.note(note)
    reporter.stage("loading")
    subject = Subject(bundle, opened_model(bundle), rows)
    refuse_if_impossible(subject)
    with fresh_folder(place) as folder:
        answer_samples(subject, reporter)
        student, attempt = taught(subject, asked, reporter)
        if not attempt.why_not:
            save_student(student, subject, folder)
        receipt = receipt_of(subject, own, None, folder, "float32", [attempt])
        if receipt["passes"]:
            finish(folder, place, receipt, request.language)
    return Exported(place if receipt["passes"] else None, receipt)


def _exported(request: ExportRequest, reporter: Reporter) -> Exported:
    if request.to != FASTEST:
        RUNTIMES.load(request.runtime_name)().check()
    else:
        require_installed("export", "onnx", "onnxscript")
    gate = Gate.of(request.margin, request.most_changed)
    bundle = open_bundle(expanded(request.folder))
    refuse_unsuited(bundle)
    place = place_of(request, bundle)
    reporter.stage("reading")
    rows = rows_for_export(bundle, request.data, request.unlabelled, request.options)
    for note in rows.notes:
        reporter.note(note)
    if request.is_quantised and rows.labelled is None:
        raise DataError("The gate needs labelled rows that the model has not learned from.", "Give some with --data FILE.")
    reporter.stage("loading")
    subject = Subject(bundle, opened_model(bundle), rows)
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
            receipt = _made(subject, gate, facts, source, folder, request, reporter)
        passed = receipt["passes"]
        if passed:
            finish(folder, place, receipt, request.language)
    return Exported(place if passed else None, receipt)


def _made(
    subject: Subject, gate: Gate, facts: GraphFacts, source: Path, folder: Path, request: ExportRequest, reporter: Reporter
) -> dict[str, Any]:
    """What the user asks for, in the folder, if it passes: the receipt."""
    if request.to == FASTEST:
        return fastest(subject, gate, facts, source, folder, request, reporter)
    runtime: Runtime = RUNTIMES.load(request.runtime_name)()
    if request.is_quantised:
        return exported_in_int8(subject, gate, runtime, facts, source, folder, request, reporter)
    return exported_exactly(subject, runtime, facts, source, folder, request, reporter)


def refuse_unsuited(bundle: Bundle) -> None:
    """Raises ModelError for what is no network of ours."""
    if bundle.manifest.graph is not None:
        raise ModelError(f"{bundle.folder} is an export already.", "Name the folder of the run that it was made of.")
    if PREDICTORS.get(bundle.manifest.predictor) != "superfine.model:Model":
        raise ModelError(f"{bundle.folder} holds a baseline, which needs no torch as it is.", "Use it with `superfine predict`.")
    bundle.verify()


def place_of(request: ExportRequest, bundle: Bundle) -> Path:
    """Where the export goes. Raises OutputError for a place that is taken."""
    folder, place = bundle.folder, expanded(request.out) if request.out is not None else None
    if place is None and folder.name == "model":
        place = folder.parent / EXPORTS_FOLDER / request.name
    elif place is None and folder.parent.name == EXPORTS_FOLDER:  # a student
        place = folder.parent / f"{folder.name}-{request.name}"
    if place is None:
        raise OutputError(f"{folder} is no folder of a run to put an export into.", "Name a folder with --out.")
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise OutputError(f"{place} is a file; an export needs a folder.", "Choose another one with --out.")
    if place.is_dir() and any(place.iterdir()):
        if not _is_export(place):
            raise OutputError(f"The folder {place} exists and holds no export.", "Choose another one with --out.")
        if not request.force:
            raise OutputError(f"{place} holds an export already.", "Replace it with --force, or choose another with --out.")
    return place


def _is_export(folder: Path) -> bool:
    return (folder / MANIFEST).is_file() and (folder / RECEIPT).is_file()


@contextmanager
def fresh_folder(place: Path) -> Iterator[Path]:
    """A folder beside the place, which is gone afterwards unless it was moved there."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = temporary_beside(place)
        fresh.mkdir()
    except OSError as error:
        raise OutputError(f"The folder {place} cannot be made: {error.strerror}.", "Choose another one with --out.") from None
    try:
        yield fresh
    except OSError as error:
        raise OutputError(f"Writing to {place} failed: {error}.", "Free some space and start again.") from error
    finally:
        remove(fresh)
        if not any(place.parent.iterdir()) and place.parent.name == EXPORTS_FOLDER:
            place.parent.rmdir()


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
    if place.exists():
        shutil.rmtree(place)
    folder.replace(place)
