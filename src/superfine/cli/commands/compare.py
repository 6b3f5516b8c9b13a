"""`superfine compare`."""

from __future__ import annotations

from pathlib import Path

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import complete_files, json_option, pair_option, reading_options, source_of, text_option
from superfine.cli.output import print_json, tell_reading


@click.command(cls=TranslatedCommand)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option(
    "--data", multiple=True, metavar="FILE", shell_complete=complete_files,
    help="Labelled rows that neither has learned from; absent: the test rows that both runs have.",
)  # fmt: skip
@text_option
@pair_option
@click.option("--label", multiple=True, metavar="COLUMN", help="Label column, where it is named otherwise than in training.")
@click.option("--ignore-unknown-labels", is_flag=True, help="Do not score rows whose label training never had.")
@click.option("--group", metavar="COLUMN", help="Rows with the same value here are drawn together for the intervals.")
@reading_options
@json_option
def compare(
    first: Path, second: Path, data: tuple[str, ...], text: tuple[str, ...], text_pair: str | None, label: tuple[str, ...],
    ignore_unknown_labels: bool, group: str | None, as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Is the model in FIRST better than the one in SECOND? Both answer for the same rows.

    \b
    superfine compare runs/large runs/small
    superfine compare runs/large runs/small --data more.csv
    """
    from superfine.data.table import read_options
    from superfine.recipes.compare import compare_runs

    compared = compare_runs(
        first, second, source_of(data) if data else None, list(text) or None, text_pair, list(label) or None,
        read_options(reading), group=group, ignore_unknown_labels=ignore_unknown_labels,
    )  # fmt: skip
    if data:
        tell_reading(compared.rows.table.notes, compared.rows.table.bad_rows)
    document = compared.to_json()
    if as_json:
        print_json(document)
        return
    from superfine.cli.console import ConsoleReporter

    reporter = ConsoleReporter(speaking.get())
    reporter.note(f"Compared on {compared.of}; columns: {compared.rows.columns}")
    reporter.compared(document, compared.names[0])
