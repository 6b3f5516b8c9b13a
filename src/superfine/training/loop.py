"""The training loop: `fit` reads like the recipe, and each rung below it is one named step.

fit → run_epochs → train_epoch → train_step
                 → validate (handed in), choose the weights to keep, stop early
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
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
from superfine.records import IGNORED, FloatArray, IntArray, Ragged
from superfine.tasks.task import Targets
from superfine.training.clock import Clock, StopReason
from superfine.training.objective import GradientStep, Objective, Outcome, compose
from superfine.training.optim import Optimiser, rate_factor
from superfine.training.precision import choose_precision, name_of
from superfine.training.recipe import Recipe, TrainingData, choose_recipe
from superfine.training.weights import MasterWeights


@dataclass(frozen=True)
class Part:
    """Encoded texts and what they are to become: targets of the task, for each text (n, ...) or for each of its tokens.

    weights: (n,) how much each text counts, or None.
    """

    encoded: Encoded
    targets: Targets | Ragged
    weights: FloatArray | None = None

    @cached_property
    def amounts(self) -> FloatArray:
        """(n,) how much each text counts in the loss of a batch: its weight, times its tokens with a target where those count."""
        weights = np.ones(len(self)) if self.weights is None else self.weights
        if not isinstance(self.targets, Ragged):
            return weights
        counted = np.concatenate([[0], np.cumsum(self.targets.values != IGNORED)])
        return np.asarray(weights * np.diff(counted[self.targets.starts[self.encoded.first_sequences]]))

    def __len__(self) -> int:
        return len(self.encoded)


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
    """What one epoch came to: `train_loss` over its steps, the others of `Validation`."""

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
    """Where a run stands: everything in a checkpoint that is not a tensor."""

    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    texts: int = 0
    tokens: int = 0
    step_seconds: float = 0.0
    total_seconds: float = 0.0
    epoch_loss: float = 0.0
    history: list[EpochRecord] = field(default_factory=list)
    kept_epoch: int = -1
    finished: bool = False
    gradient_accumulation: int = 1

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Progress:
        return cls(**{**data, "history": [EpochRecord(**record) for record in data["history"]]})


@dataclass(frozen=True)
class FitResult:
    """What `fit` leaves behind besides the model's weights. threads: that computed; their number moves the last digits."""

    progress: Progress
    recipe: Recipe
    precision: str
    stopped: StopReason | None
    threads: int


class TrainingState:
    """The state of one fine-tuning: model, optimiser and progress. Checkpoints read and write its fields."""

    def __init__(self, model: Model, train: Part, validate: Validate, settings: TrainingConfig, seed: int) -> None:
        self.model, self.train, self.validate, self.settings, self.seed = model, train, validate, settings, seed
        self.dtype = choose_precision(settings.precision, model.backbone.device)
        self.tokens_per_text = train.encoded.tokens_per_text
        data = TrainingData(len(train), model.task.size, float(self.tokens_per_text.mean()), by_token=model.task.head.by_token)
        self.recipe = choose_recipe(settings, data, model.backbone.network.config.hidden_size)
        self.objective: Objective
        self.gradient_step: GradientStep
        self.objective, self.gradient_step = compose(
            model.task.regularisers if settings.regularisers is None else settings.regularisers
        )
        # Networks of unknown families may use the table twice, and a dense gradient cannot be added to a sparse one.
        model.backbone.word_embeddings.sparse = model.backbone.family is not None
        rows = rows_in_use(train.encoded).to(model.backbone.device) if model.backbone.word_embeddings.sparse else None
        self.weights = MasterWeights(model.backbone, self.dtype, rows)
        embedding = cast(nn.Parameter, model.backbone.word_embeddings.weight)
        self.optimiser = Optimiser(self.weights, embedding, model.backbone.head_parameters, settings, self.recipe.learning_rate)
        self.progress = Progress(gradient_accumulation=settings.gradient_accumulation)
        self.kept: dict[str, Tensor] = {}

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.train) / self.recipe.batch_size)

    @property
    def n_steps(self) -> int:
        return self.steps_per_epoch * self.recipe.epochs


def fit(
    state: TrainingState, clock: Clock, listener: Listener, on_checkpoint: Callable[[TrainingState], None] | None = None
) -> FitResult:
    """Fine-tune `state.model` in place and leave it with the weights that validation chose (`is_kept`), in float32.

    Stops early when validation is worse and stays so, when the clock says so, on Ctrl-C, or where memory runs out after weights
    were kept. `on_checkpoint` is called after every
    step and decides itself when to write.
    """
    with reuse_freed_memory():
        stopped = None if state.progress.finished else _run_epochs(state, clock, listener, on_checkpoint)
    if not state.kept:
        _validate(state, listener)
    state.weights.restore(state.kept)
    state.weights.finish()
    state.model.backbone.word_embeddings.sparse = False
    state.model.backbone.network.eval()
    return FitResult(state.progress, state.recipe, name_of(state.dtype), stopped, torch.get_num_threads())


