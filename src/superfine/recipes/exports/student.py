"""A student: a shallower network that is taught to answer as the tuned one does, on texts with labels and without.

It starts from some of the tuned model's layers, evenly spread, and learns its outputs instead of the labels: the squared error of
logits, which teaches classifiers better than the divergence of softened probabilities (Kim et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from superfine.config import RunConfig, build_config, read_config_file
from superfine.errors import ConfigError, DataError
from superfine.predictors.bundle import Bundle, TaskFacts, write_manifest
from superfine.predictors.drift import Reference
from superfine.recipes.exports.gate import Gate
from superfine.recipes.exports.subject import Subject, Tried, compared, proved
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.request import MARKER
from superfine.recipes.run_rows import home_of
from superfine.records import Examples, FloatArray

if TYPE_CHECKING:
    from superfine.backbones.batch import Batch
    from superfine.model import Model
    from superfine.training.loop import EpochRecord
    from superfine.training.objective import Outcome

MARGIN, MOST_CHANGED = 2.0, 10.0
"""What the gate accepts of a student where the user says nothing: points of the main score, and per cent of the answers."""
EPOCHS = 4
"""Passes over the texts at least: outputs are learned longer than labels before they are learned by heart."""


@dataclass(frozen=True)
class Distillation:
    """n_layers: that are kept. gate: that the student goes through."""

    n_layers: int
    gate: Gate

    @classmethod
    def of(cls, n_layers: int, margin: float | None, most_changed: float | None) -> Distillation:
        """margin: in points, most_changed: in per cent; None is what the rule says. Raises ConfigError for what is no gate."""
        margin, most_changed = MARGIN if margin is None else margin, MOST_CHANGED if most_changed is None else most_changed
        return cls(n_layers, Gate.of(margin, most_changed, ("--distil-margin", "--distil-max-changed")))


def refuse_if_impossible(subject: Subject, n_layers: int) -> None:
    """Raises an InputError for a model that no student of so many layers can be taught by here."""
    from superfine.backbones.structure import layers_of

    head, found = subject.model.task.head, layers_of(subject.model.backbone.network)
    if found is not None and n_layers >= len(found[2]):
        raise ConfigError(f"--distil {n_layers}: the model has {len(found[2])} layers itself.", "Ask for fewer.")
    if head.by_token:
        raise ConfigError("--distil teaches answers for whole texts, and this model answers for tokens.", "Leave it out.")
    if subject.rows.learned is None or subject.rows.validation is None:
        raise DataError("--distil needs the rows that the model learned from.", "Put the data back where the run read it.")
    if subject.rows.labelled is None:
        raise DataError("The gate needs labelled rows that the model has not learned from.", "Give some with --data FILE.")


def taught(subject: Subject, asked: Distillation, reporter: Reporter) -> tuple[Model, Tried]:
    """The student, and whether the gate lets it through. Raises an InputError for what cannot be had."""
    test = subject.samples["test"]
    reporter.note(asked.gate.plan(subject.model.task, test.examples, test.answers))
    config = _config(subject.bundle, asked.n_layers)
    student = _shallower(subject, config)
    learned, validation, more = subject.rows.learned, subject.rows.validation, subject.rows.unlabelled
    assert learned is not None
    assert validation is not None
    _teach(student, subject.model, _texts(learned, more), validation, config, reporter)
    attempt = Tried(f"student of {asked.n_layers} layers", compared(student, subject, reporter, without="test"))
    proved(attempt, student, asked.gate, subject, reporter)  # all other texts it was taught or chosen by
    return student, attempt


def _config(bundle: Bundle, n_layers: int) -> RunConfig:
    """The settings of the run, for a network of some of its model's layers."""
    home = home_of(bundle)
    assert home is not None
    config = build_config(read_config_file(home / MARKER), {}, [])
    own = config.model.model_copy(
        update={
            "name": str(bundle.folder),
            "layers": n_layers,
            "adapter": None,
            "adapter_only": False,
            "freeze": None,
            "prune_vocabulary": None,
        }
    )
    return config.model_copy(update={"model": own, "device": "cpu"})


def _texts(learned: Examples, more: Examples | None) -> Examples:
    """Texts alone: no label is looked at."""
    texts = Examples.of_texts(learned.text, learned.text_pair)
    return texts if more is None else texts.joined(Examples.of_texts(more.text, more.text_pair))


