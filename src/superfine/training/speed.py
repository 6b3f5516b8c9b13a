"""How fast this model trains and scores on this machine, measured on a few of the user's own texts before the first step."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from superfine.backbones.batch import collate
from superfine.training.loop import TrainingState, batch_gradients, micro_batches

PROBE_BATCHES = 2


@dataclass(frozen=True)
class Speed:
    """Tokens per second, with all that a step costs, and without gradients."""

    trained_tokens_per_second: float
    scored_tokens_per_second: float


def measure_speed(state: TrainingState) -> Speed:
    """Time a step's passes on two batches and throw their gradients away. Weights and random state stay as they are."""
    place, stage, network = state.placement, state.stage, state.model.backbone.network
    batches = stage.batches.batches(0)
    whole = [indices for indices in batches if len(indices) == len(batches[0])]
    trained, tokens = 0.0, 0
    with place.same_random_state():
        network.train()
        for i in range(1 + PROBE_BATCHES):
            indices = whole[i % len(whole)]
            started = place.now()
            _, _, n_tokens = batch_gradients(state, indices)
            if i:  # the first one warms up
                trained += place.now() - started
                tokens += n_tokens
        network.eval()
        batch = place.put(collate(stage.train.encoded, micro_batches(state, indices)[0]))
        with torch.no_grad():
            started = place.now()
            state.model.logits(batch)
            scored = place.now() - started
    network.zero_grad(set_to_none=True)
    state.optimiser.zero_grad()
    return Speed(tokens / (trained + PROBE_BATCHES * _optimiser_seconds(state)), batch.n_tokens / scored)


def _optimiser_seconds(state: TrainingState) -> float:
    """What an update costs, from reading every master once: AdamW moves about eight times as much memory. The few rows of the
    word embeddings that a batch touches are left out."""
    started = state.placement.now()
    torch._foreach_norm(state.weights.read_whole)
    return 8 * (state.placement.now() - started)
