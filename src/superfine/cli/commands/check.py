"""`superfine check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from superfine.cli.help import TranslatedCommand, speaking
from superfine.cli.options import complete_files, json_option, reading_options, source_of
from superfine.cli.output import EXIT_NO, print_json
from superfine.tasks import TASKS


@click.command(cls=TranslatedCommand)
@click.argument("data", nargs=-1, required=True, shell_complete=complete_files)
@click.option("--validation", type=str, shell_complete=complete_files, help="File that epochs will be chosen by.")
@click.option("--test", type=str, shell_complete=complete_files, help="File that will be scored: leaks and drift are looked for.")
@click.option("--text", multiple=True, metavar="COLUMN", help="Text column; repeat to join several. Absent: found by content.")
@click.option("--text-pair", metavar="COLUMN", help="Column with the second text of a pair.")
@click.option(
    "--label", multiple=True, metavar="COLUMN", help="Label column; repeat it for several. Absent: found by name and content."
)
@click.option("--group", metavar="COLUMN", help="Group column: rows with the same value must stay in one part.")
@click.option("--task", metavar="NAME", help=f"What is learned: {', '.join(TASKS)}.  [default: auto, by the labels]")
@click.option("--model", metavar="NAME|FOLDER", help="Whose tokens are counted and whose time is told.  [default: auto]")
@click.option("--label-noise", is_flag=True, help="Look for labels that are probably wrong; reads every text with the model.")
@click.option("--deep", is_flag=True, help="With --label-noise: fine-tune on the other rows first, three times.")
@click.option("--fix", type=click.Path(path_type=Path), metavar="FILE", help="Write a repaired table, and a list of changes.")
@click.option(
    "--suspects", type=click.Path(path_type=Path), metavar="FILE",
    help="With --fix: give rows the label that suspects.csv suggests, where you left it there.",
)  # fmt: skip
@click.option("--redact", is_flag=True, help="With --fix: put placeholders such as [EMAIL] in place of personal data.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for page and tables.  [default: checks/NAME-DATE-TIME]")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="One setting of training, where it matters here.")
@reading_options
@json_option
def check(
    data: tuple[str, ...], validation: str | None, test: str | None, text: tuple[str, ...], text_pair: str | None,
    label: tuple[str, ...], group: str | None, task: str | None, model: str | None, label_noise: bool, deep: bool,
    fix: Path | None, suspects: Path | None, redact: bool,
    out: Path | None, force: bool, assignments: tuple[str, ...], as_json: bool, **reading: str | None,
) -> None:  # fmt: skip
    """Say what is wrong with DATA before any time is spent on it.

    Leaks, repeats and near repeats, contradictions, classes, texts, personal data, drift, words that give the label away; and how
    long training would take. Needs no model. Exit status 1: something is found that makes a score worthless.

    \b
    superfine check reviews.csv
    superfine check train.csv --test test.csv --fix better.csv --redact
    """
    from superfine.config import build_config, parse_assignments
    from superfine.errors import ConfigError
    from superfine.paths import expanded
    from superfine.recipes.check import CheckRequest
    from superfine.recipes.check import check as run
    from superfine.recipes.request import default_folder

    if redact and fix is None:
        raise ConfigError("--redact writes texts without personal data, and there is no file to write.", "Name one with --fix.")
    if suspects is not None and fix is None:
        raise ConfigError("--suspects gives rows other labels, and there is no file to write.", "Name one with --fix.")
    if deep and not label_noise:
        raise ConfigError("--deep is how wrong labels are looked for, and --label-noise does not ask for them.", "Add it.")
    named: dict[str, Any] = {
        "data.text": list(text) or None, "data.text_pair": text_pair, "data.label": list(label) or None, "data.group": group,
        "task.name": task, "model.name": model,
        **{f"data.{name}": value for name, value in reading.items()},
    }  # fmt: skip
    notes: list[str] = []
    settings = parse_assignments(assignments) | {key: value for key, value in named.items() if value is not None}
    source = source_of(data)
    request = CheckRequest(
        source,
        validation,
        test,
        build_config({}, settings, notes),
        default_folder(source, "checks") if out is None else expanded(out),
        force=force,
        fix=None if fix is None else expanded(fix),
        suspects=None if suspects is None else expanded(suspects),
        redact=redact,
        label_noise=label_noise,
        deep=deep,
        language=speaking.get(),
        notes=tuple(notes),
    )
    from superfine.cli.console import ConsoleReporter

    checked = run(request, ConsoleReporter(speaking.get()))
    if as_json:
        print_json(checked.to_json())
    if checked.is_blocked:
        sys.exit(EXIT_NO)
