"""The part of `train` that needs torch: building a model, estimating the time, fine-tuning, resuming."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from superfine.backbones import window_attention
from superfine.backbones.adapters import make_adapter
from superfine.backbones.choose import sample_of
from superfine.backbones.heads import rescale, set_bias
from superfine.backbones.load import Pretrained, open_pretrained
from superfine.backbones.memory import give_back
from superfine.backbones.process import isolated_seed
from superfine.backbones.pruning import cut_otherwise, prune
from superfine.config import RunConfig
from superfine.data.encode import Encoder
from superfine.data.encoded import Encoded
from superfine.errors import ConfigError, ModelError, is_out_of_memory
from superfine.model import Model, device_of
from superfine.predictors.drift import MOST_ROWS
from superfine.recipes.encode import EncodedParts, choose_encoder
from superfine.recipes.prepare import Parts, texts_of, without_cleaning
from superfine.recipes.reporter import Reporter
from superfine.recipes.request import Request
from superfine.recipes.run_folder import unfinished
from superfine.recipes.validate import validation_of
from superfine.records import Examples, Ragged
from superfine.training.checkpoint import Checkpointer, belongs_to, find_checkpoint, read_checkpoint
from superfine.training.clock import Clock
from superfine.training.footprint import Plan, available_bytes, counts_of, needed_bytes
from superfine.training.loop import FitResult, TrainingState, fit
from superfine.training.precision import choose_precision
from superfine.training.recipe import TrainingData, choose_recipe
from superfine.training.rounding import round_weights
from superfine.training.speed import measure_speed

REPORT_SECONDS = 3.0
"""What writing the outputs takes, for planning under a time limit."""
WAITING = "Another thread of this process is training: this run waits for it."
SURELY = 1.15
"""By so much an estimate of memory may be wrong."""
CHECKPOINT = "checkpoint"
SAMPLE = 64
"""So many test texts, or up to twice as many, tell how long all of them take."""


class Opened(NamedTuple):
    """The model that the configuration names, before it has a head; the parts as it reads them, and how it reads texts."""

    pretrained: Pretrained
    parts: Parts
    encoder: Encoder


def open_weights(parts: Parts, reporter: Reporter) -> Opened:
    """What models of ours are built on; what became of it is said."""
    config = parts.config
    pretrained = open_pretrained(config.model.name, cleaning=config.data.cleaning, say=reporter.note)
    if config.data.cleaning and not pretrained.cleans:
        reporter.note(f"The tokenizer of {config.model.name} cannot keep the cleaning: texts are read as they are.")
        parts = without_cleaning(parts)
    if config.model.prune_vocabulary is not None:
        pretrained = with_fewer_pieces(pretrained, parts, config.model.prune_vocabulary, reporter)
    encoder = choose_encoder(pretrained, parts, reporter)
    if config.model.adapter_only:
        refuse_other_base(pretrained)
    check_memory(pretrained, parts, encoder, reporter)
    return Opened(pretrained, parts, encoder)


def open_model(parts: Parts, reporter: Reporter) -> tuple[Model, Parts]:
    """A model on the weights that the configuration names, with a new head, and the parts as it reads them."""
    opened = open_weights(parts, reporter)
    return first_model(opened, reporter), opened.parts


def first_model(opened: Opened, reporter: Reporter) -> Model:
    """A model with a new head; what the user should know of it is said."""
    model = build_model(opened.pretrained, opened.parts, opened.encoder, on_wait=lambda: reporter.note(WAITING))
    for note in model.backbone.notes:
        reporter.note(note)
    give_back()
    return model


def refuse_other_base(pretrained: Pretrained) -> None:
    """Raises ModelError where an adapter would not belong to the model of that name, but to what is made of it here."""
    name = pretrained.location.name
    if pretrained.location.adapter is not None:
        raise ModelError(f"{name} is an adapter itself: another one beside it cannot be saved alone.", "Save the whole model.")
    if pretrained.n_missing_rows:
        raise ModelError(
            f"The table of {name} is enlarged here: an adapter alone would not hold its rows.", "Save the whole model."
        )


def check_memory(pretrained: Pretrained, parts: Parts, encoder: Encoder, reporter: Reporter) -> None:
    """Raises ModelError for a model that plainly does not fit into memory, before its weights are loaded; says where it may not.

    Batches are halved by themselves where memory runs out, so what is asked is whether a single text would fit. What would fit is
    named, with what it takes.
    """
    counts = counts_of(pretrained.config, layers=parts.config.model.layers, pieces=parts.config.model.prune_vocabulary)
    free = available_bytes(device_of(parts.config.device))
    if counts is None or free is None:
        return
    whole = memory_plan(parts, encoder)
    chosen = replace(whole, tokens=min(whole.tokens, encoder.max_length))
    model_type = str(pretrained.config.model_type)
    needed = needed_bytes(counts, chosen, model_type)
    if needed <= free:
        return
    needs = f"{pretrained.location.name} needs about {needed / 1e9:.1f} GB to be trained, and {free / 1e9:.1f} GB are free here."
    ways = {
        "--set training.gradient_checkpointing=true": replace(chosen, recomputed=True),
        "--set model.adapter='{lora: {r: 8}}'": replace(chosen, adapter=True),
        "both of --set model.adapter='{lora: {r: 8}}' and --set training.gradient_checkpointing=true": replace(
            chosen, adapter=True, recomputed=True
        ),
    }
    takes = {way: needed_bytes(counts, plan, model_type) for way, plan in ways.items()}
    fitting = next((f"Use {way}: that takes about {n / 1e9:.1f} GB." for way, n in takes.items() if n <= free), None)
    if needed > SURELY * free:
        raise ModelError(needs, fitting or "Choose a smaller model, or a machine with more memory.")
    reporter.note(f"{needs} {fitting}" if fitting is not None else needs)


def memory_plan(parts: Parts, encoder: Encoder) -> Plan:
    """What decides the memory of this training: its settings, and how long its texts are."""
    config = parts.config
    some = encoder.encode(parts.train.take(range(0, len(parts.train), max(1, len(parts.train) // SAMPLE))))
    tokens_per_text = len(some.ids) / max(1, len(some))
    data = TrainingData(len(parts.train), parts.task.size, tokens_per_text, by_token=parts.task.head.by_token)
    batch_size = choose_recipe(config.training, data, 1).batch_size
    n_parts = config.training.gradient_accumulation
    most = batch_size * encoder.max_length / n_parts  # see micro_batches
    return Plan(
        tokens=round(min(most, batch_size / n_parts * tokens_per_text)),
        dtype=choose_precision(config.training.precision, device_of(config.device)),
        adapter=config.model.adapter is not None,
        frozen=config.model.freeze if config.model.freeze is not None else 0,
        recomputed=config.training.gradient_checkpointing,
    )


def with_fewer_pieces(pretrained: Pretrained, parts: Parts, n_pieces: int, reporter: Reporter) -> Pretrained:
    """The model with a vocabulary pruned for the texts that it learns from; what that costs on the others is said."""
    pruned = prune(pretrained.tokenizer, [*texts_of(parts.train), *texts_of(parts.validation)], n_pieces)
    share = cut_otherwise(pretrained.tokenizer, pruned, sample_of(texts_of(parts.test if len(parts.test) else parts.validation)))
    before, after = (tokenizer.get_vocab_size() for tokenizer in (pretrained.tokenizer, pruned.tokenizer))
    reporter.note(
        f"Vocabulary: {after} of {before} pieces are kept; {share:.1%} of the test texts are cut otherwise for it, and texts in "
        "other scripts cannot be read any more."
    )
    return replace(pretrained, tokenizer=pruned.tokenizer, kept_rows=pruned.rows)


def build_model(pretrained: Pretrained, parts: Parts, encoder: Encoder, on_wait: Callable[[], None] | None = None) -> Model:
    """The pretrained network with a head that starts from the run's seed, on the device it is to train on.

    Called once for each trial; tokens that `encoder` made serve all of them.
    """
    task, config = parts.task, parts.config
    with isolated_seed(config.seed, on_wait):
        backbone = pretrained.backbone(
            task.head,
            dropout=config.model.dropout,
            attention_dropout=config.model.attention_dropout,
            layers=config.model.layers,
            adapter=None if config.model.adapter is None else make_adapter(config.model.adapter),
            freeze=config.model.freeze,
        )
    if task.bias is not None:
        set_bias(backbone.network, backbone.fresh, torch.from_numpy(task.bias))
    if encoder.windows is not None and encoder.windows.pooling == "attention":
        location = pretrained.location
        earlier = location.adapter or (Path(location.path) if location.is_folder else None)
        window_attention.add_to(backbone.network, earlier)
    backbone.network.to(device_of(config.device))
    backbone.pack_if_sound()
    if config.training.gradient_checkpointing:
        backbone.recompute_layers()
    return Model(backbone, task, encoder)


def refuse_hopeless_limit(model: Model, parts: Parts, request: Request) -> None:
    """Raises ConfigError for a time limit in which the model cannot even answer for the test part, before more time is spent.

    Judged by some of the test texts; `fine_tune` looks again when it knows how fast the model trains.
    """
    limit = parts.config.training.time_limit
    if limit is None or not len(parts.test):
        return
    some = parts.test.take(range(0, len(parts.test), max(1, len(parts.test) // SAMPLE)))
    seconds = []
    for _ in range(2):  # the first time warms up
        started = time.perf_counter()
        model.predict_examples(some)
        seconds.append(time.perf_counter() - started)
    scoring = min(seconds) * (len(parts.test) + len(parts.validation)) / len(some)
    _check_time_limit(limit, time.monotonic() - request.started + scoring + REPORT_SECONDS)


def fine_tune(
    model: Model,
    encoded: EncodedParts,
    parts: Parts,
    request: Request,
    reporter: Reporter,
    checkpoint: str | None = CHECKPOINT,
    *,
    keeps_last: bool = False,
) -> FitResult:
    """Fit the model, with an estimate before the first step, checkpoints on the way and an orderly end on Ctrl-C.

    checkpoint: the name of their folder, or None: there are none. keeps_last: one is written when training is over, so that a run
    of several trainings goes on behind it.
    """
    config = parts.config
    with isolated_seed(config.seed + 1, on_wait=lambda: reporter.note(WAITING)):
        result = _fitted(model, encoded, parts, request, reporter, checkpoint, keeps_last=keeps_last)
    reporter.training_ends()
    model.backbone.merge_adapter()
    give_back()  # the optimiser's moments are gone with the state of the training
    adjust(model, parts.validation, encoded.validation.encoded)
    for note in model.task.learned_notes():
        reporter.note(note)
    if not config.model.adapter_only:  # an adapter is saved in float32, beside weights that are not saved at all
        round_weights(model, config.model.saved_weights, parts.validation, encoded.validation.encoded)
    give_back()
    if result.stopped == "time_limit":
        reporter.note(f"The time limit ended training in epoch {result.progress.epoch + 1} of {result.recipe.epochs}.")
    if result.stopped == "out_of_memory":
        reporter.note(
            f"Memory ran out in epoch {result.progress.epoch + 1} of {result.recipe.epochs}: the weights kept so far are "
            f"evaluated and written. Lower training.batch_size (it is {result.recipe.batch_size}) or model.max_length."
        )
    return result


def adjust(model: Model, examples: Examples, encoded: Encoded) -> None:
    """Let the task learn what it learns of validation rows, and fold into the output layer what that can do."""
    task = model.task.adjusted(examples, model.pooled_outputs(encoded), encoded)
    if task.fold is not None:
        factor, shift = torch.from_numpy(task.fold.factor), torch.from_numpy(task.fold.shift)
        task = task.folded(shifted=rescale(model.backbone.network, factor, shift))
    model.task = task


def _fitted(
    model: Model,
    encoded: EncodedParts,
    parts: Parts,
    request: Request,
    reporter: Reporter,
    checkpoint: str | None,
    *,
    keeps_last: bool,
) -> FitResult:
    """Fit the model, from the last checkpoint on where the run is resumed."""
    config = parts.config
    identity = _identity(encoded, config)
    folder = unfinished(request.folder) / (checkpoint or CHECKPOINT)
    writer = None if checkpoint is None else Checkpointer(folder, identity, keeps_last=keeps_last)
    validate = validation_of(parts.validation, encoded.validation, config.training.choose_by)
    state = TrainingState(model, encoded.train, validate, config.training, config.seed)
    if request.resume and writer is not None:
        _resume(state, identity, writer.folder, request.folder, reporter)
    with _explaining_memory(state, model.max_length):
        clock, seconds = _plan(state, encoded, config, request)
        limit = None if clock.deadline is None else clock.deadline - time.monotonic()
        chosen_by = model.task.chosen_by(config.training.choose_by)
        reporter.training_starts(state.n_steps, state.progress.step, seconds, chosen_by, limit)
        with clock.listening(reporter.interrupted):
            return fit(state, clock, reporter, writer)


@contextmanager
def _explaining_memory(state: TrainingState, max_length: int) -> Iterator[None]:
    """Memory that runs out inside, before any weights were kept, becomes one message."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ConfigError(
            f"Memory ran out in training (training.batch_size {state.stage.recipe.batch_size}, model.max_length {max_length}).",
            "Lower one of the two, or choose a smaller model.",
        ) from None


