"""`superfine models`: the usual pretrained models, and for a table of texts which of them suit it, in order, with the reasons."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from superfine.backbones.catalogue import Entry, Place, catalogue, places
from superfine.backbones.choose import language_of, sample_of
from superfine.backbones.locate import encoder_without_loading, resolve
from superfine.backbones.processor import multiplies_bfloat16
from superfine.data.encoded import Encoded
from superfine.data.preparation import MOST_TOKENS, Reading
from superfine.errors import ModelError, SuperfineError
from superfine.recipes.prepare import Parts, texts_of
from superfine.recipes.reporter import Counter, Reporter
from superfine.records import Examples

MANY_UNKNOWN = 0.05
"""A model that knows no token for so much of the texts does not suit them."""
STEP_ROWS = 256
"""From so many rows the batches are drawn on which a step is timed."""
BUDGET = 1800.0
"""Seconds: of the models that train within, the largest comes first."""
USUAL_BODY = 120.0
"""Millions: up to BERT's base size, where no time was measured."""
SAME_SIZE = 1.25
PROCESS_GB = 0.6
WEIGHTS_GB_PER_MILLION, TRAINED_GB_PER_MILLION = 0.004, 0.024
"""Float32 weights of all; of the body also its rounded copy, gradients, moments, and the weights that are kept."""
TRAINED_WORK, SCORED_WORK = 6.0, 2.0
"""Operations for a token and a parameter of the body: forward and backward, or forward alone (Kaplan et al. 2020)."""
USED_SHARE = 0.6
"""Of the speed of matrix products that a training reaches, with all that it does beside them; of twice as many in bfloat16, where
the processor has it. Within half of what a step said for the two sets of example reviews and imdb, in either format."""
HERE: tuple[Place, ...] = ("embedded", "cache")


@dataclass(frozen=True)
class Fit:
    """How a model suits the data.

    suits: whether it reads the language. reasons: in words. tokens_per_text, unknown_share, truncated_share: by its own
    tokenizer, None where that is not at hand. seconds: of training, None where there is nothing to go by; measured: on a step of
    this model, else estimated from that of another. memory_gb: estimated.
    """

    entry: Entry
    place: Place
    suits: bool
    reasons: tuple[str, ...]
    tokens_per_text: float | None = None
    unknown_share: float | None = None
    truncated_share: float | None = None
    seconds: float | None = None
    measured: bool = False
    memory_gb: float = 0.0

    def to_json(self) -> dict[str, Any]:
        facts = {name: value for name, value in vars(self).items() if name not in ("entry", "reasons")}
        return {**self.entry.model_dump(), **facts, "reasons": list(self.reasons)}


def list_models() -> list[dict[str, Any]]:
    """The catalogue, with where each model's weights are."""
    found = places()
    return [{**entry.model_dump(), "place": found[entry.name]} for entry in catalogue()]


def rank_models(parts: Parts, reporter: Reporter, *, measured: bool) -> list[Fit]:
    """All models of the catalogue, the one that suits the data best first. measured: time a step of those that are at hand."""
    texts = sample_of(texts_of(parts.train))
    language, where = language_of(texts), places()
    fits = [_fit(entry, where[entry.name], language.code, parts, texts) for entry in catalogue()]
    if measured:
        fits = _with_seconds(fits, parts, reporter)
    return sorted(fits, key=_order)


def _order(fit: Fit) -> tuple[bool, bool, bool, float, bool]:
    """What reads the language, what can be had, and what trains in time; of these the largest, of the others the fastest.

    Of about the same size one for this language comes before one for many.
    """
    seconds = 0.0 if fit.seconds is None else fit.seconds
    in_time = seconds <= BUDGET and (fit.seconds is not None or fit.entry.body <= USUAL_BODY)
    size, is_for_many = -round(math.log(fit.entry.body, SAME_SIZE)), isinstance(fit.entry.languages, int)
    return not fit.suits, fit.place == "out of reach", not in_time, size if in_time else seconds, is_for_many


def _fit(entry: Entry, place: Place, language: str, parts: Parts, texts: list[str]) -> Fit:
    suits, reasons = entry.reads(language), []
    if not suits:
        reasons.append(other_language(entry.languages))
    encoded = _encoded(entry, parts, texts) if place in HERE else None
    tokens = unknown = cut = None
    if encoded is not None:
        tokens, unknown, cut = float(encoded.lengths.mean()), encoded.unknown_share, float(encoded.truncated.mean())
        if unknown > MANY_UNKNOWN:
            suits = False
            reasons.append(unknown_tokens(unknown))
        reasons.append(counted(tokens, cut))
    if suits:
        reasons.append(entry.good_at)
    return Fit(entry, place, suits, tuple(reasons), tokens, unknown, cut, memory_gb=_memory(entry))


def _encoded(entry: Entry, parts: Parts, texts: list[str]) -> Encoded | None:
    config = parts.config
    wanted = config.model.max_length or MOST_TOKENS
    try:
        encoder = encoder_without_loading(
            resolve(entry.name),
            cleaning=config.data.cleaning,
            choose=lambda _, bound: Reading(min(wanted, bound or wanted), None),
        )
    except SuperfineError:
        return None
    return None if encoder is None else encoder.encode(Examples.of_texts(texts))


def _memory(entry: Entry) -> float:
    return PROCESS_GB + WEIGHTS_GB_PER_MILLION * entry.parameters + TRAINED_GB_PER_MILLION * entry.body


