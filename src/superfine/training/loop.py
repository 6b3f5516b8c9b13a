"""The training loop: `fit` reads like the recipe, and each rung below it is one named step.

fit → run_stages → run_epochs → train_epoch → train_step
                              → validate (handed in), choose the weights to keep, stop early
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from superfine.backbones.batch import Batch, collate
from superfine.backbones.memory import give_back, reuse_freed_memory
from superfine.config import TrainingConfig
from superfine.data.encoded import Encoded
from superfine.errors import ConfigError, is_out_of_memory
from superfine.model import Model
from superfine.records import IntArray
from superfine.training.clock import Clock, StopReason
from superfine.training.kept import Kept
from superfine.training.objective import Outcome
from superfine.training.optim import Optimiser, rate_factor
from superfine.training.placement import Placement
from superfine.training.precision import name_of
from superfine.training.recipe import Recipe
from superfine.training.stages import Part, Stage, supervised_stage
from superfine.training.trace import Trace
from superfine.training.weights import MasterWeights


@dataclass(frozen=True)
class Validation:
    """What the model comes to on the validation part.

    score: the one that chooses, with its standard error. rises: whether more of it is better.
    """

    loss: float
    score: float
    standard_error: float
    rises: bool = True


Validate = Callable[[Model], Validation]


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch came to: `train_loss` over its steps, the task's own, so that it is of the same kind as `loss`; the others
    of `Validation`."""

    epoch: int
    train_loss: float
    loss: float
    score: float
    standard_error: float
    seconds: float
    rises: bool = True


class Listener(Protocol):
    """Is told of progress; all methods are called from the training thread."""

    def on_step(self, step: int, n_steps: int, loss: float, texts: int, tokens: int) -> None: ...
    def on_epoch(self, record: EpochRecord, is_kept: bool) -> None: ...
    def note(self, message: str) -> None: ...


@dataclass
class Progress:
    """Where a run stands: everything in a checkpoint that is not a tensor. epoch, step_in_epoch: of the stage."""

    stage: int = 0
    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    texts: int = 0
    tokens: int = 0
    step_seconds: float = 0.0
    total_seconds: float = 0.0
    epoch_loss: float = 0.0
    trace: Trace = field(default_factory=Trace)
    history: list[EpochRecord] = field(default_factory=list)
    kept_epoch: int = -1
    finished: bool = False
    gradient_accumulation: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Progress:
        history = [EpochRecord(**record) for record in data["history"]]
        return cls(**{**data, "history": history, "trace": Trace(**data.get("trace", {}))})


@dataclass(frozen=True)
class FitResult:
    """What `fit` leaves behind besides the model's weights. threads: that computed; their number moves the last digits."""

    progress: Progress
    recipe: Recipe
    precision: str
    stopped: StopReason | None
    threads: int


class TrainingState:
    """The state of one training: model, stages, optimiser and progress. Checkpoints read and write its fields."""

    def __init__(
        self, model: Model, train: Part, validate: Validate, settings: TrainingConfig, seed: int, before: Sequence[Stage] = ()
    ) -> None:
        """train: what the task is learned from in the last stage. before: stages that come before it."""
        self.model, self.validate, self.settings, self.seed = model, validate, settings, seed
        self.placement = Placement.of(model.backbone.device, settings.precision)
        self.stages = [*before, supervised_stage(model, train, settings, seed)]
        # Networks of unknown families may use the table twice, and a dense gradient cannot be added to a sparse one.
        embeddings = model.backbone.word_embeddings
        embeddings.sparse = model.backbone.family is not None
        rows = rows_in_use(*(stage.train.encoded for stage in self.stages)).to(embeddings.weight.device)
        self.weights = MasterWeights(model.backbone, self.placement.dtype, rows if embeddings.sparse else None)
        self.progress = Progress(gradient_accumulation=settings.gradient_accumulation)
        self.kept: Kept | None = None
        self.start_stage()

    @property
    def stage(self) -> Stage:
        """The one that `progress` stands in."""
        return self.stages[self.progress.stage]

    @property
    def is_in_last_stage(self) -> bool:
        return self.progress.stage == len(self.stages) - 1

    @property
    def n_steps(self) -> int:
        """Of all stages."""
        return sum(stage.n_steps for stage in self.stages)

    @property
    def share_of_stage(self) -> float:
        """How much of the stage's steps are done, from 0 to 1."""
        before = sum(stage.n_steps for stage in self.stages[: self.progress.stage])
        return (self.progress.step - before) / self.stage.n_steps

    def start_stage(self) -> None:
        """Make the optimiser of the stage that `progress` stands in."""
        stage, backbone = self.stage, self.model.backbone
        if stage.head is not None:
            stage.head.to(self.placement.device).train()
        self.optimiser = Optimiser(
            self.weights,
            cast(nn.Parameter, backbone.word_embeddings.weight),
            backbone.head_parameters,
            stage.settings,
            stage.recipe.learning_rate,
            [] if stage.head is None else [*stage.head.parameters()],
        )

    @property
    def is_through(self) -> bool:
        """Whether the last epoch is done, by the recipe or because validation got worse."""
        return self.is_in_last_stage and (self.progress.epoch >= self.stage.recipe.epochs or _got_worse(self))

    def drop_optimiser(self) -> None:
        """Give its moments' memory back: nothing is trained any more."""
        del self.optimiser
        give_back()


