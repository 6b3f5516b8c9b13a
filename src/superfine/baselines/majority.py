"""Always the most frequent class: what guessing reaches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from superfine.predictors.bundle import Bundle, Manifest, write_manifest
from superfine.predictors.texts import OnBatch, TextPredictor
from superfine.records import Choices, Examples, FloatArray, IntArray

SHARES = "shares"


class Majority(TextPredictor):
    """The most frequent class of the training part, with the class shares (K,) as probabilities."""

    title: ClassVar[str] = "majority class"

    def __init__(self, labels: Sequence[str], shares: FloatArray, *, takes_pairs: bool = False) -> None:
        self._labels = tuple(labels)
        self.shares = shares
        self.takes_pairs = takes_pairs

    @property
    def labels(self) -> tuple[str, ...]:
        return self._labels

    @classmethod
    def fit(cls, examples: Examples, targets: IntArray, labels: Sequence[str], *, cleaning: Sequence[str] = ()) -> Self:
        """targets: (n,) class ids. cleaning: what is done to texts, none of which are read here."""
        shares = np.bincount(targets, minlength=len(labels)) / len(targets)
        return cls(labels, shares, takes_pairs=examples.text_pair is not None)

    def predict_examples(self, examples: Examples, on_batch: OnBatch | None = None) -> Choices:
        if on_batch is not None:
            on_batch(len(examples))
        return Choices(examples.row, self.labels, np.tile(self.shares, (len(examples), 1)))

    def save(self, folder: Path, manifest: Manifest) -> None:
        """Write the bundle."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file({SHARES: self.shares}, folder / "majority.safetensors")
        write_manifest(folder, manifest)

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        from safetensors.numpy import load_file

        shares = load_file(bundle.folder / "majority.safetensors")[SHARES]
        return cls(bundle.manifest.labels, shares, takes_pairs=bundle.manifest.text_pair is not None)
