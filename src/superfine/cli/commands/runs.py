"""`superfine runs`."""

from __future__ import annotations

from pathlib import Path

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import json_option
from superfine.cli.output import print_json, tell


@click.command(cls=TranslatedCommand)
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write them as a page.")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@json_option
def runs(folder: Path, html: Path | None, force: bool, as_json: bool) -> None:
    """List the runs in FOLDER (default: runs), those of the same data together, the best first.

    Scores are of each run's own test part: of runs with other test rows they cannot be compared, which superfine compare does.

    \b
    superfine runs
    superfine runs experiments --html board.html
    """
    from superfine.recipes.runs import list_runs

    found = list_runs(folder)
    if html is not None:
        from superfine.recipes.runs import write_board

        write_board(found, html, speaking.get(), force=force)
        tell(f"{len(found)} runs written to {html}")
    if as_json:
        print_json({"runs": [entry.to_json() for entry in found]})
    elif html is None:
        from superfine.cli.console import print_runs

        print_runs(found, speaking.get())
