"""The curve of a training by step, in a few hundred points however long it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_TRACED = 200
"""Points of a curve by step that are kept: twice as many steps are joined in each when there are more."""


@dataclass
class Trace:
    """The loss and the rate by step, in points of `every` steps each, with the steps of the point that is not full yet."""

    every: int = 1
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    open: list[list[float]] = field(default_factory=list)

    def add(self, loss: float, rate: float) -> None:
        """Of one step: the task's own loss, and the learning rate."""
        self.open.append([loss, rate])
        if len(self.open) < self.every:
            return
        loss, rate = (sum(column) / self.every for column in zip(*self.open, strict=True))
        self.losses.append(loss)
        self.rates.append(rate)
        self.open = []
        if len(self.losses) == MOST_TRACED:
            self.every *= 2
            self.losses, self.rates = (
                [(a + b) / 2 for a, b in zip(kept[::2], kept[1::2], strict=True)] for kept in (self.losses, self.rates)
            )

    def points(self) -> list[list[float]]:
        """[the last step of the point, mean loss, mean rate] of each, the open one left out."""
        return [[(i + 1) * self.every, loss, rate] for i, (loss, rate) in enumerate(zip(self.losses, self.rates, strict=True))]
