"""The receipt of an exported model: how far its answers lie from those of the model that was tested, on which texts.

Both read the same tokens, so what differs is what computes them.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import numpy as np

from superfine.atomic import checksum
from superfine.backbones.processor import processor_flags
from superfine.data.encoded import Encoded
from superfine.data.personal import redacted_examples
from superfine.evaluation.agreement import Agreement, agreement
from superfine.metrics import activated
from superfine.predictors.bundle import MANIFEST
from superfine.predictors.texts import OnBatch, TextModel
from superfine.records import Answers, Examples, FloatArray

RECEIPT = "parity.json"
BOUND = 1e-4
"""By which probabilities of a float32 export may differ at most: runtimes add in other orders."""
MOST_ALONE = 64
"""Texts that are asked one by one."""
PACKAGES = (
    "superfine", "torch", "transformers", "tokenizers", "numpy", "onnx", "onnxruntime", "onnxscript", "openvino", "nncf",
    "ai-edge-litert",
)  # fmt: skip
TELLING = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16", "asimddp", "i8mm", "bf16",
    "sve",
)  # fmt: skip
"""Flags of processors that decide how products of eight and sixteen bits are computed."""


@dataclass(frozen=True)
class Sample:
    """Texts, and what the model itself says of them. probabilities: (n, K), or of all tokens; numbers where it tells numbers."""

    examples: Examples
    encoded: Encoded
    probabilities: FloatArray
    answers: Answers

    @classmethod
    def of(cls, model: TextModel, examples: Examples, on_batch: OnBatch | None = None) -> Self:
        """examples: as they are given; personal data is replaced where the model does that."""
        examples = redacted_examples(examples) if model.redacts else examples
        encoded = model.encoder.encode(examples)
        return cls(examples, encoded, *said_by(model, examples, encoded, on_batch))

    def __len__(self) -> int:
        return len(self.examples)

    def agreement_with(self, other: TextModel, on_batch: OnBatch | None = None) -> tuple[Agreement, Answers]:
        """How far another computation lies from it, and what that one answers."""
        probabilities, answers = said_by(other, self.examples, self.encoded, on_batch)
        return agreement(self.probabilities, probabilities, [self.answers, answers]), answers

    def take(self, places: list[int]) -> tuple[Examples, Encoded]:
        return self.examples.take(places), self.encoded.take(np.array(places, dtype=np.int64))


def said_by(
    model: TextModel, examples: Examples, encoded: Encoded, on_batch: OnBatch | None = None
) -> tuple[FloatArray, Answers]:
    """The probabilities (n, K), or those of all tokens, and the answers."""
    outputs = model.pooled_outputs(encoded, on_batch)
    return activated(outputs, model.task.head.activation), model.task.decode(examples, outputs, encoded)


def said_alone(model: TextModel, examples: Examples, encoded: Encoded) -> tuple[FloatArray, Answers]:
    """The same, each text computed without any other."""
    each = [said_by(model, examples.take([i]), encoded.take(np.array([i], dtype=np.int64))) for i in range(len(examples))]
    answers = [answer for _, answer in each]
    return np.concatenate([found for found, _ in each]), type(answers[0]).joined(answers)


@dataclass(frozen=True)
class Found:
    """What an export says of samples, by their names. alone: texts one by one, against the model. company: the same texts alone
    and together, both by the export."""

    by_sample: dict[str, Agreement]
    alone: Agreement
    company: Agreement

    @property
    def largest(self) -> float:
        """Not finite where any is not."""
        return float(np.max([found.largest for found in (*self.by_sample.values(), self.alone)]))

    @property
    def why_not(self) -> str:
        """Why it is not the same computation but for rounding, in words; "" where it is."""
        if self.largest <= BOUND:
            return ""
        return f"probabilities differ by up to {self.largest:.2g}, and {BOUND:g} are accepted"

    def to_json(self) -> dict[str, Any]:
        samples = {name: found.to_json() for name, found in self.by_sample.items()}
        return {"texts": {**samples, "alone": self.alone.to_json()}, "alone_and_together": self.company.to_json()}


def compare_with(other: TextModel, samples: Mapping[str, Sample], on_batch: OnBatch | None = None) -> Found:
    """Hold a computation against the model's on all samples, of which one is called "hard"."""
    found = {name: sample.agreement_with(other, on_batch)[0] for name, sample in samples.items()}
    hard = samples["hard"]
    places = list(range(min(MOST_ALONE, len(hard))))
    examples, encoded = hard.take(places)
    alone = said_alone(other, examples, encoded)
    together = said_by(other, examples, encoded)
    ours = said_alone_of(hard, places)
    return Found(
        found,
        agreement(ours[0], alone[0], [ours[1], alone[1]]),
        agreement(together[0], alone[0], [together[1], alone[1]]),
    )


def said_alone_of(sample: Sample, places: list[int]) -> tuple[FloatArray, Answers]:
    """What the model said of some texts of a sample."""
    chosen = np.array(places, dtype=np.int64)
    if len(sample.probabilities) == len(sample):
        return sample.probabilities[chosen], sample.answers.take(chosen)
    sequences = np.flatnonzero(np.isin(sample.encoded.owners, chosen))
    return sample.probabilities[sample.encoded.tokens_of(sequences)], sample.answers.take(chosen)


def environment(elsewhere: Mapping[str, str]) -> dict[str, Any]:
    """Versions, and what the processor can do. elsewhere: versions of what took part in an environment of its own."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    flags = sorted(set(TELLING) & processor_flags())
    apart = {"versions_apart": dict(elsewhere)} if elsewhere else {}
    return {"versions": versions, **apart, "python": platform.python_version(), "machine": platform.machine(), "flags": flags}


def files_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of each file that predicts, but for the manifest, which lists them too."""
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": checksum(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, RECEIPT, "README.md")
    }
