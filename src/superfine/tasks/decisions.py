"""From validation rows to decisions that keep a promise on others of the same kind.

A promised error: the largest share of texts answered for which the upper end of a one-sided Clopper-Pearson interval of the error
among them is below the target. Several shares are tried in a fixed order, so the error of the procedure is that of one interval
(fixed sequence testing; Angelopoulos, Bates, Candès, Jordan and Lei 2021, "Learn then Test"). Sets of classes: split conformal
prediction (Vovk, Gammerman and Shafer 2005; Sadinle, Lei and Wasserman 2019). Both hold where validation rows are like those to
come.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from superfine.errors import ConfigError
from superfine.names import did_you_mean
from superfine.records import FloatArray
from superfine.records.decisions import Costs, Decisions

CONFIDENCE = 0.95
STARTS = (1.0, 0.75, 0.5, 0.25)
"""Shares of the texts from which on more and more are tried; each start has its part of the error of the procedure."""
STEPS = 50
NOBODY = 2.0
"""A confidence that no answer has."""


def parse_share(value: object) -> object:
    """`"1%"` and 0.01 alike. Raises ValueError for other text."""
    if isinstance(value, str) and (found := re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*%\s*", value)):
        return float(found[1]) / 100
    return value


Share = Annotated[float, BeforeValidator(parse_share), Field(gt=0, lt=1)]


class DecisionOptions(BaseModel):
    """What is decided with the probabilities of classes."""

    model_config = ConfigDict(extra="forbid")
    target_error: Share | None = Field(
        None, description="1%: answer by itself only from a confidence on with at most so many errors; others go to a person"
    )
    cost: str | None = Field(
        None, description='false_alarm=1,miss=20 of two classes; "true>said=cost,..."; or a CSV of true classes by decisions'
    )
    set_coverage: Share | None = Field(
        None, description="90%: name the classes that a text may have, right in so many of the texts"
    )


class Abstention(NamedTuple):
    """answers_from: the confidence from which on a text is answered; `NOBODY` where no share of them keeps the target. coverage:
    the share of the rows that is answered. bound: the upper end of the error among them: the least that could be had where the
    target could not."""

    answers_from: float
    coverage: float
    bound: float


def upper_bound(n_errors: int, n: int, level: float) -> float:
    """The upper end of the one-sided Clopper-Pearson interval of a share."""
    from scipy.stats import beta

    return 1.0 if n_errors >= n else float(beta.ppf(level, n_errors + 1, n - n_errors))


def abstain(confidence: FloatArray, right: NDArray[np.bool_], target: float) -> Abstention:
    """confidence: (n,) of validation rows that nothing was fitted to. right: (n,) whether each answer is."""
    order = np.argsort(-confidence, kind="stable")
    errors, n, falling = np.cumsum(~right[order]), len(order), -confidence[order]
    level = 1 - (1 - CONFIDENCE) / len(STARTS)
    kept, least = Abstention(NOBODY, 0.0, 1.0), Abstention(NOBODY, 0.0, 1.0)
    for i, start in enumerate(STARTS):
        end = STARTS[i - 1] if i else 1.0
        for share in np.linspace(start, end, max(1, round(STEPS * (end - start))) + 1) if end > start else (start,):
            # Rows of one confidence are answered together.
            m = int(np.searchsorted(falling, falling[max(1, int(share * n)) - 1], side="right"))
            found = Abstention(float(-falling[m - 1]), m / n, upper_bound(int(errors[m - 1]), m, level))
            if share == start:  # the bounds at all starts hold together
                least = min(least, found, key=lambda one: one.bound)
            if found.bound > target:
                break
            kept = max(kept, found, key=lambda one: one.coverage)
    if kept.answers_from == NOBODY:
        return least._replace(answers_from=NOBODY)
    return kept


def set_threshold(probability_of_true: FloatArray, coverage: float) -> float:
    """The probability from which on a class is in the set, so that the true one is in `coverage` of the texts to come. (n,) of
    validation rows; too few of them give sets of all classes."""
    n = len(probability_of_true)
    rank = int(np.ceil((n + 1) * coverage))
    return 0.0 if rank > n else float(np.sort(probability_of_true)[n - rank])


def parse_costs(text: str, labels: Sequence[str], shares: Mapping[str, float]) -> Costs:
    """What decisions cost, from words or from a file. shares: of the classes in training; the rarer of two is the one that a
    false alarm is of. Raises ConfigError for what names no class, or is no cost."""
    path = Path(text).expanduser()
    if path.suffix.lower() in (".csv", ".tsv") or path.is_file():
        return _from_file(path, labels)
    pairs = dict(_pair(part, text) for part in text.split(","))
    matrix = 1.0 - np.eye(len(labels))
    if set(pairs) <= {"false_alarm", "miss"}:
        if len(labels) != 2:
            raise ConfigError(
                f"false_alarm and miss are of two classes, and here are {len(labels)}.",
                'Name pairs: --cost "TRUE>SAID=COST,...", or a CSV file of true classes by decisions.',
            )
        rarer = int(shares.get(labels[1], 0) <= shares.get(labels[0], 0))
        matrix[1 - rarer, rarer], matrix[rarer, 1 - rarer] = pairs.get("false_alarm", 1.0), pairs.get("miss", 1.0)
        return Costs(tuple(labels), matrix)
    for name, cost in pairs.items():
        true, arrow, said = name.partition(">")
        if not arrow:
            raise ConfigError(f'--cost: "{name}" is no pair of classes.', 'Write "TRUE>SAID=COST".')
        matrix[_place(true, labels), _place(said, labels)] = cost
    return Costs(tuple(labels), matrix)


def _pair(part: str, text: str) -> tuple[str, float]:
    name, _, cost = part.rpartition("=")
    return name.strip(), _cost(cost, f'--cost "{text}"')


def _cost(value: str, where: str) -> float:
    try:
        cost = float(value)
    except ValueError:
        cost = -1.0
    if not (np.isfinite(cost) and cost >= 0):
        raise ConfigError(f'{where}: "{value.strip()}" is no cost.', "A cost is a number from 0 on.")
    return cost


def _place(name: str, labels: Sequence[str]) -> int:
    if name.strip() not in labels:
        raise ConfigError(
            f'--cost: there is no class "{name.strip()}".{did_you_mean(name.strip(), labels)}',
            f"Classes: {', '.join(labels[:20])}.",
        )
    return list(labels).index(name.strip())


def _from_file(path: Path, labels: Sequence[str]) -> Costs:
    """A table with a row for each class and a column for each decision, classes or others."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as stream:
            rows = [row for row in csv.reader(stream, delimiter="\t" if path.suffix.lower() == ".tsv" else ",") if any(row)]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The costs in {path} cannot be read: {error}.", "Name a CSV file of true classes by decisions."
        ) from None
    if len(rows) < 2 or len(rows[0]) < 2:
        raise ConfigError(
            f"The costs in {path} are no table of true classes by decisions.", "Put the decisions in its first row."
        )
    choices = tuple(name.strip() for name in rows[0][1:])
    matrix = np.full((len(labels), len(choices)), np.nan)
    for row in rows[1:]:
        if len(row) != len(rows[0]):
            raise ConfigError(f'{path}: the row of "{row[0]}" has {len(row)} cells instead of {len(rows[0])}.')
        matrix[_place(row[0], labels)] = [_cost(cell, f'{path}, row "{row[0]}"') for cell in row[1:]]
    lacking = [label for label, costs in zip(labels, matrix, strict=True) if np.isnan(costs).any()]
    if lacking:
        raise ConfigError(f'{path} has no row for the class "{lacking[0]}".', "Every class needs one.")
    return Costs(choices, matrix)


