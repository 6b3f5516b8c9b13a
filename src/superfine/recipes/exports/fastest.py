"""`superfine export --to fastest`: what this machine can run, timed on the user's own texts, and the fastest that passes kept.

Ways to compute in fewer bits are chosen on texts that choose and proved once on those that do not; where that fails, or nothing
can prove it, the fastest exact one is kept.
"""

from __future__ import annotations

import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.backbones.processor import multiplies_bfloat16
from superfine.errors import ConfigError, DataError, first_line
from superfine.export import RUNTIMES
from superfine.export.runtime import Quantisation, Runtime
from superfine.predictors.bundle import GraphFacts, write_manifest
from superfine.predictors.graph import Graph
from superfine.predictors.texts import TextModel
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
    opened_model,
    proved,
    receipt_of,
    written_bundle,
)
from superfine.recipes.reporter import Reporter
from superfine.records import BundlePrecision, Examples

if TYPE_CHECKING:
    from superfine.recipes.exports.receipt import Found

N_BULK, N_SINGLE, ROUNDS = 256, 24, 3
"""Texts that are timed together and one by one, and how often all variants are timed in turn: the machine may be busy with other
things for a while."""
BY = {"bulk": "texts_per_second", "single": "milliseconds"}


@dataclass
class Variant:
    """One way to compute the model. runtime: None is torch. texts_per_second: in bulk. milliseconds: of a single text, the
    median."""

    name: str
    precision: BundlePrecision
    predictor: TextModel
    folder: Path
    runtime: Runtime | None = None
    runtime_name: str = "torch"
    found: Found | None = None
    why_not: str = ""
    bulk: list[float] = field(default_factory=list)
    single: list[float] = field(default_factory=list)

    @property
    def way(self) -> str:
        """The name without the runtime's."""
        return self.name.partition(", ")[2]

    @property
    def is_exact(self) -> bool:
        return self.precision == "float32"

    @property
    def texts_per_second(self) -> float:
        return max(self.bulk, default=0.0)

    @property
    def milliseconds(self) -> float:
        return 1000 * min(self.single, default=float("inf"))

    def slowness(self, prefer: str) -> float:
        return self.milliseconds if prefer == "single" else 1 / max(self.texts_per_second, 1e-9)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "texts_per_second": self.texts_per_second,
            "milliseconds": self.milliseconds,
            "why_not": self.why_not,
        }


def fastest(
    subject: Subject, gate: Gate, facts: GraphFacts, source: Path, folder: Path, request: ExportRequest, reporter: Reporter
) -> dict[str, Any]:
    """Put the fastest that passes into the folder: the receipt."""
    variants = built(subject, facts, source, reporter, quantised=_gate_opens(subject, gate, reporter))
    for variant in variants:
        if variant.predictor is not subject.model:
            variant.found = compared(variant.predictor, subject, reporter, without="" if variant.is_exact else "test")
            variant.why_not = _shut(variant, gate)
    in_turn(variants, timed_texts(subject), reporter)
    chosen, verdict_of = chosen_among(variants, gate, subject, request.prefer, reporter)
    written(chosen, subject, facts, folder)
    attempt = verdict_of or Tried(chosen.way, chosen.found)
    return {
        **receipt_of(subject, request, chosen.runtime, folder, chosen.precision, [attempt]),
        "prefer": request.prefer,
        "variants": [{**one.to_json(), "chosen": one is chosen} for one in variants],
    }


def _gate_opens(subject: Subject, gate: Gate, reporter: Reporter) -> bool:
    """Whether there are rows that can prove anything of fewer bits."""
    test = subject.samples.get("test")
    if test is None:
        reporter.note("Nothing in fewer bits is tried: the gate needs labelled rows. Give some with --data FILE.")
        return False
    try:
        reporter.note(gate.plan(subject.model.task, test.examples, test.answers))
    except DataError as error:
        reporter.note(f"Nothing in fewer bits is tried: {error.message} {error.advice}")
        return False
    return True


