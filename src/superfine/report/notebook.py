"""What a notebook shows of a finished run: its score as a small picture, and its report in a frame."""

from __future__ import annotations

from html import escape
from typing import Any

from superfine.metrics import title_of
from superfine.report.page import shown


class Framed:
    """A page inside a notebook, in a frame of its own so that its styles stay inside. height: in pixels."""

    def __init__(self, page: str, height: int) -> None:
        self.page, self.height = page, height

    def __repr__(self) -> str:
        return f"Framed({len(self.page)} characters of HTML: shown in notebooks)"

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{self.height}px;border:0"
        return f'<iframe srcdoc="{escape(self.page)}" style="{style}" title="report"></iframe>'


def score_picture(metrics: dict[str, Any]) -> str:
    """HTML: the main score of the model and of each baseline, as a number with its interval, and as a dot between whiskers on an
    axis from 0 to 1 where the score has that range."""
    main = metrics["main"]
    rows = [("this model", metrics["test"]), *((each["title"], each) for each in metrics["baselines"].values())]
    cells = []
    for name, scores in rows:
        score = scores.get(main)
        if score is None:
            continue
        value, low, high = score["value"], score["low"], score["high"]
        number = f"{shown(main, value)} ({shown(main, low)} – {shown(main, high)})"
        cells.append(f"<tr><td>{escape(name)}</td><td>{_bar(value, low, high)}</td><td>{number}</td></tr>")
    head = f"{title_of(main).long}, {metrics['test']['n']} test texts, 95 % intervals"
    return f"<table><caption>{escape(head)}</caption><tbody>{''.join(cells)}</tbody></table>"


def _bar(value: float, low: float | None, high: float | None) -> str:
    if low is None or high is None or not 0 <= low <= high <= 1:
        return ""
    return (
        '<svg width="160" height="14" role="img" aria-hidden="true"><line x1="0" x2="160" y1="7" y2="7" stroke="#ccc"/>'
        f'<line x1="{160 * low:.1f}" x2="{160 * high:.1f}" y1="7" y2="7" stroke="#236" stroke-width="3"/>'
        f'<circle cx="{160 * value:.1f}" cy="7" r="4.5" fill="#236"/></svg>'
    )
