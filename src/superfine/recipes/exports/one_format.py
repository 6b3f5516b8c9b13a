"""One format that the user names: in float32 with the same answers, or in eight bits and shown not to be worse."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from superfine.export.runtime import Runtime
from superfine.predictors.bundle import GraphFacts
from superfine.recipes.exports.gate import Gate
from superfine.recipes.exports.receipt import BOUND
from superfine.recipes.exports.request import ExportRequest
from superfine.recipes.exports.subject import Subject, Tried, calibration_of, compared, opened, proved, receipt_of, written_bundle
from superfine.recipes.reporter import Reporter
from superfine.records import BundlePrecision


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
        found = compared(graph, subject, reporter, without="test")
        attempt = Tried(f"int8 {way.name}", found)
        tried.append(attempt)
        choosing = [found.by_sample[name] for name in ("validation", "unlabelled") if name in found.by_sample]
        attempt.why_not = gate.changes_too_much(choosing) and f"on texts that choose, {gate.changes_too_much(choosing)}"
        if attempt.why_not:
            reporter.note(f"Tried {runtime.title}, {attempt.way}: {attempt.why_not}")
            continue
        proved(attempt, graph, gate, subject, reporter)
        break  # the test rows are asked once
    return completed(subject, request, runtime, facts, folder, "int8", tried)


def completed(
    subject: Subject, request: ExportRequest, runtime: Runtime, facts: GraphFacts, folder: Path, precision: BundlePrecision,
    tried: Sequence[Tried],
) -> dict[str, Any]:  # fmt: skip
    """Make a bundle of the folder where the last way passed: the receipt."""
    if not tried[-1].why_not:
        written_bundle(subject, runtime, request.runtime_name, facts, folder, precision)
    return receipt_of(subject, request, runtime, folder, precision, tried)
