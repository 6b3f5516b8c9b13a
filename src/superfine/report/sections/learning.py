"""How training went: score and loss by epoch, the loss by step and its rate."""

from __future__ import annotations

import math
from typing import Any

from superfine.metrics import title_of
from superfine.report.panel import Panel


def learning(metrics: dict[str, Any]) -> dict[str, Any]:
    """panels: the score that chooses and both losses by epoch; the training loss and the learning rate by step. records: the
    epochs. guessing: the loss, in nats, of a model that takes all classes for equally likely, where the loss is of that kind."""
    training, name = metrics["training"], metrics["chosen_by"]
    history, title = training["history"], title_of(metrics["chosen_by"])
    epochs = [float(i + 1) for i in range(len(history))]
    kept = training["kept_epoch"] - 1
    scores = [record["score"] for record in history]
    losses = [record["loss"] for record in history]
    own = [record["train_loss"] for record in history]
    is_share = title.unit != "number"
    ends = (max(0.0, min([*scores, 1.0]) - 0.1), 1.0) if is_share else (min(scores) - 0.05, max(scores) + 0.05)
    of_score = _by_epoch(title.long, epochs, ends, percent=title.unit == "percent")
    of_score.line("on the validation part", "validation", list(zip(epochs, scores, strict=True)), kept=kept)
    of_loss = _by_epoch("Loss", epochs, (min(0.0, *losses, *own), max([*losses, *own, 0.1]) * 1.05))
    of_loss.line("validation loss", "validation", list(zip(epochs, losses, strict=True)), kept=kept)
    of_loss.line("training loss", "training", list(zip(epochs, own, strict=True)), kept=kept)
    return {
        "panels": [of_score, of_loss, *_by_step(training["curve"])],
        "records": history,
        "curve": training["curve"],
        "guessing": math.log(len(metrics["labels"])) if "log_loss" in metrics["test"] and len(metrics["labels"]) > 1 else None,
        "score_name": name,
    }


def _by_epoch(title: str, epochs: list[float], ends: tuple[float, float], *, percent: bool = False) -> Panel:
    show = (lambda value: f"{100 * value:.0f} %") if percent else "{:.2f}".format
    panel = Panel.empty(title, "epoch", (0.5, len(epochs) + 0.5), ends, show_y=show)
    every = max(1, -(-len(epochs) // 12))
    panel.x_axis = (0.5, len(epochs) + 0.5)
    panel.x_ticks = [(panel.x(epoch), f"{epoch:.0f}") for epoch in epochs[::every]]
    return panel


def _by_step(curve: list[list[float]]) -> list[Panel]:
    if len(curve) < 2:
        return []
    last = curve[-1][0]
    loss = Panel.empty("Training loss by step", "step", (0.0, last), (0.0, max(value for _, value, _ in curve)))
    loss.line("", "validation", [(step, value) for step, value, _ in curve], dots=False)
    highest = max(value for _, _, value in curve)
    rate = Panel.empty(
        "Learning rate by step", "step", (0.0, last), (0.0, highest), show_y=lambda tick: f"{tick:.1e}" if tick else "0"
    )
    rate.line("", "validation", [(step, value) for step, _, value in curve], dots=False)
    return [loss, rate]