def built(subject: Subject, facts: GraphFacts, source: Path, reporter: Reporter, *, quantised: bool) -> list[Variant]:
    """All that can be computed here. quantised: in fewer bits too."""
    variants = [Variant("torch, float32", "float32", subject.model, subject.bundle.folder)]
    if quantised and multiplies_bfloat16():  # elsewhere it is a hundred times slower
        variants.append(Variant("torch, bfloat16", "bfloat16", opened_model(subject.bundle, "bfloat16"), subject.bundle.folder))
    calibration = calibration_of(subject, facts) if quantised else []
    for name in RUNTIMES:
        runtime: Runtime = RUNTIMES.load(name)()
        if not runtime.is_raced:
            continue
        try:
            runtime.check()
        except ConfigError as error:
            reporter.note(f"Not tried: {runtime.title}: {error.message} {error.advice}")
            continue
        ways: list[Quantisation | None] = [None]
        ways += [way for way in runtime.ways if calibration or not way.static] if quantised else []
        reporter.stage("quantising")
        for i, way in enumerate(ways):
            where = source / f"{name}-{i}"
            where.mkdir()
            title = f"{runtime.title}, {'float32' if way is None else f'int8 {way.name}'}"
            try:
                of_it = facts_for(runtime, subject, facts, source)
                if way is None:
                    runtime.convert(source / facts.file, where / of_it.file, of_it)
                else:
                    runtime.quantise(source / facts.file, where / of_it.file, of_it, way, calibration)
                graph = opened(subject, name, of_it, where)
            except Exception as error:  # of one way of several: the others may do
                reporter.note(f"Not tried: {title}: {first_line(error)}")
                continue
            variants.append(Variant(title, "float32" if way is None else "int8", graph, where, runtime, name))
    return variants


ASKED_ONCE = "another way failed on the test rows, which are asked once"


def _shut(variant: Variant, gate: Gate) -> str:
    """Why a variant is not kept, by texts that choose; "" where it may be."""
    assert variant.found is not None
    if variant.is_exact:
        return variant.found.why_not
    return gate.changes_too_much(choosing(variant.found))


def timed_texts(subject: Subject) -> Examples:
    """Texts as the user has them, drawn: those without labels where there are any."""
    name = next((name for name in ("unlabelled", "test", "validation") if name in subject.samples), "hard")
    examples = subject.samples[name].examples
    return examples.take(np.sort(np.random.default_rng(0).permutation(len(examples))[:N_BULK]))


def in_turn(variants: Sequence[Variant], examples: Examples, reporter: Reporter) -> None:
    """Time all variants, one after the other, several times."""
    reporter.stage("racing")
    single = [examples.take([i]) for i in range(min(N_SINGLE, len(examples)))]
    for variant in variants:  # what is computed for the first time takes longer
        variant.predictor.answers(examples.take(range(min(8, len(examples)))))
    done, total = 0, ROUNDS * len(variants)
    for _ in range(ROUNDS):
        for variant in variants:
            started = time.perf_counter()
            variant.predictor.answers(examples)
            variant.bulk.append(len(examples) / (time.perf_counter() - started))
            took = []
            for one in single:
                started = time.perf_counter()
                variant.predictor.answers(one)
                took.append(time.perf_counter() - started)
            variant.single.append(statistics.median(took))
            done += 1
            reporter.progress(done, total)
    reporter.progress_ends()


def chosen_among(
    variants: Sequence[Variant], gate: Gate, subject: Subject, prefer: str, reporter: Reporter
) -> tuple[Variant, Tried | None]:
    """The fastest that may be kept, and the proof where it needs one: the first that needs one is asked, and no other."""
    allowed = sorted((one for one in variants if not one.why_not), key=lambda one: one.slowness(prefer))
    exact = next(one for one in allowed if one.is_exact)
    faster = allowed[: allowed.index(exact)]  # all in fewer bits
    if not faster:
        return exact, None
    sure = [one for one in faster if one.found is not None and gate.surely_holds(choosing(one.found))]
    first = (sure or faster)[0]
    for other in faster[: faster.index(first)]:
        other.why_not = gate.unsure
    assert first.found is not None
    attempt = Tried(first.way, first.found)
    proved(attempt, first.predictor, gate, subject, reporter, choosing(first.found))
    if not attempt.why_not:
        return first, attempt
    first.why_not = attempt.why_not
    for other in faster:
        other.why_not = other.why_not or ASKED_ONCE
    return exact, None


def written(variant: Variant, subject: Subject, facts: GraphFacts, folder: Path) -> None:
    """Make a bundle of the folder."""
    if variant.runtime is not None:
        for path in variant.folder.iterdir():
            shutil.copyfile(path, folder / path.name)
        assert isinstance(variant.predictor, Graph)
        written_bundle(subject, variant.runtime_name, variant.predictor.facts, folder, variant.precision)
        return
    for name in subject.bundle.manifest.sha256:
        shutil.copyfile(subject.bundle.folder / name, folder / name)
    manifest = subject.bundle.manifest.model_copy(update={"precision": variant.precision})
    write_manifest(folder, manifest)
