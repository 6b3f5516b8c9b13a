"""Encoding the parts, once for all models that are built on them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from superfine.backbones.load import Pretrained
from superfine.config import RunConfig
from superfine.data.encode import Encoder
from superfine.data.preparation import MOST_TOKENS
from superfine.data.token_cache import encode_cached
from superfine.recipes.prepare import Parts
from superfine.recipes.reading import reading_of, unread_share
from superfine.recipes.reporter import Counter, Reporter
from superfine.records import Examples
from superfine.training.stages import Part

LEARNED_WINDOWS = 16
"""Windows of one training text whose gradients are computed together, which bounds the memory of a step."""


@dataclass(frozen=True)
class EncodedParts:
    """What is learned from and what chooses the epoch, as tokens. n_test_tokens: about how many the test part has.
    unread_share: of the tokens of the training texts, those that are never read in prediction either."""

    train: Part
    validation: Part
    n_test_tokens: int
    seconds: float
    unread_share: float


def choose_encoder(pretrained: Pretrained, parts: Parts, reporter: Reporter) -> Encoder:
    """From texts to tokens as this model reads them, at most as many at a time as it can; what the user should know of it is
    said."""
    for note in pretrained.notes:
        reporter.note(note)
    bound = pretrained.max_positions
    counter = pretrained.encoder(min(bound or MOST_TOKENS, MOST_TOKENS))
    reading = reading_of(parts, counter, bound, reporter)
    by_token = parts.task.head.by_token
    return pretrained.encoder(reading.max_length, with_offsets=by_token, windows=reading.windows, head_tail=reading.head_tail)


def encode_parts(parts: Parts, encoder: Encoder, config: RunConfig, reporter: Reporter) -> EncodedParts:
    """Tokenise the training and validation parts, or take their tokens from the cache."""
    started, task = time.perf_counter(), parts.task
    counter = Counter(reporter, len(parts.train) + len(parts.validation))
    encoded, was_cached = encode_cached(encoder, parts.train, counter, keep=config.data.cache_tokens)
    if was_cached:
        reporter.note("The same texts were encoded before: their tokens are read from disk.")
    if encoder.windows is not None and encoder.windows.of == "text_pair" and (n_cut := int(encoded.truncated.sum())):
        reporter.note(f"{n_cut} questions are longer than half of what the model reads at a time, and are cut.")
    n_longer = int((np.diff(encoded.first_sequences) > LEARNED_WINDOWS).sum())
    if n_longer:
        encoded = encoded.with_at_most(LEARNED_WINDOWS)
        reporter.note(
            f"{n_longer} training texts have more than {LEARNED_WINDOWS} windows: {LEARNED_WINDOWS} of them are learned from, "
            "evenly spread. In prediction all are read."
        )
    validation = encoder.encode(parts.validation, counter)
    return EncodedParts(
        Part(encoded, task.targets(parts.train, encoded), task.row_weights(config.training.class_weights, parts.train)),
        Part(validation, task.targets(parts.validation, validation)),
        _count_tokens(encoder, parts.test),
        time.perf_counter() - started,
        unread_share(encoder, parts.train) if encoded.truncated.any() else 0.0,
    )


def _count_tokens(encoder: Encoder, examples: Examples, sample: int = 2000) -> int:
    """About how many tokens the examples have, from an evenly spread sample."""
    step = max(1, len(examples) // sample)
    some = examples.take(range(0, len(examples), step))
    return int(len(encoder.encode(some).ids) * len(examples) / max(1, len(some)))