def decision_facts(decisions: Decisions, options: DecisionOptions, abstention: Abstention | None) -> dict[str, Any]:
    """What a user of plain transformers needs to decide likewise."""
    costs = decisions.costs
    return {
        "answers_from": decisions.answers_from,
        "set_from": decisions.set_from,
        "costs": None if costs is None else {"decisions": list(costs.choices), "of_classes": costs.matrix.tolist()},
        **options.model_dump(exclude={"cost"}),
        **({} if abstention is None else {"answered": abstention.coverage, "bound": abstention.bound}),
    }


def decisions_of(facts: Any, n_classes: int) -> Decisions:
    """From the facts of a task. Raises ValueError for what are none."""
    try:
        thresholds = [None if facts.get(name) is None else float(facts[name]) for name in ("answers_from", "set_from")]
        costs, found = facts.get("costs"), None
        if costs is not None:
            found = Costs(tuple(map(str, costs["decisions"])), np.array(costs["of_classes"], dtype=np.float64))
            if found.matrix.shape != (n_classes, len(found.choices)):
                raise ValueError("costs are not those of the classes")
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"decisions: {error}") from None
    return Decisions(answers_from=thresholds[0], costs=found, set_from=thresholds[1])


def promise_notes(options: DecisionOptions, found: Abstention | None) -> tuple[str, ...]:
    """What is promised of the error, or what could be, in words."""
    target = options.target_error
    if found is None or target is None:
        return ()
    if found.answers_from == NOBODY:
        return (
            f"No confidence keeps the error below {target:.2%} with these validation rows: what can be promised is "
            f"{found.bound:.2%}, for {found.coverage:.0%} of the texts. More validation rows promise more.",
        )
    return (
        f"The model answers {found.coverage:.0%} of the texts by itself, with at most {target:.2%} wrong (95 % sure); "
        f"{1 - found.coverage:.0%} go to a person.",
    )


def measured(decisions: Decisions, labels: tuple[str, ...], probabilities: FloatArray, said: Any, true: Any) -> dict[str, Any]:
    """What decisions came to on test rows: the share answered and the error among them with its 95 % interval, the mean cost
    beside that of the most probable class, and how often a set holds the true class and how large it is."""
    from scipy.stats import beta

    found: dict[str, Any] = {}
    if decisions.answers_from is not None:
        answered = decisions.answered(probabilities[np.arange(len(said)), said])
        n, k = int(answered.sum()), int((said != true)[answered].sum())
        low, high = (
            (0.0 if k == 0 else beta.ppf(0.025, k, n - k + 1), 1.0 if k == n else beta.ppf(0.975, k + 1, n - k)) if n else (0, 1)
        )
        share = {"value": k / n if n else None, "low": float(low), "high": float(high)}
        found |= {"answered": n / max(1, len(true)), "error": share, "n_answered": n}
    if decisions.costs is not None:
        costs = decisions.costs.matrix[true, decisions.costs.best(probabilities)]
        places = [decisions.costs.choices.index(label) if label in decisions.costs.choices else -1 for label in labels]
        found["cost"] = _mean(costs)
        if min(places) >= 0:
            usual = decisions.costs.matrix[true, np.array(places)[said]]
            found |= {"usual_cost": _mean(usual), "saved": _mean(usual - costs)}
    if decisions.set_from is not None:
        inside = decisions.in_set(probabilities)
        found |= {
            "covered": _mean(inside[np.arange(len(true)), true].astype(float)),
            "set_size": float(inside.sum(axis=1).mean()),
        }
    return found


def _mean(values: FloatArray) -> dict[str, float]:
    """With a 95 % interval by the bootstrap."""
    rng = np.random.default_rng(0)
    drawn = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(1000)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}
