"""Small drawings of the report: where lines, points and bars stand in one view box, with round ticks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from superfine.report.ticks import round_ticks

LEFT, RIGHT, TOP, BOTTOM = 44.0, 308.0, 8.0, 206.0
"""The drawing area, in units of the view box, which is 320 wide and 236 high."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """kind: its style. kept: which of its points wears a ring, or None. dots: whether points are drawn as well."""

    title: str
    kind: str
    points: list[tuple[float, float]]
    kept: int | None = None
    dots: bool = True


@dataclass(frozen=True)
class Bar:
    """kind: its style."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass
class Panel:
    """One drawing, filled by `line` and `bars`. title, across, upwards: phrases that the template translates.

    x_ticks, y_ticks: where marks stand in the view box, and what is written there. even: ends of a dashed line, or None.
    """

    title: str
    across: str
    x_axis: tuple[float, float]
    y_axis: tuple[float, float]
    x_ticks: list[tuple[float, str]] = field(default_factory=list)
    y_ticks: list[tuple[float, str]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    stacks: list[Bar] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    even: tuple[float, float, float, float] | None = None
    note: str = ""

    @classmethod
    def empty(
        cls,
        title: str,
        across: str,
        xs: tuple[float, float],
        ys: tuple[float, float],
        show_x: Callable[[float], str] = "{:g}".format,
        show_y: Callable[[float], str] = "{:g}".format,
        note: str = "",
    ) -> Panel:
        """An empty one whose axes hold these ranges and end at round numbers."""
        across_ticks, upward_ticks = _ticks(*xs), _ticks(*ys)
        panel = cls(title, across, (across_ticks[0], across_ticks[-1]), (upward_ticks[0], upward_ticks[-1]), note=note)
        panel.x_ticks = [(panel.x(tick), show_x(tick)) for tick in across_ticks]
        panel.y_ticks = [(panel.y(tick), show_y(tick)) for tick in upward_ticks]
        return panel

    def x(self, value: float) -> float:
        low, high = self.x_axis
        return round(LEFT + (RIGHT - LEFT) * (min(max(value, low), high) - low) / (high - low), 1)

    def y(self, value: float) -> float:
        low, high = self.y_axis
        return round(BOTTOM - (BOTTOM - TOP) * (min(max(value, low), high) - low) / (high - low), 1)

    def line(self, title: str, kind: str, points: Points, *, kept: int | None = None, dots: bool = True) -> None:
        """title: of its key below the drawing; "" where there is none."""
        self.lines.append(Line(title, kind, [(self.x(x), self.y(y)) for x, y in points], kept, dots))
        if title:
            self.keys.append((kind, title))

    def bars(self, starts: Sequence[float], width: float, stacks: Sequence[tuple[str, str, Sequence[float]]]) -> None:
        """Bars that begin at `starts`, of that width, made of (title, kind, heights), the first at the bottom."""
        below = [0.0] * len(starts)
        for title, kind, heights in stacks:
            for i, (start, height) in enumerate(zip(starts, heights, strict=True)):
                left, right = self.x(start), self.x(start + width)
                low, high = self.y(below[i]), self.y(below[i] + height)
                if height:
                    self.stacks.append(Bar(kind, left, high, round(max(1.0, right - left - 1), 1), round(low - high, 1)))
                below[i] += height
            if title:
                self.keys.append((kind, title))

    def diagonal(self) -> None:
        """The dashed line on which both axes have the same value."""
        low, high = max(self.x_axis[0], self.y_axis[0]), min(self.x_axis[1], self.y_axis[1])
        self.even = (self.x(low), self.y(low), self.x(high), self.y(high))


def _ticks(low: float, high: float) -> list[float]:
    return round_ticks(low, high if high > low else low + 1.0)
