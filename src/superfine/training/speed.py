"""How fast this model trains and scores on this machine, measured on a few of the user's own texts before the first step."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from superfine.backbones.batch import collate
from superfine.training.loop import Run, epoch_order, obtain_gradients

PROBE_BATCHES = 2


@dataclass(frozen=True)
class Speed:
    """Tokens per second, with all that a step costs, and without gradients."""

    trained_tokens_per_second: float
    scored_tokens_per_second: float


def measure_speed(run: Run) -> Speed:
    """Time a step's passes on two batches and throw their gradients away. Weights and random state stay as they are."""
    order = epoch_order(len(run.train), run.seed, 0)
    size = run.settings.batch_size
    state = torch.get_rng_state()
    network = run.model.backbone.network
    network.train()
    trained, tokens = 0.0, 0
    for i in range(1 + PROBE_BATCHES):
        indices = order[i * size : (i + 1) * size] if (i + 1) * size <= len(order) else order[:size]
        batch = collate(run.train.encoded, indices, run.train.targets).to(run.model.backbone.device)
        started = time.perf_counter()
        obtain_gradients(run, batch)
        if i:  # the first one warms up
            trained += time.perf_counter() - started
            tokens += batch.n_tokens
    network.eval()
    with torch.no_grad():
        started = time.perf_counter()
        run.model.logits(batch)
        scored = time.perf_counter() - started
    network.zero_grad(set_to_none=True)
    run.optimiser.zero_grad()
    torch.set_rng_state(state)
    optimiser = _optimiser_seconds(run) * PROBE_BATCHES
    return Speed(tokens / (trained + optimiser), batch.n_tokens / scored)


def _optimiser_seconds(run: Run) -> float:
    """What an update costs, from reading every master once: AdamW moves about eight times as much memory."""
    started = time.perf_counter()
    total = torch._foreach_norm(list[torch.Tensor](run.weights.masters))
    del total
    return 8 * (time.perf_counter() - started)
