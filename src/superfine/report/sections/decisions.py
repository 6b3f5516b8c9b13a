"""What is decided with the probabilities: answered by itself or left to a person, at which cost, and in which sets."""

from __future__ import annotations

from typing import Any


def decisions(metrics: dict[str, Any]) -> dict[str, Any]:
    """rows: (what, value) of the promises and what became of them on the test texts."""
    found, facts = metrics["test"]["decisions"], metrics["decisions"]
    rows: list[tuple[str, str]] = []
    if "error" in found:
        error, target = found["error"], facts["target_error"]
        rows.append(("Promised error of what is answered by itself", f"≤ {target:.2%}"))
        rows.append(("Answered by itself, of the test texts", f"{found['answered']:.1%} ({found['n_answered']})"))
        if error["value"] is not None:
            rows.append(("Errors among these", f"{error['value']:.2%} ({error['low']:.2%} – {error['high']:.2%})"))
    if "cost" in found:
        rows.append(("Cost of a decision", _interval(found["cost"])))
    if "usual_cost" in found:
        rows.append(("Cost of the most probable class", _interval(found["usual_cost"])))
        rows.append(("Saved by a decision", _interval(found["saved"])))
    if "covered" in found:
        covered = found["covered"]
        rows.append(("Promised coverage of the sets", f"{facts['set_coverage']:.0%}"))
        rows.append(("Sets that hold the true class", f"{covered['value']:.1%} ({covered['low']:.1%} – {covered['high']:.1%})"))
        rows.append(("Classes in a set, on average", f"{found['set_size']:.2f}"))
    return {"rows": rows, "summary": _summary(found, facts)}


def _interval(score: dict[str, float]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f} – {score['high']:.3f})".replace("-", "−")


def _summary(found: dict[str, Any], facts: dict[str, Any]) -> tuple[str, list[str]] | None:
    """A sentence with its gaps: what the model decides alone."""
    if "error" not in found:
        return None
    if not found["n_answered"]:
        return "The model answers nothing by itself: no confidence keeps the promise.", []
    pattern = "The model answers {} of the texts by itself, with at most {} wrong; the others go to a person."
    return pattern, [f"{found['answered']:.0%}", f"{facts['target_error']:.2%}"]
