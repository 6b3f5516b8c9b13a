"""The model card, `README.md`: what the model is, what it scored, and how to use it, all from measured numbers."""

from __future__ import annotations

from typing import Any

from superfine.report.page import environment


def render_card(metrics: dict[str, Any]) -> str:
    """The card for the content of `metrics.json`, in Hugging Face's format."""
    return environment().get_template("card.md.j2").render(metrics=metrics)
