"""Always the same answer, the best there is without reading: what guessing reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from superfine.predictors.bundle import Bundle, Manifest, write_manifest
from superfine.predictors.texts import OnBatch, TextPredictor
from superfine.records import Answers, Examples, FloatArray
from superfine.tasks.task import Targets, Task

MEANS = "means"
TITLES = {"softmax": "majority class", "sigmoid": "label frequencies", "none": "mean"}
"""By what makes answers of outputs."""


class Majority(TextPredictor):
    """The means of the targets for every text: the class shares as probabilities, of numbers their mean. means: (n_outputs,)."""

    def __init__(self, task: Task, means: FloatArray, *, takes_pairs: bool = False) -> None:
        self.task = task
        self.means = means
        self.takes_pairs = takes_pairs

    @property
    def title(self) -> str:
        return TITLES[self.task.head.activation]

    @classmethod
    def fit(cls, examples: Examples, task: Task, *, cleaning: tuple[str, ...] = ()) -> Self:
        """cleaning: what is done to texts, none of which are read here."""
        return cls(task, means_of(task.targets(examples), len(task.head)), takes_pairs=examples.text_pair is not None)

    def answers(self, examples: Examples, on_batch: OnBatch | None = None) -> Answers:
        if on_batch is not None:
            on_batch(len(examples))
        return self.task.decode(examples, np.tile(self._outputs(), (len(examples), 1)))

    def _outputs(self) -> FloatArray:
        """(n_outputs,) what the activation makes the means of."""
        if self.task.head.activation == "none":
            return self.means
        with np.errstate(divide="ignore"):  # what never occurs has a logit of minus infinity
            others = 0.0 if self.task.head.activation == "softmax" else np.log1p(-self.means)
            return np.asarray(np.log(self.means) - others)

    def save(self, folder: Path, manifest: Manifest) -> None:
        """Write the bundle."""
        from safetensors.numpy import save_file

        folder.mkdir(parents=True, exist_ok=True)
        save_file({MEANS: self.means}, folder / "majority.safetensors")
        write_manifest(folder, manifest)

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        from safetensors.numpy import load_file

        (means,) = load_file(bundle.folder / "majority.safetensors").values()
        return cls(bundle.manifest.open_task(), means, takes_pairs=bundle.manifest.text_pair is not None)


def means_of(targets: Targets, n_outputs: int) -> FloatArray:
    """(n_outputs,) the mean of each column; class ids (n,) count as columns of zeros and a one."""
    if targets.ndim == 1 and np.issubdtype(targets.dtype, np.integer):
        return np.asarray(np.bincount(targets, minlength=n_outputs) / len(targets))
    return np.asarray(targets.reshape(len(targets), -1).mean(axis=0), dtype=np.float64)
