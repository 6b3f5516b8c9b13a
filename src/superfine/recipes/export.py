"""`superfine export`: a trained model as a file for another runtime, with a receipt that proves it.

open the run and its rows → write the graph → hold it against the model → in eight bits: try the ways in order on validation rows,
put the first that will do through the gate on test rows → write the bundle
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.atomic import remove, temporary_beside, write_text
from superfine.data.encoded import Encoded
from superfine.data.read import DataSource
from superfine.data.table import ReadOptions
from superfine.errors import DataError, ModelError, OutputError
from superfine.export import RUNTIMES
from superfine.export.runtime import Inputs, Runtime
from superfine.paths import expanded
from superfine.predictors import PREDICTORS
from superfine.predictors.bundle import MANIFEST, Bundle, GraphFacts, open_bundle, open_predictor, write_manifest
from superfine.predictors.graph import Graph, Rectangle
from superfine.recipes.gate import Gate, Verdict
from superfine.recipes.hard_texts import hard_texts
from superfine.recipes.receipt import BOUND, RECEIPT, Found, Sample, compare_with, environment, files_of
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.rows_for_export import RowsForExport, rows_for_export
from superfine.records import BundlePrecision

if TYPE_CHECKING:
    from superfine.model import Model

EXPORTS_FOLDER = "exports"
"""In the folder of a run: one bundle for each export."""
N_CALIBRATION = 128
"""Sequences of training texts that settle the scales of a static quantisation."""


@dataclass(frozen=True)
class ExportRequest:
    """One call of `export`. to: a runtime, or "int8". runtime: of a quantised model. margin: in points, most_changed in per cent:
    what the gate accepts. data: more labelled rows for it. unlabelled: more texts for its second door."""

    folder: Path
    to: str
    out: Path | None = None
    force: bool = False
    runtime: str = "onnx"
    margin: float = 1.0
    most_changed: float = 2.0
    data: DataSource | None = None
    unlabelled: DataSource | None = None
    options: ReadOptions | None = None

    @property
    def is_quantised(self) -> bool:
        return self.to == "int8"

    @property
    def runtime_name(self) -> str:
        return self.runtime if self.is_quantised else self.to

    @property
    def name(self) -> str:
        """Of the folder, where nobody names one."""
        return f"int8-{self.runtime}" if self.is_quantised and self.runtime != "onnx" else self.to


@dataclass(frozen=True)
class Exported:
    """folder: None where nothing passed. receipt: what `parity.json` holds, or would."""

    folder: Path | None
    receipt: dict[str, Any]


@dataclass
class Tried:
    """One way that was tried: what it says of texts that choose, and why it is not kept, "" where it is."""

    way: str
    found: Found
    why_not: str = ""
    verdict: Verdict | None = None

    def to_json(self) -> dict[str, Any]:
        verdict = {} if self.verdict is None else {"gate": self.verdict.to_json()}
        return {"way": self.way, "why_not": self.why_not, **self.found.to_json(), **verdict}


@dataclass
class Subject:
    """What is exported: the bundle, its opened model, and the rows that are held against each other."""

    bundle: Bundle
    model: Model
    rows: RowsForExport
    samples: dict[str, Sample] = field(default_factory=dict)


def export(request: ExportRequest, reporter: Reporter) -> Exported:
    """Write the export, or say why none passed. Raises a SuperfineError for anything the user can correct."""
    runtime: Runtime = RUNTIMES.load(request.runtime_name)()
    runtime.check()
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
    model = opened_model(bundle)
    with fresh_folder(place) as folder:
        with tempfile.TemporaryDirectory(prefix="superfine-") as scratch:
            reporter.stage("exporting")
            source = Path(scratch)
            facts = written_graph(model, source)
            subject = Subject(bundle, model, rows)
            answer_samples(subject, reporter)
            if not request.is_quantised:
                receipt = exported_exactly(subject, runtime, facts, source, folder, request, reporter)
            else:
                receipt = exported_in_int8(subject, gate, runtime, facts, source, folder, request, reporter)
        passed = receipt["passes"]
        if passed:
            finish(folder, place, receipt, force=request.force)
    return Exported(place if passed else None, receipt)


def refuse_unsuited(bundle: Bundle) -> None:
    """Raises ModelError for what is no network of ours."""
    if bundle.manifest.graph is not None:
        raise ModelError(f"{bundle.folder} is an export already.", "Name the folder of the run that it was made of.")
    if PREDICTORS.get(bundle.manifest.predictor) != "superfine.model:Model":
        raise ModelError(f"{bundle.folder} holds a baseline, which needs no torch as it is.", "Use it with `superfine predict`.")
    bundle.verify()


def place_of(request: ExportRequest, bundle: Bundle) -> Path:
    """Where the export goes. Raises OutputError for a place that is taken."""
    home = bundle.folder.parent if bundle.folder.name == "model" else None
    if request.out is None and home is None:
        raise OutputError(f"{bundle.folder} is no folder of a run to put an export into.", "Name a folder with --out.")
    place = expanded(request.out) if request.out is not None else Path(home or "") / EXPORTS_FOLDER / request.name
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


def opened_model(bundle: Bundle) -> Model:
    """The trained model, on the processor, in float32."""
    from superfine.model import Model

    model = open_predictor(bundle.folder, "float32", device="cpu")
    assert isinstance(model, Model)
    return model


def written_graph(model: Model, folder: Path) -> GraphFacts:
    """The network as an ONNX graph in float32."""
    from superfine.export.onnx import write_onnx

    return write_onnx(model, folder)


def answer_samples(subject: Subject, reporter: Reporter) -> None:
    """What the model itself says of all texts that exports are held against."""
    reporter.stage("predicting")
    model, rows = subject.model, subject.rows
    hard = hard_texts(model.max_length, pairs=model.takes_pairs)
    parts = {"validation": rows.validation, "test": rows.labelled, "unlabelled": rows.unlabelled, "hard": hard}
    given = {name: part for name, part in parts.items() if part is not None and len(part)}
    on_batch = Counter(reporter, sum(map(len, given.values())))
    for name, part in given.items():
        subject.samples[name] = Sample.of(model, part, on_batch)
    reporter.progress_ends()


def opened(subject: Subject, predictor: str, facts: GraphFacts, folder: Path, runtime: Runtime) -> Graph:
    """The graph that lies in a folder, as it will be opened there."""
    graph_type: type[Graph] = PREDICTORS.load(predictor)
    named = facts.model_copy(update={"file": runtime.graph})
    model = subject.model
    return graph_type(model.task, model.encoder, named, folder / runtime.graph, takes_pairs=model.takes_pairs)


def exported_exactly(
    subject: Subject, runtime: Runtime, facts: GraphFacts, source: Path, folder: Path, request: ExportRequest, reporter: Reporter
) -> dict[str, Any]:
    """In float32: the same answers but for rounding, or none."""
    runtime.convert(source / facts.file, folder / runtime.graph)
    found = compared(opened(subject, request.runtime_name, facts, folder, runtime), subject, reporter)
    tried = Tried("float32", found)
    if not found.largest <= BOUND:
        tried.why_not = f"probabilities differ by up to {found.largest:.2g}, and {BOUND:g} are accepted"
    return completed(subject, request, runtime, facts, folder, "float32", [tried])


def exported_in_int8(
    subject: Subject, gate: Gate, runtime: Runtime, facts: GraphFacts, source: Path, folder: Path, request: ExportRequest,
    reporter: Reporter,
) -> dict[str, Any]:  # fmt: skip
    """The first way that will do on texts that choose, if it passes the gate on those that do not."""
    task, labelled = subject.model.task, subject.samples["test"]
    reporter.note(gate.plan(task, labelled.examples, labelled.answers))
    calibration = calibration_of(subject, facts)
    tried: list[Tried] = []
    for way in runtime.ways:
        if way.static and not calibration:
            continue
        reporter.stage("quantising")
        for path in folder.iterdir():
            path.unlink()
        runtime.quantise(source / facts.file, folder / runtime.graph, way, calibration)
        graph = opened(subject, request.runtime_name, facts, folder, runtime)
        attempt = Tried(f"int8 {way.name}", compared(graph, subject, reporter, without="test"))
        tried.append(attempt)
        choosing = [attempt.found.by_sample[name] for name in ("validation", "unlabelled") if name in attempt.found.by_sample]
        attempt.why_not = gate.changes_too_much(choosing) and f"on texts that choose, {gate.changes_too_much(choosing)}"
        if attempt.why_not:
            reporter.note(f"Tried {runtime.title}, {attempt.way}: {attempt.why_not}")
            continue
        proved(attempt, graph, gate, subject, reporter)
        break  # the test rows are asked once
    return completed(subject, request, runtime, facts, folder, "int8", tried)


def proved(attempt: Tried, other: Graph, gate: Gate, subject: Subject, reporter: Reporter) -> None:
    """Put what was chosen through the gate on labelled rows that chose nothing, and tell it the attempt."""
    test = subject.samples["test"]
    found, answers = test.agreement_with(other, Counter(reporter, len(test)))
    reporter.progress_ends()
    attempt.found.by_sample["test"] = found
    more = [attempt.found.by_sample[name] for name in ("validation", "unlabelled") if name in attempt.found.by_sample]
    attempt.verdict = gate.verdict(subject.model.task, test.examples, test.answers, answers, [found, *more])
    attempt.why_not = attempt.verdict.why_not


def compared(other: Graph, subject: Subject, reporter: Reporter, without: str = "") -> Found:
    """How far an export lies from the model on all samples but one."""
    reporter.stage("comparing")
    samples: Mapping[str, Sample] = {name: one for name, one in subject.samples.items() if name != without}
    found = compare_with(other, samples, Counter(reporter, sum(map(len, samples.values()))))
    reporter.progress_ends()
    return found


def calibration_of(subject: Subject, facts: GraphFacts) -> list[Inputs]:
    """Sequences of training texts, drawn, each a rectangle of its own."""
    learned = subject.rows.learned
    if learned is None or not len(learned):
        return []
    chosen = np.sort(np.random.default_rng(0).permutation(len(learned))[:N_CALIBRATION])
    encoded: Encoded = subject.model.encoder.encode(learned.take(chosen)).as_sequences()
    return [
        {name: getattr(rectangle, name) for name in facts.inputs}
        for rectangle in (Rectangle.of(encoded, np.array([i]), facts) for i in range(min(len(encoded), N_CALIBRATION)))
    ]


def completed(
    subject: Subject, request: ExportRequest, runtime: Runtime, facts: GraphFacts, folder: Path, precision: BundlePrecision,
    tried: Sequence[Tried],
) -> dict[str, Any]:  # fmt: skip
    """Make a bundle of the folder where the last way passed: the receipt."""
    from superfine.export.bundle import write_export

    last = tried[-1]
    passes = not last.why_not
    if passes:
        named = facts.model_copy(update={"file": runtime.graph})
        write_export(folder, subject.bundle, subject.model.encoder, named, request.runtime_name, precision)
    manifest = subject.bundle.manifest
    return {
        "passes": passes,
        "format": request.to,
        "runtime": runtime.title,
        "way": last.way,
        "precision": precision,
        "task": manifest.task.name,
        "model": {"folder": subject.bundle.folder.resolve().parent.name, "manifest": manifest.digest},
        "bound": None if request.is_quantised else BOUND,
        **last.to_json(),
        "tried": [one.to_json() for one in tried[:-1]],
        "environment": environment(),
        "files": files_of(folder) if passes else {},
    }


def finish(folder: Path, place: Path, receipt: dict[str, Any], *, force: bool) -> None:
    """Write the receipt, put it under the manifest's protection too, and move the folder to its place."""
    write_text(folder / RECEIPT, json.dumps(receipt, indent=2, ensure_ascii=False) + "\n")
    write_manifest(folder, open_bundle(folder).manifest)
    if place.exists():
        shutil.rmtree(place)
    folder.replace(place)
