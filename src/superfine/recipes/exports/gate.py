"""The gate for whatever does not compute what the model computes, bit for bit: it must be shown not to be worse.

Two doors. The main score on labelled rows that chose nothing: the upper end of the one-sided 95 % interval of what is lost is
below a margin. And the answers themselves: an equal score can hide many of them that changed in both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from superfine.errors import ConfigError, DataError
from superfine.evaluation.agreement import Agreement
from superfine.evaluation.compare import discordant_rows
from superfine.evaluation.non_inferiority import NonInferiority, fewest_rows, most_changes, non_inferiority
from superfine.evaluation.units import Units
from superfine.metrics import wilson_low
from superfine.records import Answers, Examples
from superfine.tasks.task import Task

LEAST = 0.01
"""Points: a smaller loss would take hundreds of thousands of rows."""


@dataclass(frozen=True)
class Gate:
    """margin: of the main score, as a share. most_changed: of the answers, as a share. option: what the user calls the margin."""

    margin: float
    most_changed: float
    option: str = "--margin"

    @classmethod
    def of(cls, margin: float, most_changed: float, options: tuple[str, str] = ("--margin", "--max-changed")) -> Gate:
        """margin: in points. most_changed: in per cent. options: what the user calls them.

        Raises ConfigError for what is none.
        """
        if not LEAST <= margin < 100:
            raise ConfigError(
                f"{options[0]} {margin:g} is no loss that could be accepted.", f"It is a number of points from {LEAST:g} on."
            )
        if not 0 < most_changed <= 100:
            raise ConfigError(f"{options[1]} {most_changed:g} is no share of answers.", "It is in per cent, above 0.")
        return cls(margin / 100, most_changed / 100, options[0])

    def plan(self, task: Task, examples: Examples, answers: Answers) -> str:
        """What these labelled rows can show, in words. answers: the model's own. Raises DataError where they can show nothing."""
        own, margin = Units.of(task.statistics(examples, answers), examples.group), f"{100 * self.margin:g}"
        n, needed = len(own), fewest_rows(self.margin)
        units = "rows" if own.n_groups is None else "groups of rows"
        if n < needed:
            raise DataError(
                f"The gate needs {needed} labelled {units} that the model has not learned from, and there are {n}: fewer "
                f"cannot show that less than {margin} points of the main score are lost.",
                f"Give more with --data FILE, or accept a larger loss with {self.option}.",
            )
        if discordant_rows(task.scores[task.main], own, own) is None:
            return f"The gate: {n} labelled {units} are to show that less than {margin} points of the main score are lost"
        return (
            f"The gate: {n} labelled rows are to show that less than {margin} points of the main score are lost; "
            f"they can where at most {most_changes(n, self.margin)} of them are answered differently, half of these for the worse"
        )

    def changes_too_much(self, found: Sequence[Agreement]) -> str:
        """Why the second door is shut, in words; "" where it is open."""
        n_changed, n = sum(len(one.changed) for one in found), sum(one.n for one in found)
        if n_changed <= self.most_changed * n:
            return ""
        return f"{n_changed} of {n} answers change, more than {100 * self.most_changed:g} %"

    def why_not(self, shown: NonInferiority | None) -> str:
        """Why the first door is shut, in words; "" where it is open."""
        if shown is None:
            return "the main score of these rows is not defined"
        if shown.holds:
            return ""
        lost, margin = f"{100 * shown.upper:.2f}", f"{100 * self.margin:g}"
        return f"up to {lost} points of the main score may be lost (95 % sure), and {margin} are accepted"

    @property
    def unsure(self) -> str:
        """Why a way is not put through the gate of which `surely_holds` is not true."""
        return f"so few texts do not tell whether at most {100 * self.most_changed:g} % of the answers change"

    def surely_holds(self, found: Sequence[Agreement]) -> bool:
        """Whether the second door will most likely be open on other texts too: with the upper end of Wilson's interval.

        Where no text chooses, nothing speaks against it.
        """
        n_changed, n = sum(len(one.changed) for one in found), sum(one.n for one in found)
        return not n or 1 - wilson_low(n - n_changed, n) <= self.most_changed

    def verdict(
        self, task: Task, examples: Examples, ours: Answers, theirs: Answers, found: Agreement, more: Sequence[Agreement] = ()
    ) -> Verdict:
        """ours: what the model answers for the labelled examples, theirs: what an export does. found: of these answers. more: on
        texts without labels, or that chose; the second door has to be open on the labelled ones alone, and on all together."""
        shown = non_inferiority(
            task.statistics(examples, theirs),
            task.statistics(examples, ours),
            task.scores,
            examples.group,
            main=task.main,
            margin=self.margin,
        )
        why = self.why_not(shown) or self.changes_too_much([found]) or self.changes_too_much([found, *more])
        return Verdict(self, len(examples), shown, len(found.changed), found.n, why)


@dataclass(frozen=True)
class Verdict:
    """n: labelled rows. shown: of the main score. n_changed, n_compared: answers. why_not: what shuts it; "" where it is open."""

    gate: Gate
    n: int
    shown: NonInferiority | None
    n_changed: int
    n_compared: int
    why_not: str

    @property
    def passes(self) -> bool:
        return not self.why_not

    def to_json(self) -> dict[str, Any]:
        return {
            "passes": self.passes,
            "why_not": self.why_not,
            "margin": self.gate.margin,
            "most_changed": self.gate.most_changed,
            "labelled": self.n,
            "loss": None if self.shown is None else self.shown.loss,
            "upper": None if self.shown is None else self.shown.upper,
            "changed": self.n_changed,
            "compared": self.n_compared,
        }