def _plan(state: TrainingState, encoded: EncodedParts, config: RunConfig, request: Request) -> tuple[Clock, float]:
    """When training must end, and how many seconds it should take. Raises ConfigError for a limit that cannot be kept."""
    speed = measure_speed(state)
    give_back()
    validating = len(encoded.validation.encoded.ids) / speed.scored_tokens_per_second
    # The test part is scored in float32, which takes up to three times as long as scoring while training.
    # Some validation rows are answered once more, for what the bundle keeps of them.
    kept = min(1.0, MOST_ROWS / max(1, len(encoded.validation)))
    after = 3 * (encoded.n_test_tokens / speed.scored_tokens_per_second + (1 + kept) * validating) + REPORT_SECONDS
    limit = config.training.time_limit
    spent = time.monotonic() - request.started
    _check_time_limit(limit, spent + after + 1.5 * validating)
    epochs = state.stages[-1].recipe.epochs
    share_left = 1 - state.progress.step / state.n_steps
    tokens = len(encoded.train.encoded.ids) * epochs * share_left
    estimate = tokens / speed.trained_tokens_per_second + epochs * share_left * validating
    deadline = None if limit is None else request.started + limit - after - 1.5 * validating
    return Clock(deadline), estimate if deadline is None else min(estimate, deadline - time.monotonic())


