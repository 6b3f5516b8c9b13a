"""`superfine models`."""

from __future__ import annotations

from typing import Any

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import complete_files, json_option, reading_options
from superfine.cli.output import print_json


@click.command(cls=TranslatedCommand)
@click.argument("data", nargs=-1, shell_complete=complete_files)
@click.option("--text", multiple=True, metavar="COLUMN", help="Text column; repeat to join several. Absent: found by content.")
@click.option("--text-pair", metavar="COLUMN", help="Column with the second text of a pair.")
@click.option(
    "--label", multiple=True, metavar="COLUMN", help="Label column; repeat it for several. Absent: found by name and content."
)
@click.option("--all", "whole", is_flag=True, help="Also those that do not suit the data.")
@reading_options
@json_option
def models(
    data: tuple[str, ...], text: tuple[str, ...], text_pair: str | None, label: tuple[str, ...], whole: bool, as_json: bool,
    **reading: str | None,
) -> None:  # fmt: skip
    """List the usual pretrained models, and for DATA which of them suit it.

    The language is measured with the tokenizers that are here; the time is measured on a step of the models that are here, and
    estimated from it for the others.

    \b
    superfine models
    superfine models reviews.csv
    """
    from superfine.recipes.models import list_models, rank_models

    if not data:
        found = list_models()
        if as_json:
            print_json({"models": found})
            return
        from superfine.cli.console import print_models

        print_models(found, speaking.get())
        return
    from superfine.cli.console import ConsoleReporter, print_ranking
    from superfine.cli.options import source_of
    from superfine.config import build_config
    from superfine.recipes.prepare import prepare
    from superfine.recipes.train import check_training_installed

    check_training_installed()
    named: dict[str, Any] = {
        "data.text": list(text) or None, "data.text_pair": text_pair, "data.label": list(label) or None,
        **{f"data.{name}": value for name, value in reading.items()},
    }  # fmt: skip
    config = build_config({}, {key: value for key, value in named.items() if value is not None})
    reporter = ConsoleReporter(speaking.get())
    reporter.stage("reading")
    parts = prepare(source_of(data), None, None, config, reporter=reporter)
    for note in parts.notes:
        reporter.note(note)
    fits = rank_models(parts, reporter, measured=True)
    if as_json:
        print_json({"models": [fit.to_json() for fit in fits]})
        return
    print_ranking(fits, speaking.get(), whole=whole)
