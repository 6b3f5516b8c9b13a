"""One format that the user names: in float32 with the same answers, or in eight bits and shown not to be worse."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from superfine.errors import ModelError, first_line
from superfine.export.runtime import Runtime
from superfine.predictors.bundle import GraphFacts
from superfine.predictors.graph import Graph
from superfine.recipes.exports.gate import Gate
from superfine.recipes.exports.request import ExportRequest
from superfine.recipes.exports.subject import (
    Subject,
    Tried,
    calibration_of,
    choosing,
    compared,
    facts_for,
    opened,
    opened_by,
    proved,
    receipt_of,
    written_bundle,
)
from superfine.recipes.reporter import Reporter
from superfine.records import BundlePrecision


def exported_exactly(
    subject: Subject, runtime: Runtime, facts: GraphFacts, source: Path, folder: Path, request: ExportRequest, reporter: Reporter
) -> dict[str, Any]:
    """In float32: the same answers but for rounding, or none."""
    written, facts = facts, facts_for(runtime, subject, facts, source)
    reporter.stage("converting")
    try:
        runtime.convert(source / written.file, folder / facts.file, facts)
    except Exception as error:  # whatever a converter raises, it is of this graph
        raise ModelError(
            f"{runtime.title} cannot read the graph: {first_line(error)}", "Choose another format, or use Superfine itself."
        ) from None
    found = compared(opened(subject, request.runtime_name, facts, folder), subject, reporter)
    attempt = Tried("float32", found, found.why_not)
    for name, twin in runtime.twins(folder / facts.file).items():
        graph = opened_by(twin, subject, facts, folder / name)
        try:
            attempt.add_twin(name, compared(graph, subject, reporter))
        finally:
            graph.close()
    return completed(subject, request, runtime, facts, folder, "float32", [attempt])


def exported_in_int8(
    subject: Subject, gate: Gate, runtime: Runtime, facts: GraphFacts, source: Path, folder: Path, request: ExportRequest,
    reporter: Reporter,
) -> dict[str, Any]:  # fmt: skip
    """The first way that will do on texts that choose, if it passes the gate on those that do not."""
    calibration = calibration_of(subject, facts)
    written, facts = facts, facts_for(runtime, subject, facts, source)
    tried: list[Tried] = []
    kept: tuple[Tried, Graph, Path] | None = None
    for i, way in enumerate(runtime.ways):
        if way.static and not calibration:
            continue
        reporter.stage("quantising")
        where = source / f"int8-{i}"
        where.mkdir()
        try:
            runtime.quantise(source / written.file, where / facts.file, facts, way, calibration)
            graph = opened(subject, request.runtime_name, facts, where)
        except Exception as error:  # of one way of several: the others may do
            tried.append(Tried(f"int8 {way.name}", None, first_line(error)))
            reporter.note(f"Not tried: {runtime.title}, {tried[-1].way}: {tried[-1].why_not}")
            continue
        found = compared(graph, subject, reporter, without="test")
        attempt = Tried(f"int8 {way.name}", found, gate.changes_too_much(choosing(found)))
        if attempt.why_not:
            reporter.note(f"Tried {runtime.title}, {attempt.way}: {attempt.why_not}")
            tried.append(attempt)
            continue
        is_sure = gate.surely_holds(choosing(found))
        if kept is not None:
            (kept[0] if is_sure else attempt).why_not = gate.unsure
            tried.append(kept[0] if is_sure else attempt)
        if is_sure or kept is None:
            kept = attempt, graph, where
        if is_sure:
            break
    if kept is not None:
        attempt, graph, where = kept
        tried.append(attempt)
        assert attempt.found is not None
        proved(attempt, graph, gate, subject, reporter, choosing(attempt.found))  # the test rows are asked once
        for path in where.iterdir():
            shutil.copyfile(path, folder / path.name)
    return completed(subject, request, runtime, facts, folder, "int8", tried)


def completed(
    subject: Subject, request: ExportRequest, runtime: Runtime, facts: GraphFacts, folder: Path, precision: BundlePrecision,
    tried: Sequence[Tried],
) -> dict[str, Any]:  # fmt: skip
    """Make a bundle of the folder where the last way passed: the receipt."""
    if not tried[-1].why_not:
        written_bundle(subject, request.runtime_name, facts, folder, precision)
    return receipt_of(subject, request, runtime, folder, precision, tried)
