"""What is exported, and how an export is held against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.data.encoded import Encoded
from superfine.evaluation.agreement import Agreement
from superfine.export.bundle import write_export
from superfine.export.runtime import Inputs, Runtime
from superfine.predictors import PREDICTORS
from superfine.predictors.bundle import Bundle, GraphFacts, open_predictor
from superfine.predictors.graph import Graph, Rectangle
from superfine.predictors.texts import TextModel
from superfine.recipes.exports.gate import Gate, Verdict
from superfine.recipes.exports.hard_texts import hard_texts
from superfine.recipes.exports.receipt import BOUND, Found, Sample, compare_with, environment, files_of
from superfine.recipes.exports.request import ExportRequest
from superfine.recipes.exports.rows import RowsForExport
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.run_rows import home_of
from superfine.records import BundlePrecision, Examples, Precision

if TYPE_CHECKING:
    from superfine.model import Model

N_LONGEST = 8
"""Texts of the test and of the validation part that are asked alone too."""
N_CALIBRATION = 128
"""Sequences of training texts that settle the scales of a static quantisation."""


@dataclass
class Subject:
    """What is exported: the bundle, its opened model, its rows, and what the model itself says of them."""

    bundle: Bundle
    model: Model
    rows: RowsForExport
    samples: dict[str, Sample] = field(default_factory=dict)


@dataclass
class Tried:
    """One way that was tried: what it says of texts (None where it is the model itself), and why it is not kept, "" where it
    is. twins: what files beside it say, by their names."""

    way: str
    found: Found | None
    why_not: str = ""
    verdict: Verdict | None = None
    twins: dict[str, Found] = field(default_factory=dict)

    def add_twin(self, name: str, found: Found) -> None:
        """A file beside it has to answer alike too."""
        self.twins[name] = found
        self.why_not = self.why_not or (found.why_not and f"{name}: {found.why_not}")

    def to_json(self) -> dict[str, Any]:
        verdict = {} if self.verdict is None else {"gate": self.verdict.to_json()}
        found = {"texts": {}} if self.found is None else self.found.to_json()
        twins = {"twins": {name: twin.to_json() for name, twin in self.twins.items()}} if self.twins else {}
        return {"way": self.way, "why_not": self.why_not, **found, **verdict, **twins}


def opened_model(bundle: Bundle, precision: Precision = "float32") -> Model:
    """The trained model, on the processor."""
    from superfine.model import Model

    model = open_predictor(bundle.folder, precision, device="cpu")
    assert isinstance(model, Model)
    return model


SAMPLES = ("test", "validation", "unlabelled", "hard")


def answer_samples(subject: Subject, reporter: Reporter, names: Sequence[str] = SAMPLES) -> None:
    """What the model itself says of the texts that exports are held against, but for those that it was asked before."""
    model, rows = subject.model, subject.rows
    parts = {"validation": rows.validation, "test": rows.labelled, "unlabelled": rows.unlabelled}
    if "hard" in names:
        parts["hard"] = _hard_texts(subject)
    wanted = [name for name in names if name not in subject.samples]
    given = {name: part for name in wanted if (part := parts[name]) is not None and len(part)}
    if not given:
        return
    reporter.stage("predicting")
    on_batch = Counter(reporter, sum(map(len, given.values())))
    for name, part in given.items():
        subject.samples[name] = Sample.of(model, part, on_batch)
    reporter.progress_ends()


def _hard_texts(subject: Subject) -> Examples:
    """Those that are hard for all, and the longest of the run's own."""
    hard, rows = hard_texts(subject.model.max_length, pairs=subject.model.takes_pairs), subject.rows
    for part in (rows.labelled, rows.validation):
        if part is not None:
            lengths = [len(text) for text in part.text]
            longest = part.take(np.argsort(lengths, kind="stable")[-N_LONGEST:])
            hard = hard.joined(Examples.of_texts(longest.text, longest.text_pair))
    return hard


