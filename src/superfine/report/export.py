"""The receipt of an export for people: `report.html` in the report's style, and the card, `README.md`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from superfine.language import phrase
from superfine.report.card import cell
from superfine.report.page import jinja_environment, percent

if TYPE_CHECKING:
    from jinja2 import Environment

SAMPLES = {
    "validation": "validation texts",
    "test": "texts of the test part",
    "unlabelled": "texts without labels",
    "hard": "hard texts, together",
    "alone": "hard texts, alone",
}
"""What the texts of a receipt are called."""


def proved(receipt: dict[str, Any]) -> str:
    """What the gate has shown, in words; "" where nothing had to be shown."""
    gate = receipt.get("gate")
    if gate is None or not gate["passes"]:
        return ""
    lost = f"at most {100 * gate['upper']:.2f} points are lost" if gate["upper"] > 0 else "nothing is lost"
    changed = f"{gate['changed']} of {gate['compared']} answers change"
    return f"Proved on {gate['labelled']} labelled rows: {lost} (95 % sure), and {changed}"


def render_receipt(receipt: dict[str, Any], language: str = "en") -> str:
    """The page for what `parity.json` holds, in English or Chinese ("zh")."""
    return (
        _environment()
        .get_template("export.html.j2")
        .render(
            receipt=receipt,
            rows=receipt_rows(receipt),
            proved=proved(receipt),
            size=_size(receipt),
            language=language,
            t=partial(phrase, language=language),
        )
    )


def render_export_card(receipt: dict[str, Any], shown: dict[str, Any], labels: list[str]) -> str:
    """The card. shown, labels: of the task, as `Task.shown` and `Task.labels` say them."""
    return (
        _environment()
        .get_template("export_card.md.j2")
        .render(
            receipt=receipt, rows=receipt_rows(receipt), proved=proved(receipt), size=_size(receipt), shown=shown, labels=labels
        )
    )


def _environment() -> Environment:
    env = jinja_environment()
    env.filters |= {"cell": cell, "percent": percent}
    return env


def receipt_rows(receipt: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What was found of each sample under its title, and the same of other files beside the first one."""
    rows = [(title, receipt["texts"][name]) for name, title in SAMPLES.items() if name in receipt["texts"]]
    for file, twin in receipt.get("twins", {}).items():
        rows += [(f"{title} ({file})", twin["texts"][name]) for name, title in SAMPLES.items() if name in twin["texts"]]
    return rows


def _size(receipt: dict[str, Any]) -> float:
    """Of all files, in megabytes."""
    return sum(float(file["bytes"]) for file in receipt["files"].values()) / 1e6
