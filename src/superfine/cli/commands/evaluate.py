"""`superfine evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import (
    baseline_option,
    check_device,
    check_precision,
    complete_files,
    device_option,
    ignore_unknown_option,
    json_option,
    label_option,
    pair_option,
    precision_option,
    reading_options,
    source_of,
    text_option,
)  # fmt: skip
from superfine.cli.output import print_json, tell_reading

if TYPE_CHECKING:
    from superfine.records import Precision


@click.command(cls=TranslatedCommand)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("data", nargs=-1, required=True, shell_complete=complete_files)
@text_option
@pair_option
@label_option
@ignore_unknown_option
@click.option("--group", metavar="COLUMN", help="Rows with the same value here are drawn together for the intervals.")
@baseline_option
@precision_option
@device_option
@reading_options
@json_option
def evaluate(
    folder: Path, data: tuple[str, ...], text: tuple[str, ...], text_pair: str | None, label: tuple[str, ...],
    ignore_unknown_labels: bool, group: str | None, baseline: str | None, precision: Precision | None, device: str | None,
    as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Score the model in FOLDER on the labelled rows of DATA, with 95 % intervals.

    \b
    superfine evaluate runs/reviews more.csv
    superfine evaluate runs/reviews more.csv --json | jq .test.accuracy
    superfine evaluate runs/reviews more.csv --with tfidf
    """
    from superfine.data.table import read_options
    from superfine.recipes.evaluate import evaluate_run

    check_precision(baseline, precision)
    check_device(baseline, device)
    scored = evaluate_run(
        folder, source_of(data), list(text) or None, text_pair, list(label) or None, read_options(reading),
        group=group, ignore_unknown_labels=ignore_unknown_labels, precision=precision, baseline=baseline, device=device,
    )  # fmt: skip
    tell_reading(scored.table.notes, scored.table.bad_rows)
    document = scored.to_json()
    if as_json:
        print_json(document)
        return
    from superfine.cli.console import ConsoleReporter, score_table

    reporter = ConsoleReporter(speaking.get())
    reporter.note(f"Columns: {scored.columns}")
    if len(scored.dropped):
        reporter.note(f"Not scored: {len(scored.dropped)} rows without a label that the model knows")
    reporter.console.print(score_table(document, speaking.get(), title=baseline or "this model"))
    if scored.learned:
        reporter.leaked(document, f"The run has learned from {len(scored.learned)} of these {document['test']['n']} texts.")