def opened(subject: Subject, predictor: str, facts: GraphFacts, folder: Path) -> Graph:
    """The graph that lies in a folder, as it will be opened there."""
    graph_type: type[Graph] = PREDICTORS.load(predictor)
    return opened_by(graph_type, subject, facts, folder / facts.file)


def facts_for(runtime: Runtime, subject: Subject, facts: GraphFacts, source: Path) -> GraphFacts:
    """What is known of a runtime's file. facts: of the ONNX graph, which lies in the folder `source`."""
    from superfine.backbones.families import max_positions

    most = max_positions(subject.model.backbone.network.config)
    return runtime.facts_of(facts, source / facts.file, subject.model.max_length, most)


def opened_by(graph_type: Callable[..., Graph], subject: Subject, facts: GraphFacts, path: Path) -> Graph:
    """What lies there, read as the model reads texts."""
    model = subject.model
    return graph_type(model.task, model.encoder, facts, path, takes_pairs=model.takes_pairs)


def compared(other: TextModel, subject: Subject, reporter: Reporter, without: str = "") -> Found:
    """How far an export lies from the model on all samples but one."""
    reporter.stage("comparing")
    samples: Mapping[str, Sample] = {name: one for name, one in subject.samples.items() if name != without}
    found = compare_with(other, samples, Counter(reporter, sum(map(len, samples.values()))))
    reporter.progress_ends()
    return found


def choosing(found: Found) -> list[Agreement]:
    """On the texts by which one way is chosen among several."""
    return [found.by_sample[name] for name in ("validation", "unlabelled") if name in found.by_sample]


def proved(
    attempt: Tried, other: TextModel, gate: Gate, subject: Subject, reporter: Reporter, more: Sequence[Agreement] = ()
) -> None:
    """Put what was chosen through the gate on labelled rows that chose nothing, and tell it the attempt. more: texts that count
    for the second door beside them."""
    test = subject.samples["test"]
    found, answers = test.agreement_with(other, Counter(reporter, len(test)))
    reporter.progress_ends()
    assert attempt.found is not None
    attempt.found.by_sample["test"] = found
    attempt.verdict = gate.verdict(subject.model.task, test.examples, test.answers, answers, found, more)
    attempt.why_not = attempt.verdict.why_not


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


def written_bundle(subject: Subject, predictor: str, facts: GraphFacts, folder: Path, precision: BundlePrecision) -> None:
    """Make a bundle of a folder with a graph. predictor: the name of what reads it."""
    write_export(folder, subject.bundle, subject.model.encoder, facts, predictor, precision)


def receipt_of(
    subject: Subject, request: ExportRequest, runtime: Runtime | None, folder: Path, precision: BundlePrecision,
    tried: Sequence[Tried],
) -> dict[str, Any]:  # fmt: skip
    """What `parity.json` holds. runtime: None is torch. tried: the last one is what it is of."""
    last, manifest = tried[-1], subject.bundle.manifest
    return {
        "passes": not last.why_not,
        "format": request.to,
        "runtime": "torch" if runtime is None else runtime.title,
        "precision": precision,
        "task": manifest.task.name,
        "model": {"run": name_of(subject.bundle), "manifest": manifest.digest},
        "bound": BOUND if precision == "float32" else None,
        **last.to_json(),
        "tried": [one.to_json() for one in tried[:-1]],
        "environment": environment({} if runtime is None else runtime.versions()),
        "files": {} if last.why_not else files_of(folder),
        "notes": list(subject.rows.notes),
    }


def name_of(bundle: Bundle) -> str:
    """Of its run's folder, or of its own where it lies in none; of a student both."""
    home, folder = home_of(bundle), bundle.folder.resolve()
    if home is None:
        return folder.name
    name = home.resolve().name
    return name if folder.name == "model" or folder == home.resolve() else f"{name} ({folder.name})"
