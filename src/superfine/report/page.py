"""`report.html`: one self-contained page that shows the score, what it is worth, and where the model errs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from superfine.language import phrase

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


def render_page(metrics: dict[str, Any], errors: list[dict[str, Any]], language: str = "en") -> str:
    """The page for the content of `metrics.json` and the most confident errors, in English or Chinese ("zh")."""
    return (
        jinja_environment()
        .get_template("page.html.j2")
        .render(
            metrics=metrics,
            errors=errors,
            language=language,
            t=partial(phrase, language=language),
            scores=[(title, metrics["test"][key]) for key, title in SCORE_NAMES.items() if key in metrics["test"]],
            bars=_bars(metrics),
            matrix=_matrix(metrics),
            confusions=_confusions(metrics),
            curve=_curve(metrics["training"]["history"]),
            facts=_facts(metrics, language),
        )
    )


@lru_cache(maxsize=1)
def jinja_environment() -> Environment:
    """Jinja with our templates; everything that comes from data is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    env = Environment(
        loader=PackageLoader("superfine.report", "templates"),
        autoescape=select_autoescape(["html", "html.j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters["percent"] = percent
    env.filters["signed"] = signed
    env.filters["upper_first"] = lambda text: text[:1].upper() + text[1:]
    env.filters["number"] = number
    return env


def _bars(metrics: dict[str, Any]) -> list[Bar]:
    rows = [("Superfine", metrics["test"]["accuracy"], True)]
    rows += [(b["title"], b["accuracy"], False) for b in metrics["baselines"].values()]
    return [Bar(name, 100 * a["value"], 100 * a["low"], 100 * a["high"], is_model) for name, a, is_model in rows]


def _matrix(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """The confusion matrix as (count, share of the true class, whether right), or None where it would be too large to read."""
    labels = metrics["labels"]
    if len(labels) > MAX_MATRIX_CLASSES:
        return None
    counts = [[0] * len(labels) for _ in labels]
    for true, said, count in metrics["test"]["confusion"]:
        counts[true][said] = count
    rows = []
    for i, (label, row) in enumerate(zip(labels, counts, strict=True)):
        total = max(1, sum(row))
        rows.append((label, [(count, count / total, i == j) for j, count in enumerate(row)]))
    return {"labels": labels, "rows": rows}


def _confusions(metrics: dict[str, Any], limit: int = 15) -> list[tuple[str, str, int]]:
    """(true class, prediction, count) of the most frequent mistakes."""
    labels = metrics["labels"]
    pairs = [(labels[true], labels[said], count) for true, said, count in metrics["test"]["confusion"] if true != said]
    return sorted(pairs, key=lambda pair: -pair[2])[:limit]


LEFT, RIGHT, TOP, BOTTOM = 40, 312, 10, 165
"""The drawing area of a panel of the learning curve, in units of its view box."""


def _curve(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Two panels, accuracy and loss by epoch, with the coordinates of their points, ticks and labels."""
    accuracies = [record["accuracy"] for record in history]
    losses = [record["loss"] for record in history]
    training = [record["train_loss"] for record in history]
    low = max(0.0, min([*accuracies, 1.0]) - 0.1)
    return {
        "records": history,
        "panels": [
            _panel(
                "Accuracy on the validation part",
                low,
                1.0,
                [("validation accuracy", "validation", accuracies)],
                lambda value: percent(value, 0),
            ),
            _panel(
                "Loss, in nats",
                0.0,
                max([*losses, *training, 0.1]) * 1.05,
                [("validation loss", "validation", losses), ("training loss", "training", training)],
                lambda value: f"{value:.2f}",
            ),
        ],
    }


def _panel(
    title: str, low: float, high: float, lines: list[tuple[str, str, list[float]]], show: Callable[[float], str]
) -> dict[str, Any]:
    n = max(len(values) for _, _, values in lines)
    ticks = round_ticks(low, high)
    low, high = ticks[0], ticks[-1]
    xs = [round(LEFT + (RIGHT - LEFT) * (i + 0.5) / max(1, n), 1) for i in range(n)]

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (min(max(value, low), high) - low) / (high - low), 1)

    every = max(1, -(-n // 12))
    return {
        "title": title,
        "ticks": [{"y": y(tick), "text": show(tick)} for tick in ticks],
        "epochs": [(x, i + 1) for i, x in enumerate(xs) if i % every == 0],
        "lines": [
            {"title": name, "kind": kind, "points": [(x, y(v)) for x, v in zip(xs, values, strict=True)]}
            for name, kind, values in lines
        ],
    }


def round_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """About `wanted` intervals that hold low to high and meet at round numbers: 1, 2, 2.5 or 5 times a power of ten apart."""
    least = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(least))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 10) for k in range(first, last + 1)]


def number(value: float, digits: int = 3) -> str:
    """`"0.914"`, with a minus sign where it is negative."""
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float) -> str:
    """`"+1.2"`, `"−0.3"`: with a minus sign, not a hyphen."""
    return f"{value:+.1f}".replace("-", "−")


def percent(value: float, digits: int = 1) -> str:
    """`"91.4 %"`."""
    return f"{100 * value:.{digits}f} %"


def _facts(metrics: dict[str, Any], language: str) -> list[tuple[str, str]]:
    """Title and value of what is known of the data and the run."""
    data, training, environment = metrics["data"], metrics["training"], metrics["environment"]
    speed = phrase("{} s, {} texts a second, in {}", f"{training['seconds']:.1f}", f"{training['examples_per_second']:.0f}",
                   training["precision"], language=language)  # fmt: skip
    return [
        ("Rows to train, validate, test", f"{data['train']}, {data['validation']}, {data['test']}"),
        ("Tokens per text", f"{data['tokens_per_text']:.1f}"),
        ("Texts cut", percent(data["truncated_share"])),
        ("Unknown tokens", percent(data["unknown_token_share"])),
        ("Training", speed),
        *([("Peak memory", f"{training['peak_memory_mb']} MB")] if training["peak_memory_mb"] else []),
        ("Seed", str(metrics["seed"])),
        ("Versions", ", ".join(f"{name} {environment[name]}" for name in ("superfine", "torch", "transformers"))),
    ]