def _shallower(subject: Subject, config: RunConfig) -> Model:
    """A network of some of the layers, with the same head. Raises ConfigError where layers cannot be left out."""
    from superfine.backbones.load import open_pretrained
    from superfine.backbones.process import isolated_seed
    from superfine.model import Model

    pretrained = open_pretrained(str(subject.bundle.folder), cleaning=False)
    task, encoder = subject.model.task, subject.model.encoder
    with isolated_seed(config.seed):
        backbone = pretrained.backbone(task.head, layers=config.model.layers)
    if subject.model.backbone.weighs_windows:
        from superfine.backbones import window_attention

        window_attention.restore(backbone.network, subject.bundle.folder)
    backbone.pack_if_sound()
    return Model(backbone, task, encoder, takes_pairs=subject.model.takes_pairs)


def _teach(student: Model, teacher: Model, texts: Examples, validation: Examples, config: RunConfig, reporter: Reporter) -> None:
    """Fit the student to the teacher's outputs; validation rows choose the epoch by the task's own score."""
    from superfine.backbones.process import isolated_seed
    from superfine.recipes.fine_tune import adjust
    from superfine.recipes.validate import validation_of
    from superfine.training.clock import Clock
    from superfine.training.loop import TrainingState, fit
    from superfine.training.stages import Part

    reporter.stage("consulting")
    encoded = teacher.encoder.encode(texts)
    wanted = centred(teacher.pooled_outputs(encoded, Counter(reporter, len(texts))), teacher)
    reporter.progress_ends()
    task = teacher.task
    of_validation = Part(of := teacher.encoder.encode(validation), np.asarray(task.targets(validation, of)))
    epochs = config.training.epochs or EPOCHS
    settings = config.training.model_copy(update={"regularisers": {}, "epochs": max(EPOCHS, epochs), "time_limit": None})
    with isolated_seed(config.seed + 1):
        state = TrainingState(student, Part(encoded, wanted), validation_of(validation, of_validation), settings, config.seed)
        state.stages[-1] = replace(state.stages[-1], objective=imitation)
        reporter.stage("distilling")
        fit(state, Clock(None), _Steps(reporter, student))
    reporter.progress_ends()
    adjust(student, validation, of_validation.encoded)


def centred(outputs: FloatArray, model: Model) -> FloatArray:
    """What outputs tell: of logits that a softmax reads, their differences from their mean."""
    return outputs - outputs.mean(axis=1, keepdims=True) if model.task.head.activation == "softmax" else outputs


def imitation(model: Model, batch: Batch) -> Outcome:
    """The mean squared difference of the outputs of each text from those of the teacher, which are the batch's targets."""
    from superfine.training.objective import Outcome

    assert batch.targets is not None
    logits = model.logits(batch)
    told = logits - logits.mean(dim=1, keepdim=True) if model.task.head.activation == "softmax" else logits
    losses = (told - batch.targets.to(told)).square().mean(dim=1)
    return Outcome(losses, logits, batch.weights, losses.detach())


class _Steps:
    """Tells the steps of a training as progress."""

    def __init__(self, reporter: Reporter, model: Model) -> None:
        self._reporter, self._model = reporter, model

    def on_step(self, step: int, n_steps: int, loss: float, texts: int, tokens: int) -> None:
        self._reporter.progress(step, n_steps)

    def on_epoch(self, record: EpochRecord, is_kept: bool) -> None:
        self._reporter.note(
            f"Pass {record.epoch + 1}: squared error {record.train_loss:.3g}, {self._model.task.main} {record.score:.3f} "
            "on the validation part"
        )

    def note(self, message: str) -> None:
        self._reporter.note(message)


def save_student(student: Model, subject: Subject, folder: Path) -> None:
    """Make a bundle of the folder."""
    student.backbone.save(folder, student.max_length)
    validation = subject.rows.validation
    reference = None if validation is None else Reference.of(student, validation)
    if reference is not None:
        reference.save(folder)
    facts: dict[str, Any] = {"name": student.task.name, **student.task.facts()}
    manifest = subject.bundle.manifest.model_copy(update={"task": TaskFacts(**facts), "precision": "float32"})
    write_manifest(folder, manifest)
