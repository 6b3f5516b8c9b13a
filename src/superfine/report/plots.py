"""Figures of a run for notebooks and papers, drawn by matplotlib from saved records alone (extra `plots`)."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from superfine.errors import ConfigError
from superfine.extras import require
from superfine.metrics import title_of

MOST_CLASSES = 50
WITH_CHINESE = ("Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "SimHei", "WenQuanYi Micro Hei")


def _figure(width: float = 5.0, height: float = 4.0, n_columns: int = 1) -> tuple[Any, Any]:
    """A figure that no window belongs to and that a notebook shows, and its axes."""
    require("plots", "matplotlib")
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            stream = io.BytesIO()
            self.savefig(stream, format="png", dpi=100)
            return stream.getvalue()

    figure = Shown(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, n_columns)


def _families() -> list[str]:
    """Fonts that are here, those with Chinese characters among them: matplotlib's own has none."""
    from matplotlib import font_manager

    here = {font.name for font in font_manager.fontManager.ttflist}
    return [*(name for name in WITH_CHINESE if name in here), "DejaVu Sans"][::-1]


def confusion(metrics: dict[str, Any]) -> Any:
    """True classes in rows, predicted ones in columns, shares of each row; the numbers are counts of texts.

    Raises ConfigError where the answer is no class, or there are too many.
    """
    cells, labels = metrics["test"].get("confusion"), metrics["labels"]
    if not cells:
        raise ConfigError(f"There is no confusion of classes: the task is {metrics['task']}.")
    if len(labels) > MOST_CLASSES:
        raise ConfigError(f"{len(labels)} classes are too many for a picture.", "metrics.json has the pairs: test.confusion.")
    counts = np.zeros((len(labels), len(labels)))
    for true, said, count in cells:
        counts[true, said] = count
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = max(4.0, 0.45 * len(labels) + 2)
    figure, axes = _figure(side, side)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (i, k), count in np.ndenumerate(counts):
        if count:
            axes.text(k, i, f"{count:.0f}", ha="center", va="center", color="white" if shares[i, k] > 0.5 else "black")
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", fontfamily=_families())
    axes.set_yticks(range(len(labels)), labels, fontfamily=_families())
    axes.set(xlabel="predicted", ylabel="true")
    return figure


def learning_curve(metrics: dict[str, Any]) -> Any:
    """Losses by epoch, and the score that chooses with its standard error; a ring marks the epoch that was kept."""
    history, kept = metrics["training"]["history"], metrics["training"]["kept_epoch"]
    epochs = [record["epoch"] for record in history]
    figure, (left, right) = _figure(9.0, 3.6, 2)
    left.plot(epochs, [record["train_loss"] for record in history], "o--", label="training")
    left.plot(epochs, [record["loss"] for record in history], "o-", label="validation")
    left.set(xlabel="epoch", ylabel="loss")
    left.legend()
    scores = [record["score"] for record in history]
    right.errorbar(epochs, scores, [record["standard_error"] for record in history], fmt="o-", capsize=3)
    at_kept = [score for epoch, score in zip(epochs, scores, strict=True) if epoch == kept]
    right.plot([kept] * len(at_kept), at_kept, "o", markersize=12, fillstyle="none", label="kept")
    right.set(xlabel="epoch", ylabel=title_of(metrics["chosen_by"]).long)
    right.legend()
    for axes in (left, right):
        axes.set_xticks(epochs)
    return figure


def calibration(metrics: dict[str, Any]) -> Any:
    """The share of right answers against their confidence, in groups of as many texts each; right on the diagonal.

    Raises ConfigError where answers have no confidence.
    """
    groups = metrics["test"].get("calibration")
    if not groups:
        raise ConfigError(f"There is no confidence to compare: the task is {metrics['task']}.")
    figure, axes = _figure()
    axes.plot([0, 1], [0, 1], color="0.7")
    sure, right, counts = (np.array(column, dtype=float) for column in zip(*groups, strict=True))
    axes.errorbar(sure, right, 1.96 * np.sqrt(right * (1 - right) / counts), fmt="o", capsize=3)
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1.02), ylim=(0, 1.02))
    return figure
