"""How the texts of a run are read: how many tokens at a time, cut or in windows, and how much of them is never read."""

from __future__ import annotations

import numpy as np

from superfine.data.encode import Encoder
from superfine.data.preparation import Reading, chosen_reading
from superfine.recipes.prepare import Parts
from superfine.recipes.reporter import Reporter
from superfine.records import Examples


def reading_of(parts: Parts, counter: Encoder, bound: int | None, reporter: Reporter) -> Reading:
    """How the texts are read by a model that can read so many tokens, counted with its tokenizer; and that is said."""
    settings, wanted = parts.config.model, parts.config.model.max_length
    if wanted is not None and bound is not None and bound < wanted:
        reporter.note(f"{settings.name} reads at most {bound} tokens; model.max_length {wanted} is lowered to that.")
    pairs = parts.train.text_pair is not None
    reading = chosen_reading(settings, parts.task.head, bound, lambda: counter.count_tokens(parts.train), pairs=pairs)
    for note in reading.notes:
        reporter.note(note)
    return reading


def unread_share(encoder: Encoder, examples: Examples) -> float:
    """About which share of the tokens of texts is behind what the model reads of them, from a sample; none where it reads them in
    windows."""
    if encoder.windows is not None:
        return 0.0
    tokens = encoder.count_tokens(examples)
    return float(np.maximum(0, tokens - encoder.max_length).sum() / max(1, tokens.sum()))
