"""The model card, `README.md`: what the model is, what it scored, and how to use it, all from measured numbers.

It lies in the model's folder, so nothing in it hangs on the clock: the same data and seed give the same folder.

The front matter is Hugging Face's: a hub shows its scores beside those of other models (huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from superfine.language import printable
from superfine.report.page import jinja_environment

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
MOST_CLASSES = 30
"""A card lists at most so many classes, those with the lowest F1."""
METRICS = {
    "accuracy": ("accuracy", "Accuracy"),
    "macro_f1": ("f1", "Macro F1"),
    "mcc": ("matthews_correlation", "Matthews corr."),
}
"""Our names of the scores that the front matter has: the hub's metric, and the name that it shows."""


def render_card(metrics: dict[str, Any]) -> str:
    """The card for the content of `metrics.json`, in Hugging Face's format."""
    env = jinja_environment()
    env.filters |= {"cell": cell, "shares": shares, "numbers": numbers, "signed_points": signed_points, "p_value": p_value}
    per_class = metrics["test"]["per_class"]
    by_f1 = sorted(metrics["labels"], key=lambda label: value_of(per_class[label]["f1"]))
    shown = metrics["labels"] if len(by_f1) <= MOST_CLASSES else by_f1[:MOST_CLASSES]
    # A folder's path tells nothing to others, and names the user's machine.
    model = metrics["model"] if _is_hub_name(metrics["model"]) else Path(metrics["model"]).name
    model = printable(model).replace("`", "'")
    rows = [("**this model**", metrics["test"]), *((b["title"], b) for b in metrics["baselines"].values())]
    return env.get_template("card.md.j2").render(
        metrics={**metrics, "model": model}, front_matter=_front_matter(metrics), rows=rows, shown=shown
    )


def _is_hub_name(model: str) -> bool:
    return bool(HUB_NAME.fullmatch(model))


def _front_matter(metrics: dict[str, Any]) -> str:
    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Text classification",
            dataset_type="private",
            dataset_name=f"{metrics['test']['n']} held-out texts",
            metric_type=kind,
            metric_name=shown,
            metric_value=round(metrics["test"][name]["value"], 4),
        )
        for name, (kind, shown) in METRICS.items()
    ]
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-classification",
        base_model=metrics.get("base_model") or (metrics["model"] if _is_hub_name(metrics["model"]) else None),
        tags=["superfine", metrics["task"]],
        metrics=[kind for kind, _ in METRICS.values()],
        model_name=f"Text classifier with {len(metrics['labels'])} classes",
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---"


def cell(text: str) -> str:
    """Text of the user's data as it may stand in a table of Markdown."""
    escaped = re.sub(r"([\\|`*_\[\]<>#!&~])", r"\\\1", " ".join(text.split()))
    return re.sub(r"https?:(?=//)", lambda found: found[0][:-1] + "&#58;", printable(escaped))


def shares(score: dict[str, float]) -> str:
    """`80.5 % (75.5 to 85.2)`."""
    return f"{100 * score['value']:.1f} % ({100 * score['low']:.1f} to {100 * score['high']:.1f})"


def value_of(score: dict[str, float] | None) -> float:
    """The value, or 1 where nothing defines it: it is no reason to look there."""
    return 1.0 if score is None else score["value"]


def numbers(score: dict[str, float] | None) -> str:
    """`0.778 (0.718 to 0.832)`, or a dash for what nothing defines."""
    if score is None:
        return "—"
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"


def p_value(p: float) -> str:
    """`p = 0.031`, or `p < 0.001`."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def signed_points(difference: dict[str, float]) -> str:
    """`+3.9 (-1.9 to +9.8)`."""
    return f"{100 * difference['value']:+.1f} ({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f})"
