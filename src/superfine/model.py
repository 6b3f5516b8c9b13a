"""A model: a pretrained backbone with a task's head, and the predictor that speaks for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from torch import Tensor

from superfine.backbones import window_attention
from superfine.backbones.backbone import Backbone, means_of_sequences
from superfine.backbones.batch import Batch, collate
from superfine.backbones.load import open_pretrained
from superfine.backbones.memory import reuse_freed_memory
from superfine.backbones.packed.layout import Layout
from superfine.backbones.sources.adapter import AdapterBase
from superfine.data.batches import length_sorted_batches
from superfine.data.clean import STEPS
from superfine.data.columns import ColumnChoice
from superfine.data.encode import Encoder
from superfine.data.encoded import Encoded
from superfine.data.preparation import head_tail_in, windows_in
from superfine.errors import ConfigError, ModelError
from superfine.predictors.bundle import MANIFEST, Bundle, Manifest, write_manifest
from superfine.predictors.drift import Reference
from superfine.predictors.texts import Computed, OnBatch, TextModel
from superfine.records import FloatArray, IntArray
from superfine.tasks.task import Task


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
        if batch.owner is None or self.task.head.by_token:
            logits = self.backbone.logits(batch)
            return self._within_sequences(logits, batch.layout)
        logits, scores = self.backbone.logits_and_scores(batch)
        return pooled_logits(logits, scores, batch.owner, len(batch.indices))

    def _within_sequences(self, logits: Tensor, layout: Layout) -> Tensor:
        """The logits, or what is told of an extracted answer by them."""
        return log_softmax_within(logits, layout.sequence_of_token, layout.n_sequences) if self.task.head.extractive else logits

    def embeddings(self, encoded: Encoded, on_batch: OnBatch | None = None) -> FloatArray:
        """(n, width) float32 vectors of length 1: the mean of the body's last states over all tokens of a text, as
        sentence-transformers makes most of its vectors."""
        sequences, read = encoded.as_sequences(), 0
        totals = np.zeros((len(encoded), int(self.backbone.network.config.hidden_size)), dtype=np.float32)
        self.backbone.network.eval()
        with torch.inference_mode(), reuse_freed_memory():
            for indices in length_sorted_batches(sequences):
                batch = collate(sequences, indices).to(self.backbone.device)
                means = means_of_sequences(self.backbone.states(batch, "all"), batch) * batch.layout.lengths[:, None]
                np.add.at(totals, encoded.owners[batch.indices], means.float().cpu().numpy())
                read += len(indices)
                if on_batch is not None:
                    on_batch(read * len(encoded) // len(sequences) - (read - len(indices)) * len(encoded) // len(sequences))
        return np.asarray(totals / np.maximum(np.linalg.norm(totals, axis=1, keepdims=True), 1e-12))

    @contextmanager
    def computing(self, n_batches: int) -> Iterator[None]:
        """Without gradients, and without dropout."""
        network = self.backbone.network
        was_training = network.training
        if was_training:  # setting the mode walks all modules, a tenth of the time that a single short text takes
            network.eval()
        with torch.inference_mode(), reuse_freed_memory() if n_batches > 1 else nullcontext():
            yield
        if was_training:
            network.train()

    def computed(self, sequences: Encoded, indices: IntArray) -> Computed:
        batch = collate(sequences, indices).to(self.backbone.device)
        if self.task.head.by_token or not self.backbone.weighs_windows:
            return Computed(batch.indices, self.logits(batch).cpu().numpy())
        logits, scores = self.backbone.logits_and_scores(batch)
        return Computed(batch.indices, logits.cpu().numpy(), cast(Tensor, scores).cpu().numpy())

    def save(
        self,
        folder: Path,
        columns: ColumnChoice,
        *,
        cleaned: bool,
        adapter_of: AdapterBase | None = None,
        reference: Reference | None = None,
    ) -> None:
        """Write the bundle: Hugging Face's layout and the manifest. columns: of the training data. cleaned: by the tokenizer.
        adapter_of: see `Backbone.save`. reference: what rows at prediction are compared with."""
        folder.mkdir(parents=True, exist_ok=True)
        self.backbone.save(folder, self.max_length, adapter_of=adapter_of)
        if reference is not None:
            reference.save(folder)
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
        windows = windows_in(manifest.preparation)
        if windows is not None and windows.pooling == "attention":
            window_attention.restore(backbone.network, bundle.folder)
        backbone.network.eval().to(where)
        backbone.pack_if_sound()
        backbone.use_precision(torch.bfloat16 if manifest.precision == "bfloat16" else torch.float32)
        return cls(
            backbone,
            task,
            pretrained.encoder(
                manifest.max_length,
                with_offsets=task.head.by_token,
                windows=windows,
                head_tail=head_tail_in(manifest.preparation),
            ),
            takes_pairs=manifest.text_pair is not None,
        )


def pooled_logits(logits: Tensor, scores: Tensor | None, owner: Tensor, n_texts: int) -> Tensor:
    """(n, n_outputs) of texts from those (s, n_outputs) of their windows: means, or sums with the softmax of `scores` (s,)."""
    if scores is not None:
        shares = log_softmax_within(scores[:, None], owner, n_texts).exp()
    else:
        shares = 1 / torch.bincount(owner, minlength=n_texts).to(logits)[owner, None]
    return logits.new_zeros(n_texts, logits.shape[1]).index_add_(0, owner, logits * shares)


def log_softmax_within(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """(t, k) the logarithms of each column's softmax over the rows of one group, told by `group` (t,): the tokens of a sequence,
    or the windows of a text."""
    index = group[:, None].expand_as(values)
    highest = values.new_full((n_groups, values.shape[1]), -torch.inf).scatter_reduce_(0, index, values.detach(), "amax")
    shifted = values - highest[group]
    totals = values.new_zeros(n_groups, values.shape[1]).index_add_(0, group, shifted.exp())
    return shifted - totals.log()[group]


def device_of(setting: str = "auto") -> torch.device:
    """The device of that name; "auto" is the GPU where there is one. Raises ConfigError for one that is not there."""
    if setting == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = setting.partition(":")
    n_devices = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}.get(kind, 1)
    if int(number or 0) >= n_devices:
        raise ConfigError(f'There is no device "{setting}" here.', "superfine doctor names those that there are.")
    return torch.device(setting)
