"""What somebody who decides about a model has to know, in a few sentences at the top of its report."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from superfine.metrics import title_of

Kind = Literal["good", "even", "bad"]
TRUSTED_CALIBRATION = 0.05
"""A confidence that is off by less on average may be taken at its word."""
FEWEST_OF_CLASS, WEAK_CLASS = 10, 0.1
"""A class is called weak whose F1 is so far below the mean, where it has so many test texts."""
MOST_SLICES = 2


class Sentence(NamedTuple):
    """A pattern with its gaps, and how it speaks for the model."""

    kind: Kind
    pattern: str
    values: tuple[str, ...] = ()


def minus(number: str) -> str:
    """With a minus sign in place of a hyphen."""
    return number.replace("-", "−")


def summary_of(metrics: dict[str, Any]) -> list[Sentence]:
    """What it decides alone, what that costs, what not to trust, what more data would bring."""
    return [
        *_decided_alone(metrics),
        *_cost(metrics),
        *_spread(metrics),
        *_confidence(metrics),
        *_weak_class(metrics),
        *_weak_kinds(metrics),
        *_more_rows(metrics),
        *_blocking(metrics),
    ]


def _decided_alone(metrics: dict[str, Any]) -> list[Sentence]:
    found = metrics["test"].get("decisions", {})
    if "error" in found:
        target = f"{metrics['decisions']['target_error']:.2%}"
        if not found["n_answered"]:
            return [Sentence("bad", "It decides nothing by itself: no confidence keeps its errors below {}.", (target,))]
        said = f"{found['answered']:.0%}", target, f"{1 - found['answered']:.0%}"
        return [
            Sentence("good", "It decides {} of the texts by itself, with at most {} wrong (95 % sure); {} go to a person.", said)
        ]
    groups = metrics["test"].get("calibration")
    if not groups:
        return []
    right, n, every = 0.0, 0.0, sum(count for _, _, count in groups)
    for _, share, count in reversed(groups):
        right, n = right + share * count, n + count
        if n >= every / 2:
            break
    values = f"{n / max(1, every):.0%}", f"{right / max(1, n):.1%}"
    return [Sentence("even", "Of the {} of texts that it is surest of, {} are right.", values)]


def _cost(metrics: dict[str, Any]) -> list[Sentence]:
    found = metrics["test"].get("decisions", {})
    if "cost" not in found:
        return []
    cost, saved = found["cost"], found.get("saved")
    if saved is None:
        return [Sentence("even", "A decision costs {} on average.", (f"{cost['value']:.3f}",))]
    values = f"{cost['value']:.3f}", *(minus(f"{saved[end]:.3f}") for end in ("value", "low", "high"))
    kind: Kind = "good" if saved["low"] > 0 else "even"
    return [Sentence(kind, "A decision costs {} on average, {} less than the most probable class would ({} to {}).", values)]


def _spread(metrics: dict[str, Any]) -> list[Sentence]:
    main = metrics["main"]
    over = metrics.get("seeds", {}).get("over", {}).get(main)
    if over is not None:
        values = str(len(metrics["seeds"]["runs"])), f"{over['value']:.3f}", f"{over['deviation']:.3f}"
        return [Sentence("even", "Trained from {} seeds, it scores {} ± {} from one to the next.", values)]
    over = metrics.get("folds", {}).get("over", {}).get(main)
    if over is not None:
        values = str(len(metrics["folds"]["runs"])), f"{over['mean']:.3f}", f"{over['deviation']:.3f}"
        return [Sentence("even", "Over {} folds, it scores {} ± {} from one to the next.", values)]
    return []


def _confidence(metrics: dict[str, Any]) -> list[Sentence]:
    error = metrics["test"].get("calibration_error")
    if error is None:
        return []
    values = tuple(f"{100 * error[end]:.1f}" for end in ("value", "low", "high"))
    if error["high"] < TRUSTED_CALIBRATION:
        return [Sentence("good", "Its confidence may be taken at its word: off by {} points on average ({} to {}).", values)]
    if error["low"] > TRUSTED_CALIBRATION:
        pattern = "Its confidence is off by {} points on average ({} to {}): do not read it as a probability."
        return [Sentence("bad", pattern, values)]
    pattern = "Its confidence is off by {} points on average ({} to {}): too few texts tell whether it may be taken at its word."
    return [Sentence("even", pattern, values)]


def _weak_class(metrics: dict[str, Any]) -> list[Sentence]:
    classes = {
        name: scores["f1"]["value"]
        for name, scores in metrics["test"].get("per_class", {}).items()
        if scores.get("f1") is not None and scores.get("support", 0) >= FEWEST_OF_CLASS
    }
    if len(classes) < 2:
        return []
    weakest = min(classes, key=lambda name: classes[name])
    if classes[weakest] > sum(classes.values()) / len(classes) - WEAK_CLASS:
        return []
    values = f"“{weakest}”", f"{classes[weakest]:.3f}"
    return [Sentence("bad", "Weakest on the class {}: F1 {}.", values)]


def _weak_kinds(metrics: dict[str, Any]) -> list[Sentence]:
    found = metrics["test"].get("weak_slices", {"found": []})
    said = {
        "word": "Trust it less on texts with “{}”: {} right instead of {}.",
        "characters": "Trust it less on texts of {} characters: {} right instead of {}.",
        "similar texts": "Trust it less on texts with words such as {}: {} right instead of {}.",
    }
    return [
        Sentence(
            "bad",
            said.get(weak["by"], "Trust it less on texts of the kind {}: {} right instead of {}."),
            (weak["name"], f"{weak['inside']:.1%}", f"{weak['elsewhere']:.1%}"),
        )
        for weak in found["found"][:MOST_SLICES]
    ]


def _more_rows(metrics: dict[str, Any]) -> list[Sentence]:
    gains = metrics.get("learning_curve", {}).get("gains", [])
    if not gains:
        return []
    gain = gains[len(gains) // 2]
    is_number = title_of(metrics["main"]).unit == "number"
    ends = (f"{gain[end]:+.3f}" if is_number else f"{100 * gain[end]:+.1f}" for end in ("value", "low", "high"))
    kind: Kind = "good" if gain["low"] > 0 else "even"
    if is_number:
        return [Sentence(kind, "Another {} labelled texts: {} ({} to {}).", (str(gain["more"]), *map(minus, ends)))]
    return [Sentence(kind, "Another {} labelled texts: {} points ({} to {}).", (str(gain["more"]), *map(minus, ends)))]


def _blocking(metrics: dict[str, Any]) -> list[Sentence]:
    n = sum(finding["severity"] == "blocking" for finding in metrics["findings"])
    if not n:
        return []
    return [Sentence("bad", "Findings that may make the score worthless: {}. Read them before you trust it.", (str(n),))]
