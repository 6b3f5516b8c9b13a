"""`report.html`: one self-contained page that shows the score, what it is worth, and where the model errs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

SCORE_NAMES = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "mcc": "Matthews correlation",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
}
MAX_MATRIX_CLASSES = 20


@dataclass(frozen=True)
class Bar:
    """One line of the score chart, in per cent of its width."""

    name: str
    value: float
    low: float
    high: float
    is_model: bool


def render_page(metrics: dict[str, Any], errors: list[dict[str, Any]]) -> str:
    """The page for the content of `metrics.json` and the most confident errors."""
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            metrics=metrics,
            errors=errors,
            scores=[(title, metrics["test"][key]) for key, title in SCORE_NAMES.items() if key in metrics["test"]],
            bars=_bars(metrics),
            matrix=_matrix(metrics),
            curve=_curve(metrics["training"]["history"]),
        )
    )


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Jinja with our templates; everything that comes from data is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    env = Environment(
        loader=PackageLoader("superfine.report", "templates"),
        autoescape=select_autoescape(["html", "html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    env.filters["number"] = lambda value, digits=3: f"{value:.{digits}f}"
    return env


def _bars(metrics: dict[str, Any]) -> list[Bar]:
    rows = [("Superfine", metrics["test"]["accuracy"], True)]
    rows += [(b["title"], b["accuracy"], False) for b in metrics["baselines"].values()]
    return [Bar(name, 100 * a["value"], 100 * a["low"], 100 * a["high"], is_model) for name, a, is_model in rows]


def _matrix(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """The confusion matrix with shares of each true class, or None where it would be too large to read."""
    labels, counts = metrics["labels"], metrics["test"]["confusion"]
    if len(labels) > MAX_MATRIX_CLASSES:
        return None
    rows = []
    for label, row in zip(labels, counts, strict=True):
        total = sum(row)
        rows.append((label, [(count, count / total if total else 0.0) for count in row]))
    return {"labels": labels, "rows": rows}


def _curve(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Points of the learning curve in a 100 by 40 box: validation accuracy and both losses by epoch."""
    epochs = [record["epoch"] for record in history]
    last = max(epochs, default=1)
    x = [100 * (epoch - 1) / max(1, last - 1) if last > 1 else 50.0 for epoch in epochs]

    def line(values: list[float], top: float) -> str:
        return " ".join(f"{a:.2f},{40 - 40 * min(v, top) / top:.2f}" for a, v in zip(x, values, strict=True))

    highest = max([r["loss"] for r in history] + [r["train_loss"] for r in history] + [0.1])
    return {
        "accuracy": line([r["accuracy"] for r in history], 1.0),
        "loss": line([r["loss"] for r in history], highest),
        "train_loss": line([r["train_loss"] for r in history], highest),
        "highest_loss": highest,
        "epochs": epochs,
        "records": history,
    }
