"""`superfine compare`."""

from __future__ import annotations

from pathlib import Path

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import (
    complete_files,
    ignore_unknown_option,
    json_option,
    label_option,
    pair_option,
    reading_options,
    source_of,
    text_option,
)
from superfine.cli.output import print_json, tell_reading


@click.command(cls=TranslatedCommand)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.argument("more", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--data", multiple=True, metavar="FILE", shell_complete=complete_files,
    help="Labelled rows that none has learned from; absent: the test rows that all runs have.",
)  # fmt: skip
@text_option
@pair_option
@label_option
@ignore_unknown_option
@click.option("--group", metavar="COLUMN", help="Rows with the same value here are drawn together for the intervals.")
@click.option(
    "--margin", type=float, metavar="POINTS", help="Also: is FIRST not worse than each other one by so many points (95 % sure)?"
)
@click.option("--flips", type=click.Path(path_type=Path), metavar="FILE", help="Write the rows that are answered differently.")
@click.option("--force", is_flag=True, help="Replace FILE where it is there.")
@reading_options
@json_option
def compare(
    first: Path, second: Path, more: tuple[Path, ...], data: tuple[str, ...], text: tuple[str, ...], text_pair: str | None,
    label: tuple[str, ...], ignore_unknown_labels: bool, group: str | None, margin: float | None, flips: Path | None, force: bool,
    as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Is FIRST better than SECOND, and the others? All answer for the same rows.

    Each is the folder of a run, of one of its baselines (RUN/baselines/tfidf), or a file of predictions of any tool: a column
    "prediction", or one of probabilities for each class, beside the texts or in the order of the data.

    \b
    superfine compare runs/large runs/small
    superfine compare runs/large runs/small --data more.csv --flips flips.csv
    superfine compare runs/new theirs.csv runs/new/baselines/tfidf --margin 1
    """
    from superfine.data.table import read_options
    from superfine.data.write import refuse_unwritable
    from superfine.recipes.compare import compare_runs, refuse_margin, write_flips

    refuse_margin(margin)
    if flips is not None:
        refuse_unwritable(flips, force=force)
    compared = compare_runs(
        first, second, source_of(data) if data else None, list(text) or None, text_pair, list(label) or None,
        read_options(reading), more=more, group=group, ignore_unknown_labels=ignore_unknown_labels, margin=margin,
    )  # fmt: skip
    if data:
        tell_reading(compared.rows.table.notes, compared.rows.table.bad_rows)
    document = compared.to_json()
    n_flips = None if flips is None else write_flips(flips, compared, force=force)
    if as_json:
        print_json(document)
        return
    from superfine.cli.console import ConsoleReporter

    reporter = ConsoleReporter(speaking.get())
    for note in compared.notes:
        reporter.note(note)
    reporter.note(f"Compared on {compared.of}; columns: {compared.rows.columns}")
    reporter.compared(document, compared.names[0])
    if flips is not None:
        reporter.note(f"Written to {flips}: {n_flips} rows that are answered differently")