def _run_epochs(
    state: TrainingState, clock: Clock, listener: Listener, on_checkpoint: Callable[[TrainingState], None] | None
) -> StopReason | None:
    while state.progress.epoch < state.recipe.epochs and not _got_worse(state):
        started = time.perf_counter()
        seconds_before = state.progress.total_seconds
        try:
            reason = _train_epoch(state, clock, listener, on_checkpoint, started, seconds_before)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error) or not state.kept:
                raise
            return "out_of_memory"
        if reason is None or state.progress.step_in_epoch > state.steps_per_epoch // 4 or not state.progress.history:
            _validate(state, listener)
        state.progress.total_seconds = seconds_before + time.perf_counter() - started
        if reason is not None:
            return reason
        state.progress.epoch += 1
        state.progress.step_in_epoch, state.progress.epoch_loss = 0, 0.0
        if on_checkpoint is not None:
            on_checkpoint(state)
    state.progress.finished = True
    return None


def rows_in_use(encoded: Encoded) -> Tensor:
    """(r,) int64, sorted: the token ids that occur."""
    return torch.from_numpy(np.flatnonzero(np.bincount(encoded.ids)))


def epoch_order(n: int, seed: int, epoch: int) -> IntArray:
    """(n,) the order of the training rows in one epoch. A function of its arguments alone, so a resumed run repeats it."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def _train_epoch(
    state: TrainingState,
    clock: Clock,
    listener: Listener,
    on_checkpoint: Callable[[TrainingState], None] | None,
    started: float,
    before: float,
) -> StopReason | None:
    state.model.backbone.network.train()
    order = epoch_order(len(state.train), state.seed, state.progress.epoch)
    size = state.recipe.batch_size
    while state.progress.step_in_epoch < state.steps_per_epoch:
        if (reason := clock.stop_reason()) is not None:
            return reason
        start = state.progress.step_in_epoch * size
        loss, texts, tokens = _train_step(state, order[start : start + size], clock, listener)
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
    progress, settings = state.progress, state.settings
    share = max(progress.step / state.n_steps, clock.spent_share())
    whole, tokens = batch_gradients(state, indices, listener)
    state.optimiser.step(rate_factor(share + 0.5 / state.n_steps, settings.warmup_ratio))
    state.weights.publish()
    progress.step += 1
    progress.step_in_epoch += 1
    loss = float(whole)
    if not math.isfinite(loss):
        raise ConfigError(
            f"The loss is {loss} at step {progress.step}: training has diverged.",
            f"Lower training.learning_rate (it is {state.recipe.learning_rate:g}), or use --set training.precision=float32.",
        )
    progress.epoch_loss += loss
    progress.texts += len(indices)
    progress.tokens += tokens
    progress.step_seconds += time.perf_counter() - started
    return loss, len(indices), tokens


def batch_gradients(state: TrainingState, indices: IntArray, listener: Listener | None = None) -> tuple[Tensor, int]:
    """The gradients of the texts at `indices`, in as many parts as memory needs, with their loss and their tokens."""
    while (found := _in_parts(state, indices)) is None:
        _halve_parts(state, listener)
    return found


def _in_parts(state: TrainingState, indices: IntArray) -> tuple[Tensor, int] | None:
    """The gradients of a batch, part by part, with its loss and its tokens; None where memory ran out and smaller parts remain.

    A part counts as its texts do, so the parts together give what the whole batch gives, within rounding and but for dropout.
    """
    parts = micro_batches(state, indices)
    counts = [float(state.train.amounts[part].sum()) for part in parts]
    losses: list[Tensor] = []
    tokens = 0
    try:
        for part, count in zip(parts, counts, strict=True):
            batch = collate(state.train.encoded, part, state.train.targets, state.train.weights)
            batch = batch.to(state.model.backbone.device)
            tokens += batch.n_tokens
            if count:  # rows without weight or targets teach nothing
                outcome = obtain_gradients(state, batch, count / sum(counts), add=bool(losses))
                losses.append(outcome.loss.detach() * (count / sum(counts)))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error) or len(parts) >= len(indices):
            raise
        return None
    return torch.stack(losses).sum() if losses else torch.zeros(()), tokens


def micro_batches(state: TrainingState, indices: IntArray) -> list[IntArray]:
    """A batch in as many parts as `training.gradient_accumulation` says; where texts are read in windows, in parts of about as
    many tokens as a batch of texts that are cut would have."""
    n_parts = min(state.progress.gradient_accumulation, len(indices))
    if state.train.encoded.owner is None:
        return np.array_split(indices, n_parts)
    most = state.recipe.batch_size * state.model.max_length / n_parts
    parts: list[list[int]] = []
    read = 0
    for i, tokens in zip(indices.tolist(), state.tokens_per_text[indices].tolist(), strict=True):
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


def obtain_gradients(state: TrainingState, batch: Batch, share: float = 1.0, *, add: bool = False) -> Outcome:
    """The passes of one batch: afterwards the masters hold the gradients.

    share: of the loss that counts. add: to the gradients that the masters hold.
    """
    backward = _backward if share == 1.0 else lambda loss: _backward(share * loss)
    outcome = state.gradient_step(state.model, batch, state.objective, backward)
    state.weights.collect_gradients(add=add)
    return outcome


def _backward(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]


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
