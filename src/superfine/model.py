"""A model: a pretrained backbone with a task's head, and the predictor that speaks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from superfine.backbones.backbone import Backbone
from superfine.backbones.batch import Batch, collate, length_sorted_batches
from superfine.backbones.load import load_for_classification
from superfine.backbones.memory import freed_memory_is_kept
from superfine.data.clean import STEPS
from superfine.data.encode import Encoded, Encoder
from superfine.errors import ModelError
from superfine.predictors.bundle import MANIFEST, Bundle, Manifest, write_manifest
from superfine.records import Examples, FloatArray, Predictions
from superfine.tasks import TASKS
from superfine.tasks.classification import Classification

MAX_TOKENS = 2048
MAX_TEXTS = 256
"""Bounds of a batch in prediction: large enough to keep the processor busy, small enough for its caches."""
CHUNK_TEXTS = 50_000
"""Texts are encoded and predicted in chunks of this many, so that memory does not grow with the file."""


class Model:
    """A Predictor with a torch network behind it. All that trains, attacks or explains goes through `embed` and `logits`."""

    def __init__(self, backbone: Backbone, task: Classification, max_length: int, *, takes_pairs: bool = False) -> None:
        self.backbone = backbone
        self.task = task
        self.takes_pairs = takes_pairs
        self.encoder = Encoder(backbone.tokenizer, max_length, empty_id=backbone.network.config.pad_token_id or 0)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.task.labels

    @property
    def max_length(self) -> int:
        return self.encoder.max_length

    def embed(self, batch: Batch) -> Tensor:
        """(T, width) the word embeddings of a batch; put them (changed or not) back with `batch.with_embeddings`."""
        return self.backbone.embed(batch)

    def logits(self, batch: Batch) -> Tensor:
        """(n, K) float32, in the batch's order."""
        return self.backbone.logits(batch)

    def encoded_logits(self, encoded: Encoded, on_batch: Callable[[int], None] | None = None) -> FloatArray:
        """(n, K) logits of encoded texts, in their order, without gradients. `on_batch` hears how many texts are done."""
        network = self.backbone.network
        was_training = network.training
        if was_training:  # setting the mode walks all modules, a tenth of the time that a single short text takes
            network.eval()
        out = np.zeros((len(encoded), len(self.labels)))
        batches = length_sorted_batches(encoded, MAX_TOKENS, MAX_TEXTS)
        with torch.inference_mode(), freed_memory_is_kept() if len(batches) > 1 else nullcontext():
            for indices in batches:
                batch = collate(encoded, indices).to(self.backbone.device)
                out[batch.indices] = self.logits(batch).cpu().numpy()
                if on_batch is not None:
                    on_batch(len(indices))
        if was_training:
            network.train()
        return out

    def predict_examples(self, examples: Examples, on_batch: Callable[[int], None] | None = None) -> Predictions:
        """Class probabilities of each example, in the order given."""
        parts = [
            self.encoded_logits(self.encoder.encode(examples.take(range(a, min(a + CHUNK_TEXTS, len(examples))))), on_batch)
            for a in range(0, len(examples), CHUNK_TEXTS)
        ]
        logits = np.concatenate(parts) if parts else np.zeros((0, len(self.labels)))
        return self.task.decode(examples.row, logits) if len(logits) else Predictions(examples.row, self.labels, logits)

    def predict(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> Predictions:
        """Class probabilities of texts: `model.predict(["Lovely!"]).label` is `["positive"]`."""
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts, not one text")
        for values in (texts, text_pairs or ()):
            wrong = next((i for i, text in enumerate(values) if not isinstance(text, str)), None)
            if wrong is not None:
                raise TypeError(f"text {wrong} is no string but {type(values[wrong]).__name__}")
        if self.takes_pairs != (text_pairs is not None):
            raise ValueError(
                "the model was trained on pairs of texts" if self.takes_pairs else "the model was trained on single texts"
            )
        return self.predict_examples(Examples.of_texts(texts, text_pairs))

    def save(self, folder: Path, *, text: Sequence[str], text_pair: str | None, label: str | None, cleaned: bool) -> None:
        """Write the bundle: Hugging Face's layout and the manifest."""
        folder.mkdir(parents=True, exist_ok=True)
        self.backbone.save(folder, self.max_length)
        manifest = Manifest(
            task=self.task.name,
            labels=list(self.labels),
            max_length=self.max_length,
            cleaning=list(STEPS) if cleaned else [],
            flash_from={work: length for work, length in self.backbone.flash_from.items() if work.startswith("scoring")},
            text=list(text),
            text_pair=text_pair,
            label=label,
        )
        write_manifest(folder, manifest)

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        """The model of a bundle, in its precision, on the GPU where there is one."""
        manifest = bundle.manifest
        backbone = load_for_classification(str(bundle.folder), cleaning=False)
        n_outputs = int(backbone.network.config.num_labels)
        if n_outputs != len(manifest.labels):
            raise ModelError(
                f"{bundle.folder / MANIFEST} names {len(manifest.labels)} classes, the network has {n_outputs}.",
                "Copy the bundle again, or train again.",
            )
        backbone.network.eval().to(default_device())
        backbone.pack_if_sound()
        backbone.flash_from = manifest.flash_from
        backbone.use_precision(torch.bfloat16 if manifest.precision == "bfloat16" else torch.float32)
        return cls(
            backbone, TASKS.load(manifest.task)(manifest.labels), manifest.max_length, takes_pairs=manifest.text_pair is not None
        )


def default_device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
