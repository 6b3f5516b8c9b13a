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
from superfine.metrics import title_of
from superfine.report.page import jinja_environment, shown

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
MOST_CLASSES = 30
"""A card lists at most so many classes, those with the lowest F1."""
METRICS = {"accuracy": "accuracy", "macro_f1": "f1", "micro_f1": "f1", "f1": "f1", "mcc": "matthews_correlation"}
"""Our names of scores that the hub calls otherwise."""


def render_card(metrics: dict[str, Any]) -> str:
    """The card for the content of `metrics.json`, in Hugging Face's format."""
    env = jinja_environment()
    env.filters |= {"cell": cell, "numbers": numbers, "p_value": p_value}
    per_class = metrics["test"].get("per_class") or {}
    by_f1 = sorted(per_class, key=lambda label: value_of(per_class[label]["f1"]))
    classes = list(per_class) if len(by_f1) <= MOST_CLASSES else by_f1[:MOST_CLASSES]
    main = title_of(metrics["main"])
    # A folder's path tells nothing to others, and names the user's machine.
    model = metrics["model"] if _is_hub_name(metrics["model"]) else Path(metrics["model"]).name
    model = printable(model).replace("`", "'")
    rows = [("**this model**", metrics["test"]), *((b["title"], b) for b in metrics["baselines"].values())]
    return env.get_template("card.md.j2").render(
        metrics={**metrics, "model": model},
        front_matter=_front_matter(metrics),
        rows=rows,
        classes=classes,
        main=main,
        title=title_of,
        shown=shown,
        scored=scored,
        differing=differing,
    )


def _is_hub_name(model: str) -> bool:
    return bool(HUB_NAME.fullmatch(model))


def _front_matter(metrics: dict[str, Any]) -> str:
    task = metrics["shown"]
    headline = [name for name in task["headline"] if name in metrics["test"]]
    results = [
        EvalResult(
            task_type=task["pipeline"],
            task_name=task["pipeline"].replace("-", " ").capitalize(),
            dataset_type="private",
            dataset_name=f"{metrics['test']['n']} {'texts, cross-validated' if 'folds' in metrics else 'held-out texts'}",
            metric_type=METRICS.get(name, name),
            metric_name=title_of(name).long,
            metric_value=round(metrics["test"][name]["value"], 4),
        )
        for name in headline
    ]
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag=task["pipeline"],
        base_model=metrics.get("base_model") or (metrics["model"] if _is_hub_name(metrics["model"]) else None),
        tags=["superfine", metrics["task"]],
        metrics=[METRICS.get(name, name) for name in headline],
        model_name=f"{task['title']}: {task['summary']}",
        eval_results=results,
    )
    return f"---\n{data.to_yaml()}\n---"


def cell(text: str) -> str:
    """Text of the user's data as it may stand in a table of Markdown."""
    escaped = re.sub(r"([\\|`*_\[\]<>#!&~])", r"\\\1", " ".join(text.split()))
    return re.sub(r"https?:(?=//)", lambda found: found[0][:-1] + "&#58;", printable(escaped))


def scored(name: str, score: dict[str, float | None]) -> str:
    """`80.5 % (75.5 to 85.2)`, `0.778 (0.718 to 0.832)`."""
    value, low, high = (shown(name, end) for end in _ends(score))
    return f"{value} ({low.removesuffix(' %')} to {high.removesuffix(' %')})"


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


def differing(name: str, difference: dict[str, float | None]) -> str:
    """`+3.9 points (-1.9 to +9.8)`, `+0.021 (-0.002 to +0.044)`."""
    is_share = title_of(name).unit != "number"
    written = ["—" if v is None else f"{100 * v:+.1f}" if is_share else f"{v:+.3f}" for v in _ends(difference)]
    return f"{written[0]}{' points' if is_share else ''} ({written[1]} to {written[2]})"


def _ends(score: dict[str, float | None]) -> list[float | None]:
    return [score[key] for key in ("value", "low", "high")]