def _identity(encoded: EncodedParts, config: RunConfig) -> str:
    """What a checkpoint belongs to: with other rows, settings or another seed it cannot go on."""
    digest = hashlib.sha256()
    for part in (encoded.train, encoded.validation):
        digest.update(part.encoded.ids.tobytes() + part.encoded.starts.tobytes())
        digest.update((part.targets.values if isinstance(part.targets, Ragged) else part.targets).tobytes())
        digest.update(b"" if part.weights is None else part.weights.tobytes())
    settings = config.model_dump(mode="json")
    settings["training"].pop("time_limit")
    settings.pop("track")
    settings.pop("evaluation")
    digest.update(json.dumps(settings, sort_keys=True).encode())
    return digest.hexdigest()


def _resume(state: TrainingState, identity: str, place: Path, folder: Path, reporter: Reporter) -> None:
    checkpoint = find_checkpoint(place)
    if checkpoint is None:
        reporter.note("There is no checkpoint yet: the run starts from the beginning.")
        return
    if belongs_to(checkpoint) != identity:
        raise ModelError(
            f"The checkpoint in {folder} belongs to other data or settings, another model or another seed.",
            "Give the same data and settings again, or start without --resume.",
        )
    read_checkpoint(state, checkpoint)
    reporter.note(f"Resumed after step {state.progress.step} of {state.n_steps}.")


def _check_time_limit(limit: float | None, needed: float) -> None:
    """Refuse a limit in which the test part alone could not be scored."""
    if limit is not None and needed > limit:
        raise ConfigError(
            f"Loading and scoring the test part take about {needed:.0f} s; the time limit is {limit:.0f} s.",
            "Raise --time-limit, or give fewer test rows with --test.",
        )
