"""The part of `train` that needs torch: building the model, estimating the time, fine-tuning, resuming."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from superfine.backbones.load import load_for_classification
from superfine.backbones.packed.choice import CANDIDATES, WORKS
from superfine.config import RunConfig
from superfine.data.kept_tokens import encode_or_recall
from superfine.errors import ConfigError, ModelError
from superfine.model import Model, default_device
from superfine.recipes.outputs import Timing
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Counter, Reporter
from superfine.recipes.request import Request
from superfine.records import Examples
from superfine.tasks.classification import Classification, chosen_weights
from superfine.training.checkpoint import Checkpointer, belongs_to, find_checkpoint, read_checkpoint
from superfine.training.clock import Clock
from superfine.training.loop import FitResult, Part, Run, fit
from superfine.training.objective import compose
from superfine.training.precision import choose_precision
from superfine.training.speed import measure_speed

REPORT_SECONDS = 2.0
"""What writing the outputs takes, for planning under a time limit."""


@dataclass(frozen=True)
class Job:
    """A model ready to be fine-tuned, and its encoded parts."""

    model: Model
    train: Part
    validation: Part
    n_test_tokens: int
    config: RunConfig


@contextmanager
def isolated_seed(seed: int) -> Iterator[None]:
    """Inside, torch's random numbers depend on the seed alone; outside nothing of it is felt."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def build_job(parts: Parts, config: RunConfig, timing: Timing, reporter: Reporter) -> Job:
    """Load the pretrained model under the run's seed and encode the parts."""
    compose(config.training.regularisers)  # a mistake in their names or options is told before anything takes time
    started = time.perf_counter()
    settings = config.model
    with isolated_seed(config.seed):
        backbone = load_for_classification(
            settings.name,
            parts.task.labels,
            cleaning=config.data.cleaning,
            dropout=settings.dropout,
            attention_dropout=settings.attention_dropout,
        )
    backbone.network.to(default_device())
    backbone.pack_if_sound()
    max_length = min(settings.max_length, backbone.max_positions or settings.max_length)
    if max_length < settings.max_length:
        reporter.note(
            f"{settings.name} reads at most {max_length} tokens; model.max_length {settings.max_length} is lowered to that."
        )
    train_targets = parts.targets(parts.train)
    weights = chosen_weights(config.training.class_weights, train_targets, len(parts.task.labels))
    model = Model(backbone, Classification(parts.task.labels, weights), max_length)
    timing.load_seconds = time.perf_counter() - started

    reporter.stage("encoding")
    started = time.perf_counter()
    counter = Counter(reporter, len(parts.train) + len(parts.validation))
    encoded, recalled = encode_or_recall(model.encoder, parts.train, counter, keep=config.data.keep_tokens)
    if recalled:
        reporter.note("The same texts were encoded before: their tokens are read from disk.")
    train = Part(encoded, train_targets)
    validation = Part(model.encoder.encode(parts.validation, counter), parts.targets(parts.validation))
    n_test_tokens = _count_tokens(model, parts.test)
    timing.encode_seconds = time.perf_counter() - started
    return Job(model, train, validation, n_test_tokens, with_kernels(config, model, int(encoded.lengths.max())))


def with_kernels(config: RunConfig, model: Model, longest: int) -> RunConfig:
    """The configuration with `model.flash_from` measured where it says auto and this run needs it, and the model told.

    longest: tokens of the longest training text. Scoring may meet longer ones, up to the model's bound.
    """
    backbone, settings = model.backbone, config.model
    needed = [(torch.float32, False)]
    if choose_precision("auto", backbone.device) == torch.bfloat16:
        needed.append((torch.bfloat16, False))
    if settings.attention_dropout == 0:
        needed.append((choose_precision(config.training.precision, backbone.device), True))
    chosen: dict[str, int | str] = {work: getattr(settings.flash_from, work) for work in WORKS.values()}
    for dtype, with_gradients in needed:
        work, most = WORKS[dtype, with_gradients], longest if with_gradients else model.max_length
        if chosen[work] == "auto" and backbone.chooses_kernels and most >= CANDIDATES[0]:
            chosen[work] = backbone.measure_flash_from(dtype, most, with_gradients=with_gradients) or "never"
    backbone.flash_from = {work: length for work, length in chosen.items() if isinstance(length, int)}
    resolved = settings.model_copy(update={"flash_from": settings.flash_from.model_copy(update=chosen)})
    return config.model_copy(update={"model": resolved})


