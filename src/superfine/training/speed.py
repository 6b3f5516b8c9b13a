"""How fast this model trains and scores on this machine, measured on a few of the user's own texts before the first step."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from superfine.backbones.batch import collate
from superfine.training.loop import TrainingState, batch_gradients, epoch_order, micro_batches

PROBE_BATCHES = 2


@dataclass(frozen=True)
class Speed:
    """Tokens per second, with all that a step costs, and without gradients."""

    trained_tokens_per_second: float
    scored_tokens_per_second: float


def measure_speed(state: TrainingState) -> Speed:
    """Time a step's passes on two batches and throw their gradients away. Weights and random state stay as they are."""
    device = state.model.backbone.device
    order = epoch_order(len(state.train), state.seed, 0)
    size = state.recipe.batch_size
    network = state.model.backbone.network
    trained, tokens = 0.0, 0
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        network.train()
        for i in range(1 + PROBE_BATCHES):
            indices = order[i * size : (i + 1) * size] if (i + 1) * size <= len(order) else order[:size]
            started = _now(device)
            _, n_tokens = batch_gradients(state, indices)
            if i:  # the first one warms up
                trained += _now(device) - started
                tokens += n_tokens
        network.eval()
        batch = collate(state.train.encoded, micro_batches(state, indices)[0]).to(device)
        with torch.no_grad():
            started = _now(device)
            state.model.logits(batch)
            scored = _now(device) - started
    network.zero_grad(set_to_none=True)
    state.optimiser.zero_grad()
    return Speed(tokens / (trained + PROBE_BATCHES * _optimiser_seconds(state)), batch.n_tokens / scored)


def _now(device: torch.device) -> float:
    """The time when all that was asked of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def _optimiser_seconds(state: TrainingState) -> float:
    """What an update costs, from reading every master once: AdamW moves about eight times as much memory. The few rows of the
    word embeddings that a batch touches are left out."""
    device = state.model.backbone.device
    started = _now(device)
    torch._foreach_norm(state.weights.read_whole)
    return 8 * (_now(device) - started)
