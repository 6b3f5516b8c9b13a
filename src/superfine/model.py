"""A model: a pretrained backbone with a task's head, and the predictor that speaks for it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from superfine.backbones.backbone import Backbone
from superfine.backbones.batch import Batch, collate, length_sorted_batches
from superfine.backbones.load import open_pretrained
from superfine.backbones.memory import reuse_freed_memory
from superfine.backbones.packed.layout import Layout
from superfine.data.clean import STEPS
from superfine.data.columns import ColumnChoice
from superfine.data.encode import Encoder
from superfine.data.encoded import Encoded
from superfine.data.preparation import head_tail_in, windows_in
from superfine.errors import ConfigError, ModelError
from superfine.predictors.bundle import MANIFEST, Bundle, Manifest, write_manifest
from superfine.predictors.texts import OnBatch, TextModel
from superfine.records import FloatArray
from superfine.tasks.task import Task

MAX_TOKENS = 2048
MAX_SEQUENCES = 256
"""Bounds of a batch in prediction: large enough to keep the processor busy, small enough for its caches."""


class Model(TextModel):
    """A TextModel with a torch network behind it. All that trains, attacks or explains goes through `embed` and `logits`."""

    def __init__(self, backbone: Backbone, task: Task, encoder: Encoder, *, takes_pairs: bool = False) -> None:
        super().__init__(task, encoder, takes_pairs=takes_pairs)
        self.backbone = backbone

    def embed(self, batch: Batch) -> Tensor:
        """(T, width) the word embeddings of a batch; put them (changed or not) back with `batch.with_embeddings`."""
        return self.backbone.embed(batch)

    def logits(self, batch: Batch) -> Tensor:
        """(n, n_outputs) float32 of the texts, in the batch's order; (T, n_outputs) where tokens answer. Where an answer is
        extracted, they are log-probabilities over the tokens of each sequence."""
        logits = self.backbone.logits(batch)
        if self.task.head.extractive:
            return log_softmax_of_sequences(logits, batch.layout)
        if batch.owner is None or self.task.head.by_token:
            return logits
        totals = logits.new_zeros(len(batch.indices), logits.shape[1]).index_add_(0, batch.owner, logits)
        return totals / torch.bincount(batch.owner, minlength=len(batch.indices)).to(logits)[:, None]

    def outputs(self, encoded: Encoded, on_batch: OnBatch | None = None) -> FloatArray:
        """(s, n_outputs) logits of encoded sequences, in their order, or of all their tokens where tokens answer. Without
        gradients."""
        network = self.backbone.network
        was_training = network.training
        if was_training:  # setting the mode walks all modules, a tenth of the time that a single short text takes
            network.eval()
        by_token = self.task.head.by_token
        sequences, read = encoded.as_sequences(), 0
        out = np.zeros((len(encoded.ids) if by_token else len(sequences), len(self.task.head)))
        batches = length_sorted_batches(sequences, MAX_TOKENS, MAX_SEQUENCES)
        with torch.inference_mode(), reuse_freed_memory() if len(batches) > 1 else nullcontext():
            for indices in batches:
                batch = collate(sequences, indices).to(self.backbone.device)
                places = encoded.tokens_of(batch.indices) if by_token else batch.indices
                out[places] = self.logits(batch).cpu().numpy()
                read += len(indices)
                if on_batch is not None:  # a text counts by its windows that are read
                    on_batch(read * len(encoded) // len(sequences) - (read - len(indices)) * len(encoded) // len(sequences))
        if was_training:
            network.train()
        return out

    def save(self, folder: Path, columns: ColumnChoice, *, cleaned: bool) -> None:
        """Write the bundle: Hugging Face's layout and the manifest. columns: of the training data. cleaned: by the tokenizer."""
        folder.mkdir(parents=True, exist_ok=True)
        self.backbone.save(folder, self.max_length)
        manifest = Manifest.of(
            self.task,
            columns,
            predictor="torch",
            cleaning=list(STEPS) if cleaned else [],
            max_length=self.max_length,
            steps=self.encoder.steps,
        )
        write_manifest(folder, manifest)

    @classmethod
    def load(cls, bundle: Bundle, device: str = "auto") -> Self:
        """The model of a bundle, in its precision, on this device; "auto" is the GPU where there is one."""
        where = device_of(device)
        manifest = bundle.manifest
        if manifest.max_length is None:
            raise ModelError(f"{bundle.folder / MANIFEST} does not say how much the model reads.", "Copy the bundle again.")
        pretrained = open_pretrained(str(bundle.folder), cleaning=False)
        task = manifest.open_task()
        backbone = pretrained.saved_backbone(task.head)
        n_outputs = int(backbone.network.config.num_labels)
        if n_outputs != len(task.head):
            raise ModelError(
                f"{bundle.folder / MANIFEST} names {len(task.head)} outputs, the network has {n_outputs}.",
                "Copy the bundle again, or train again.",
            )
        named = tuple(str(backbone.network.config.id2label[i]) for i in range(n_outputs))
        if named != task.head.outputs:
            raise ModelError(
                f"{bundle.folder / MANIFEST} names other classes than config.json, or the same in another order.",
                "Copy the bundle again, or train again.",
            )
        backbone.network.eval().to(where)
        backbone.pack_if_sound()
        backbone.use_precision(torch.bfloat16 if manifest.precision == "bfloat16" else torch.float32)
        return cls(
            backbone,
            task,
            pretrained.encoder(
                manifest.max_length,
                with_offsets=task.head.by_token,
                windows=windows_in(manifest.preparation),
                head_tail=head_tail_in(manifest.preparation),
            ),
            takes_pairs=manifest.text_pair is not None,
        )


def log_softmax_of_sequences(logits: Tensor, layout: Layout) -> Tensor:
    """(T, n_outputs) the logarithms of each column's softmax over the tokens of its sequence."""
    sequence, n = layout.sequence_of_token, layout.n_sequences
    index = sequence[:, None].expand_as(logits)
    highest = logits.new_full((n, logits.shape[1]), -torch.inf).scatter_reduce_(0, index, logits.detach(), "amax")
    shifted = logits - highest[sequence]
    totals = logits.new_zeros(n, logits.shape[1]).index_add_(0, sequence, shifted.exp())
    return shifted - totals.log()[sequence]


def device_of(setting: str = "auto") -> torch.device:
    """The device of that name; "auto" is the GPU where there is one. Raises ConfigError for one that is not there."""
    if setting == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = setting.partition(":")
    n_devices = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(kind, 1)
    if int(number or 0) >= n_devices:
        raise ConfigError(f'There is no device "{setting}" here.', "superfine doctor names those that there are.")
    return torch.device(setting)