def fit(
    state: TrainingState, clock: Clock, listener: Listener, on_checkpoint: Callable[[TrainingState], None] | None = None
) -> FitResult:
    """Fine-tune `state.model` in place and leave it with the weights that validation chose (`is_kept`), in float32.

    Stops early when validation is worse and stays so, when the clock says so, on Ctrl-C, or where memory runs out after weights
    were kept. `on_checkpoint` is called after every
    step and decides itself when to write.
    """
    with reuse_freed_memory():
        stopped = None if state.progress.finished else _run_stages(state, clock, listener, on_checkpoint)
    if state.kept is None:
        _validate(state, listener)
    state.drop_optimiser()
    if state.kept is not None:
        state.weights.restore(state.kept)
    state.weights.finish()
    state.model.backbone.word_embeddings.sparse = False
    state.model.backbone.network.eval()
    return FitResult(state.progress, state.stages[-1].recipe, name_of(state.placement.dtype), stopped, torch.get_num_threads())


def _run_stages(
    state: TrainingState, clock: Clock, listener: Listener, on_checkpoint: Callable[[TrainingState], None] | None
) -> StopReason | None:
    while (reason := _run_epochs(state, clock, listener, on_checkpoint)) is None and not state.is_in_last_stage:
        state.progress.stage += 1
        state.progress.epoch = 0
        state.start_stage()
    state.progress.finished = reason is None
    return reason


def _run_epochs(
    state: TrainingState, clock: Clock, listener: Listener, on_checkpoint: Callable[[TrainingState], None] | None
) -> StopReason | None:
    while state.progress.epoch < state.stage.recipe.epochs and not _got_worse(state):
        started = time.perf_counter()
        seconds_before = state.progress.total_seconds
        try:
            reason = _train_epoch(state, clock, listener, on_checkpoint, started, seconds_before)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or state.kept is None:
                raise
            return "out_of_memory"
        if state.is_in_last_stage and (
            reason is None or state.progress.step_in_epoch > len(state.stage.batches) // 4 or not state.progress.history
        ):
            _validate(state, listener)
        state.progress.total_seconds = seconds_before + time.perf_counter() - started
        if reason is not None:
            return reason
        state.progress.epoch += 1
        state.progress.step_in_epoch, state.progress.epoch_loss = 0, 0.0
        if on_checkpoint is not None:
            on_checkpoint(state)
    return None


def rows_in_use(*encoded: Encoded) -> Tensor:
    """(r,) int64, sorted: the token ids that occur."""
    found = [np.flatnonzero(np.bincount(one.ids)) for one in encoded]
    return torch.from_numpy(found[0] if len(found) == 1 else np.unique(np.concatenate(found)))


def _train_epoch(
    state: TrainingState,
    clock: Clock,
    listener: Listener,
    on_checkpoint: Callable[[TrainingState], None] | None,
    started: float,
    before: float,
) -> StopReason | None:
    state.model.backbone.network.train()
    for indices in state.stage.batches.batches(state.progress.epoch)[state.progress.step_in_epoch :]:
        if (reason := clock.stop_reason()) is not None:
            return reason
        loss, texts, tokens = _train_step(state, indices, clock, listener)
        state.progress.total_seconds = before + time.perf_counter() - started
        listener.on_step(state.progress.step, state.n_steps, loss, texts, tokens)
        if on_checkpoint is not None:
            on_checkpoint(state)
    return None


def _train_step(
    state: TrainingState, indices: IntArray, clock: Clock, listener: Listener | None = None
) -> tuple[float, int, int]:
    """One optimiser step on the texts at `indices`. Returns the loss, the texts and the tokens."""
    started = time.perf_counter()
    progress, stage = state.progress, state.stage
    # What is left of the time decides how the last stage's rate falls.
    share = max(state.share_of_stage, clock.spent_share() if state.is_in_last_stage else 0.0)
    whole, plain, tokens = batch_gradients(state, indices, listener)
    factor = rate_factor(share + 0.5 / stage.n_steps, stage.settings.warmup_ratio)
    state.optimiser.step(factor)
    state.weights.publish()
    progress.step += 1
    progress.step_in_epoch += 1
    loss = float(whole)
    if not math.isfinite(loss):
        raise ConfigError(
            f"The loss is {loss} at step {progress.step}: training has diverged.",
            f"Lower training.learning_rate (it is {stage.recipe.learning_rate:g}), or use --set training.precision=float32.",
        )
    progress.epoch_loss += float(plain)
    progress.trace.add(float(plain), factor * stage.recipe.learning_rate)
    progress.texts += len(indices)
    progress.tokens += tokens
    progress.step_seconds += time.perf_counter() - started
    return loss, len(indices), tokens