def _with_seconds(fits: list[Fit], parts: Parts, reporter: Reporter) -> list[Fit]:
    """The same with the time that training takes: measured where the weights are here, the others by the work of a token."""
    here = [fit for fit in fits if fit.place in HERE]
    here = [fit for fit in here if fit.suits] or here
    reporter.stage("measuring")
    counter = Counter(reporter, len(here))
    measured: dict[str, tuple[Fit, float]] = {}
    for fit in here:
        if (taken := measure(fit.entry.name, parts, reporter)) is not None:
            measured[fit.entry.name] = fit, taken.seconds
        counter(1)
    if not measured:
        return fits
    reference = max(measured.values(), key=lambda pair: pair[0].suits)
    return [
        replace(fit, seconds=measured[fit.entry.name][1], measured=True)
        if fit.entry.name in measured
        else replace(fit, seconds=_estimated_seconds(fit, *reference))
        for fit in fits
    ]


def _estimated_seconds(fit: Fit, reference: Fit, seconds: float) -> float:
    """By the body alone: a tokenizer that is not here is taken to make as many tokens."""
    return seconds * fit.entry.body / reference.entry.body


class Measured(NamedTuple):
    """What training will take. seconds: of all epochs, with validation. memory: bytes at its peak, of the whole process."""

    seconds: float
    memory: int


def measure(name: str, parts: Parts, reporter: Reporter, n_rows: int | None = None) -> Measured | None:
    """By two steps of this model, and by its layers and tokens; None where it cannot be opened. n_rows: so many training rows
    there will be, where those of `parts` are some of them."""
    from superfine.backbones.load import open_pretrained
    from superfine.recipes.encode import LEARNED_WINDOWS, choose_encoder
    from superfine.recipes.fine_tune import build_model, check_memory, memory_plan
    from superfine.recipes.validate import validation_of
    from superfine.training.footprint import counts_of, needed_bytes
    from superfine.training.loop import TrainingState
    from superfine.training.recipe import TrainingData, choose_recipe
    from superfine.training.speed import measure_speed
    from superfine.training.stages import Part

    config = parts.config
    try:
        pretrained = open_pretrained(name, cleaning=config.data.cleaning, say=reporter.note)
        encoder = choose_encoder(pretrained, parts, Reporter())
        check_memory(pretrained, parts, encoder, Reporter())
        model = build_model(pretrained, parts, encoder)
    except ModelError:
        return None
    rows = np.arange(0, len(parts.train), max(1, len(parts.train) // STEP_ROWS))
    some = parts.train.take(rows)
    encoded = encoder.encode(some).with_at_most(LEARNED_WINDOWS)
    tokens = float(encoded.tokens_per_text.mean())
    n_rows = len(parts.train) if n_rows is None else n_rows
    data = TrainingData(n_rows, parts.task.size, tokens, by_token=parts.task.head.by_token)
    recipe = choose_recipe(config.training, data, model.backbone.network.config.hidden_size)
    settings = config.training.model_copy(update=vars(recipe))
    part = Part(encoded, parts.task.targets(some, encoded), parts.task.row_weights(config.training.class_weights, some))
    speed = measure_speed(TrainingState(model, part, validation_of(some, part), settings, config.seed))
    validating = len(parts.validation) * tokens / speed.scored_tokens_per_second
    seconds = recipe.epochs * (n_rows * tokens / speed.trained_tokens_per_second + validating)
    counts = counts_of(pretrained.config)
    needed = 0 if counts is None else needed_bytes(counts, memory_plan(parts, encoder), pretrained.config.model_type)
    return Measured(seconds, round(1e9 * PROCESS_GB) + needed)


def other_language(languages: tuple[str, ...] | int) -> str:
    return f"reads another language ({', '.join(languages) if isinstance(languages, tuple) else languages})"


def unknown_tokens(share: float) -> str:
    return f"{share:.0%} of the tokens are unknown to it"


def counted(tokens: float, cut: float) -> str:
    return f"{tokens:.0f} tokens a text, {cut:.0%} of the texts cut"


def usual_seconds(parts: Parts, tokens_per_text: float, fit: Fit | None) -> float | None:
    """Of training, by the work of a token and the speed of a matrix product here: known without torch and weights, and rough.

    None for a model that is not in the catalogue.
    """
    if fit is None:
        return None
    from superfine.training.recipe import TrainingData, usual_epochs

    n_rows = len(parts.train)
    data = TrainingData(n_rows, parts.task.size, tokens_per_text, by_token=parts.task.head.by_token)
    epochs = parts.config.training.epochs or usual_epochs(data)
    setting = parts.config.training.precision
    halves = setting == "bfloat16" or (setting == "auto" and multiplies_bfloat16())
    work = 1e6 * fit.entry.body * tokens_per_text * epochs * (TRAINED_WORK * n_rows + SCORED_WORK * len(parts.validation))
    return work / ((2 if halves else 1) * USED_SHARE * products_per_second())


def products_per_second(size: int = 768, seconds: float = 0.1) -> float:
    """Floating-point operations a second in float32 matrix products, as NumPy computes them here."""
    matrix = np.ones((size, size), dtype=np.float32)
    matrix @ matrix  # the first one starts threads
    n, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        matrix @ matrix
        n += 1
    return 2.0 * size**3 * n / (time.perf_counter() - started)
