"""`check.html`: what `superfine check` found, in the report's style."""

from __future__ import annotations

from functools import partial
from typing import Any

from superfine.language import duration, phrase
from superfine.report.page import jinja_environment, percent

MOST_CLASSES = 60


def render_check(checked: dict[str, Any], language: str = "en") -> str:
    """The page for what `check --json` gives, in English or Chinese ("zh")."""
    findings, facts = checked["findings"], checked["facts"]
    return (
        jinja_environment()
        .get_template("check.html.j2")
        .render(
            checked=checked,
            findings=findings,
            counts=[
                (severity, sum(found["severity"] == severity for found in findings))
                for severity in ("blocking", "warning", "note")
            ],
            facts=_facts(facts, language),
            classes=list(facts.get("classes", {}).items())[:MOST_CLASSES],
            n_more=max(0, len(facts.get("classes", {})) - MOST_CLASSES),
            language=language,
            t=partial(phrase, language=language),
        )
    )


def _facts(facts: dict[str, Any], language: str) -> list[tuple[str, str]]:
    """Title and value of what is known of the data."""
    t = partial(phrase, language=language)
    rows, tokens, training, told = facts["rows"], facts.get("lengths"), facts.get("training"), facts.get("test_told_apart")
    found = [
        ("Rows to train, validate, test", f"{rows['train']}, {rows['validation']}, {rows['test']}"),
        ("Different training texts", str(facts["different_texts"])),
        ("Scripts", ", ".join(f"{t(script)} {percent(share)}" for script, share in facts["scripts"].items())),
        ("Task", t(facts["task"])),
        ("Model", facts["model"]),
    ]
    if tokens is not None:
        found += [
            ("Tokens per text", f"{tokens['median']:.0f} ({tokens['percentile_95']:.0f} – {tokens['longest']})"),
            ("Unknown tokens", percent(tokens["unknown_share"])),
            ("Texts cut", percent(tokens["truncated_share"])),
        ]
    if told is not None:
        found.append(("Test texts told from training texts (AUC)", f"{told['auc']:.2f} ({told['low']:.2f} – {told['high']:.2f})"))
    if training is not None:
        how = t("by a step timed here") if training["is_measured"] else t("roughly, without its weights")
        found.append(("Training would take", f"{t(duration(training['seconds']))}, {training['memory_gb']:.1f} GB ({how})"))
    return found