def batch_gradients(state: TrainingState, indices: IntArray, listener: Listener | None = None) -> tuple[Tensor, Tensor, int]:
    """The gradients of the texts at `indices`, in as many parts as memory needs, with what is minimised, the task's own loss, and
    their tokens."""
    while (found := _in_parts(state, indices)) is None:
        _halve_parts(state, listener)
    return found


def _in_parts(state: TrainingState, indices: IntArray) -> tuple[Tensor, Tensor, int] | None:
    """The gradients of a batch, part by part, with both losses and its tokens; None where memory ran out and smaller parts
    remain.

    A part counts as its texts do, so the parts together give what the whole batch gives, within rounding and but for dropout.
    """
    parts = micro_batches(state, indices)
    train = state.stage.train
    counts = [float(train.amounts[part].sum()) for part in parts]
    losses: list[Tensor] = []
    plain: list[Tensor] = []
    tokens = 0
    state.weights.begin_batch()
    try:
        for part, count in zip(parts, counts, strict=True):
            batch = state.placement.put(collate(train.encoded, part, train.targets, train.weights))
            tokens += batch.n_tokens
            if count:  # rows without weight or targets teach nothing
                outcome = obtain_gradients(state, batch, count / sum(counts))
                losses.append(outcome.loss.detach() * (count / sum(counts)))
                plain.append(outcome.plain)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(parts) >= len(indices):
            raise
        return None
    if not losses:
        return torch.zeros(()), torch.zeros(()), tokens
    total, n = torch.stack(plain).sum(dim=0)
    return torch.stack(losses).sum(), total / n.clamp_min(1.0), tokens


def micro_batches(state: TrainingState, indices: IntArray) -> list[IntArray]:
    """A batch in as many parts as `training.gradient_accumulation` says; where texts are read in windows, in parts of about as
    many tokens as a batch of texts that are cut would have."""
    n_parts, train = min(state.progress.gradient_accumulation, len(indices)), state.stage.train
    if train.encoded.owner is None:
        return np.array_split(indices, n_parts)
    most = state.stage.recipe.batch_size * state.model.max_length / n_parts
    parts: list[list[int]] = []
    read = 0
    for i, tokens in zip(indices.tolist(), train.tokens_per_text[indices].tolist(), strict=True):
        if not parts or read + tokens > most:
            parts.append([])
            read = 0
        parts[-1].append(i)
        read += tokens
    return [np.array(part, dtype=np.int64) for part in parts]


def _halve_parts(state: TrainingState, listener: Listener | None) -> None:
    """From now on parts of half the size."""
    state.model.backbone.network.zero_grad(set_to_none=True)
    state.optimiser.zero_grad()
    give_back()
    state.progress.gradient_accumulation *= 2
    if listener is not None:
        n = state.progress.gradient_accumulation
        listener.note(f"Memory ran out: a batch is computed in {n} parts from now on, with the same result.")


def obtain_gradients(state: TrainingState, batch: Batch, share: float = 1.0) -> Outcome:
    """The passes of one batch, or of a part of it that is `share` of the loss: afterwards the masters hold the gradients of all
    parts so far."""
    place, stage = state.placement, state.stage
    backward = place.backward if share == 1.0 else lambda loss: place.backward(share * loss)
    outcome = stage.gradient_step(state.model, batch, stage.objective, backward)
    state.weights.collect_gradients()
    return outcome


def _validate(state: TrainingState, listener: Listener) -> None:
    """Score the validation part, and keep the weights unless it speaks against them."""
    started = time.perf_counter()
    found = state.validate(state.model)
    progress = state.progress
    record = EpochRecord(
        epoch=progress.epoch,
        train_loss=progress.epoch_loss / max(1, progress.step_in_epoch),
        **vars(found),
        seconds=time.perf_counter() - started,
    )
    progress.history.append(record)
    keep = is_kept(progress.history)
    if keep:
        state.kept = state.weights.snapshot(into=state.kept)
        progress.kept_epoch = record.epoch
    listener.on_epoch(record, keep)


def is_kept(history: Sequence[EpochRecord]) -> bool:
    """Whether the weights of the latest epoch replace those kept before: unless they validate worse than the best, beyond chance.

    The one-standard-error rule (Breiman, Friedman, Olshen and Stone 1984), in favour of the later epoch, whose rate has fallen
    further. The largest of a few scores of some hundred rows is as often luck as it is merit.
    """
    sign = 1.0 if history[-1].rises else -1.0
    # An epoch whose score nothing defined was told by its loss, which is no score of the others' kind.
    alike = [record for record in history if record.rises == history[-1].rises]
    best = max(alike, key=lambda record: sign * record.score)
    return sign * history[-1].score >= sign * best.score - best.standard_error


def _got_worse(state: TrainingState) -> bool:
    progress = state.progress
    since_kept = progress.epoch - 1 - progress.kept_epoch
    return bool(state.settings.patience and progress.history and since_kept >= state.settings.patience)
