"""The runs of a folder as a page, in the report's style."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import Any

from superfine.language import phrase
from superfine.metrics import title_of
from superfine.report.page import jinja_environment, shown


def render_board(runs: list[dict[str, Any]], language: str = "en") -> str:
    """runs: as `superfine runs --json` lists them, those of the same data and task together."""
    groups = [
        {"data": data, "task": task, "runs": list(members)}
        for (data, task), members in groupby(runs, key=lambda run: (run["data"], run["task"]))
    ]
    return (
        jinja_environment()
        .get_template("board.html.j2")
        .render(groups=groups, language=language, t=partial(phrase, language=language), title=title_of, shown=shown)
    )