def _count_tokens(model: Model, examples: Examples, sample: int = 2000) -> int:
    """About how many tokens the examples have, from an evenly spread sample."""
    step = max(1, len(examples) // sample)
    some = examples.take(range(0, len(examples), step))
    return int(len(model.encoder.encode(some).ids) * len(examples) / max(1, len(some)))


def fine_tune(job: Job, request: Request, reporter: Reporter) -> FitResult:
    """Fit the model, with an estimate before the first step, checkpoints on the way and an orderly end on Ctrl-C."""
    config = job.config
    identity = _identity(job)
    checkpointer = Checkpointer(request.folder / "checkpoint", identity)
    with isolated_seed(config.seed + 1):
        run = Run(job.model, job.train, job.validation, config.training, config.seed)
        if request.resume:
            _resume(run, identity, request.folder, reporter)
        speed = measure_speed(run)
        validating = len(job.validation.encoded.ids) / speed.scored_tokens_per_second
        # The test part is scored in float32, which takes up to three times as long as scoring while training.
        after = 3 * (job.n_test_tokens / speed.scored_tokens_per_second + validating) + REPORT_SECONDS
        limit = config.training.time_limit
        spent = time.monotonic() - request.started
        _check_time_limit(limit, spent + after + 1.5 * validating)
        epochs = run.recipe.epochs
        share_left = 1 - run.progress.step / run.n_steps
        tokens = len(job.train.encoded.ids) * epochs * share_left
        estimate = tokens / speed.trained_tokens_per_second + epochs * share_left * validating
        deadline = None if limit is None else request.started + limit - after - 1.5 * validating
        clock = Clock(deadline)
        reporter.training_starts(
            run.n_steps, run.progress.step, estimate if deadline is None else min(estimate, deadline - time.monotonic())
        )
        with clock.listening(reporter.interrupted):
            result = fit(run, clock, reporter, checkpointer)
    reporter.training_ends()
    if result.stopped == "interrupted":
        reporter.note("Interrupted: the weights kept so far are evaluated and written.")
    if result.stopped == "time_limit":
        reporter.note(f"The time limit ended training in epoch {result.progress.epoch + 1} of {result.recipe.epochs}.")
    return result


def _identity(job: Job) -> str:
    """What a checkpoint belongs to: with other rows, settings or another seed it cannot go on."""
    digest = hashlib.sha256()
    for part in (job.train, job.validation):
        digest.update(part.encoded.ids.tobytes() + part.encoded.starts.tobytes() + part.targets.tobytes())
    settings = job.config.model_dump(mode="json")
    settings["training"].pop("time_limit")
    settings.pop("track")
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()


def _resume(run: Run, identity: str, folder: Path, reporter: Reporter) -> None:
    checkpoint = find_checkpoint(folder / "checkpoint")
    if checkpoint is None:
        reporter.note("There is no checkpoint yet: the run starts from the beginning.")
        return
    if belongs_to(checkpoint) != identity:
        raise ModelError(
            f"The checkpoint in {folder} belongs to other data or settings, another model or another seed.",
            "Give the same data and settings again, or start without --resume.",
        )
    read_checkpoint(run, checkpoint)
    reporter.note(f"Resumed after step {run.progress.step} of {run.n_steps}.")


def _check_time_limit(limit: float | None, needed: float) -> None:
    """Refuse a limit in which the test part alone could not be scored."""
    if limit is not None and needed > limit:
        raise ConfigError(
            f"Loading and scoring the test part take about {needed:.0f} s; the time limit is {limit:.0f} s.",
            "Raise --time-limit, or give fewer test rows with --test.",
        )
